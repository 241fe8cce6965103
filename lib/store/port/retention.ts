import type { StoredError } from '../../errors/index.js';
import type { RetentionRule } from '../../workflow/retention.js';

/** The rules of workflows that differ from the tenant's, by the names of the workflows. */
export type RetentionRules = Readonly<Record<string, RetentionRule>>;

/** The turn to delete ended executions of a tenant, as it was taken or refused. */
export interface RetentionTurn {
  readonly isMine: boolean;
  /** Until the turn of another process is over, in milliseconds. 0 if the turn is this process's. */
  readonly heldForMs: number;
  /** The database's time, in milliseconds since 1970. */
  readonly now: number;
  /** The rules that processes of the tenant have stored. */
  readonly rules: RetentionRules;
  /** The number of failures of the archive in a row. */
  readonly failures: number;
}

/** What a process notes when it continues, pauses or ends. */
export interface RetentionNote {
  readonly holder: string;
  /** How long the turn is kept from now on, in milliseconds. 0 gives it back. */
  readonly holdMs: number;
  /** The number of trees that were deleted since the last note. */
  readonly deleted: number;
  /** Whether all executions that are due were looked through. */
  readonly hasEnded: boolean;
  /** The last failure of the archive. Null clears it, undefined leaves it. */
  readonly failure?: StoredError | null;
}

/** What is known of the deletion, for people. */
export interface RetentionState {
  readonly lapAt: number | null;
  readonly deleted: number;
  readonly failures: number;
  readonly failure: StoredError | null;
  readonly failedAt: number | null;
}

/** A part of the executions in the order of their ids, which is about the order of their starts. */
export interface RetentionWalk {
  /** The part begins behind this id. */
  readonly after: string;
  /** No execution with this id or a later one is looked at. */
  readonly until: string;
  /** The least age of the executions that are found, since their end. */
  readonly periods: Omit<RetentionRule, 'keepLast'>;
  /** The number of executions that are looked at. */
  readonly limit: number;
}

/** An ended execution without a parent whose end has nothing left to bring about. */
export interface EndedExecutionRow {
  readonly id: string;
  readonly workflow: string;
  readonly status: string;
  readonly generation: number;
  readonly createdAtMicros: number;
  /** How long ago it ended, in milliseconds. */
  readonly endedForMs: number;
  readonly hasKey: boolean;
}

export interface WalkedPart {
  /** The executions that are found, in the order of their ids. */
  readonly found: readonly EndedExecutionRow[];
  /** The id of the last execution that was looked at, if there may be more before `until`. */
  readonly last: string | null;
  /** In how many milliseconds the first of the others may be found, as far as it has ended. Null: none of them has. */
  readonly nextInMs: number | null;
  /** Of the last part: the id of the first execution at or behind `until`. */
  readonly beyond: string | null;
}

/** An execution of a tree that is to be deleted. */
export interface TreeMember {
  /** The execution at the top. */
  readonly top: string;
  readonly id: string;
  readonly generation: number;
  /** Whether it has ended, its end has nothing left to bring about, and nothing holds it. */
  readonly isReady: boolean;
}

/** A tree to delete, if it is as it was read. */
export interface ExpiredTree {
  /** The execution at the top, and the number of its manual retries. */
  readonly id: string;
  readonly generation: number;
  /** {@link versionOf} its members. Null: any. */
  readonly version: number | null;
}

/** A number that grows with each manual retry of one of the executions. */
export function versionOf(members: readonly Pick<TreeMember, 'generation'>[]): number {
  return members.reduce((sum, { generation }) => sum + generation + 1, 0);
}

export interface RetentionDeletion {
  /** The executions at the top of the trees that were deleted. */
  readonly deleted: readonly string[];
  /** Trees of which another session has locked a row, that have changed, or for which the statement was too small. */
  readonly left: readonly string[];
}

export interface HeldExecution {
  readonly workflow: string;
  /** Whether the call changed it. */
  readonly changed: boolean;
}

/** Maximum number of trees in one deleting statement. */
export const MAX_EXPIRED = 500;

/** How long a key is stored before its execution may be deleted, in milliseconds. Longer than any statement that starts. */
export const KEY_GRACE_MS = 60_000;

/** The deletion of ended executions when their time is over. No statement waits for a lock on an execution. */
export interface RetentionStore {
  /**
   * Takes the turn to delete, if no other process has it, and stores rules of workflows.
   *
   * @param holder - names the process
   * @param holdMs - how long the turn is kept without a further call
   */
  takeTurn(holder: string, holdMs: number, rules: RetentionRules): Promise<RetentionTurn>;
  /** Keeps the turn or gives it back, and notes the progress. Does nothing if another process has taken the turn. */
  note(note: RetentionNote): Promise<void>;
  /** Undefined if no process with a retention was ever on. */
  state(): Promise<RetentionState | undefined>;
  walk(walk: RetentionWalk): Promise<WalkedPart>;
  /**
   * When the last of the newest ended executions of a workflow without a parent was created, in microseconds since 1970.
   * Null if there are fewer than `count`.
   */
  keptSince(workflow: string, count: number): Promise<number | null>;
  /** The trees under these executions. Each is one after the other, with its top first. */
  trees(tops: readonly string[]): Promise<TreeMember[]>;
  /** Deletes up to {@link MAX_EXPIRED} trees with all that belongs to them. */
  delete(trees: readonly ExpiredTree[]): Promise<RetentionDeletion>;
  /**
   * Keeps the idempotency keys of these ended executions beyond their deletion.
   *
   * @returns the executions whose keys have been kept for {@link KEY_GRACE_MS}, so that they may be deleted
   */
  keepKeys(ids: readonly string[], keepMs: number): Promise<string[]>;
  /** Forgets keys that were kept long enough. Returns their number. */
  expireKeys(limit: number): Promise<number>;
  /** Puts an execution on legal hold, or ends the hold. Undefined if no execution has this id. */
  hold(
    id: string,
    isHeld: boolean,
    reason: string | null,
    actor?: string | null,
  ): Promise<HeldExecution | undefined>;
}
