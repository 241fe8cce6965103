import type { Duration } from '../../workflow/duration.js';

/**
 * The parts of a move, in their order. Until `stopping` the tenant works as usual. From `stopping` to `switching` no task begins. In
 * `carrying` and `switching`, calls wait for the end of the move.
 *
 * - `preparing`: obstacles are looked for, and the schema is made on the new server
 * - `copying`: all rows are copied
 * - `catchingUp`: what has changed since is copied
 * - `stopping`: no more tasks are claimed, and running ones end
 * - `carrying`: the old server refuses writes, and the last changes are carried over
 * - `switching`: the old server has given the tenant away, and the new one makes it live
 * - `validating`: the tenant lives on the new server, which checks its foreign keys once
 */
export type MovePhase =
  'preparing' | 'copying' | 'catchingUp' | 'stopping' | 'carrying' | 'switching' | 'validating';

/** How far a move is. */
export interface MoveProgress {
  readonly phase: MovePhase;
  /** Tables that are copied, and all. */
  readonly tables: { readonly done: number; readonly total: number };
  /** Bytes that were sent so far. */
  readonly bytes: number;
  /** The size of all tables on the old server, in bytes. The rows alone may need less. */
  readonly totalBytes: number;
}

/**
 * Options of {@link CloacinaTenants.move}.
 *
 * @example
 * ```ts
 * const report = await tenants.move('acme', { to: 'us', drainTimeout: '2m' });
 * ```
 */
export interface MoveOptions {
  /** The name of the server to move to. */
  readonly to: string;
  /** Looks for obstacles, and moves nothing. Default: false. */
  readonly dryRun?: boolean;
  /** How long running tasks may take to end before the move is undone. Default: 30 s. */
  readonly drainTimeout?: Duration;
  /**
   * Called at the begin of each phase, and at most ten times a second while rows are copied. Its errors are logged and do not stop
   * the move.
   */
  readonly onProgress?: (progress: MoveProgress) => void;
}

/** What a move has done. */
export interface MoveReport {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The name of the server that had the tenant. */
  readonly from: string;
  /** The name of the server that has it. With `dryRun`, the one that would. */
  readonly to: string;
  /** The number of tables. */
  readonly tables: number;
  /** The number of rows. With `dryRun`, as the server estimates it. 0 if an earlier call had moved them. */
  readonly rows: number;
  /** Bytes that were sent. With `dryRun`, the size of the tables. */
  readonly bytes: number;
  /** How long the call took, in milliseconds. */
  readonly durationMs: number;
  /** How long no task could begin, in milliseconds. */
  readonly stoppedMs: number;
  /** What is left to do by hand, as sentences. */
  readonly notes: readonly string[];
}
