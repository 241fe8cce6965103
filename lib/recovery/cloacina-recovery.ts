import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { RecoveryCause, RecoveryReport } from './tenant-recovery.js';
import type { RecoveryEventRow, TenantStore } from '../store/port/index.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

/** The recovery of one task: recovery took its claim from a lost process. */
export interface RecoveryEvent {
  /** Id of the event. */
  id: string;
  /** The id of the execution. */
  executionId: string;
  /** Name of the task, or its number if its definition can no longer be read. */
  taskName: string;
  /**
   * `recovered`: the task is Ready again. `abandoned`: it was lost more than `maxRecoveryAttempts` times and is Failed.
   */
  kind: 'recovered' | 'abandoned';
  /** Why the claim was taken. */
  cause: RecoveryCause;
  /** Id of the instance that held the claim. */
  previousOwner: string;
  /** Time between the loss of the process and the recovery, in milliseconds, as far as it is known. */
  orphanedForMs: number;
  /** Time of the recovery, by the database's clock. */
  at: Date;
}

/** Recovery statistics. */
export interface RecoveryStats {
  /** Number of recoveries after which the task was Ready again. */
  recovered: number;
  /** Number of tasks that were lost too often and are Failed. */
  abandoned: number;
  /** Share of `recovered` in both counts, from 0 to 1; 1 if both are 0. */
  successRate: number;
  /** Time between the loss of a process and the recovery of its tasks, in milliseconds. */
  timeToRecoverMs: { median: number; p95: number };
}

/**
 * A task that can't continue in this process: it is due but has no handler here, or its handler still runs here after its
 * signal was aborted.
 */
export interface BlockedTask {
  /** The id of the execution. */
  executionId: string;
  /** The name of the task. */
  taskName: string;
  /** A sentence that says why the task is blocked. */
  reason: string;
}

/** Selects recovery events. Omitted fields do not filter. */
export interface RecoveryEventFilter {
  /** Only events of this execution. */
  executionId?: string;
  /** Earliest time of the recovery, inclusive. Default: all time. */
  since?: Date;
  /** Maximum number of events on a page, from 1 to 500. Default: 50. */
  limit?: number;
  /** `nextCursor` of the previous page. */
  cursor?: string;
}

export interface RecoveryParts {
  readonly store: Pick<TenantStore, 'recovery'>;
  /** Retries while the database is unavailable, and turns its errors into the library's. */
  readonly availability: AvailabilityRetry;
  readonly run: () => Promise<RecoveryReport>;
  /** Definitions for which this process has handlers, and those of their tasks for which it has none. */
  readonly claimable: () => {
    readonly ids: readonly string[];
    readonly unknownTasks: readonly (readonly [definition: string, task: number])[];
  };
  /** Tasks whose handlers still run in this process after their signals were aborted. */
  readonly hung: () => readonly BlockedTask[];
  readonly nameTask: (
    definitionId: string,
    taskNo: number,
  ) => Promise<{ task: string; workflow: string }>;
}

/**
 * Recovery of one tenant's tasks from lost processes. Recovery runs by itself: at boot, within a second of a process's
 * death, and when a lease expires. This class reports on recovery, and can run it at once.
 *
 * @example
 * ```ts
 * const { recovered, abandoned } = await recovery.run();
 * const { items } = await recovery.events({ since: new Date('2026-01-31T20:00:00Z') });
 * ```
 */
export class CloacinaRecovery {
  /** @internal Applications get theirs by injection. */
  constructor(private readonly parts: RecoveryParts) {}

  /**
   * Looks for lost processes now and recovers their tasks. It is safe at any time and from any number of processes.
   *
   * @throws DatabaseUnavailableError when the database was unavailable for `startTimeout`, as all methods of this class
   */
  async run(): Promise<RecoveryReport> {
    const report = await this.parts.availability.run(() => this.parts.run());
    return { ...report, blocked: (await this.blocked()).length };
  }

  /**
   * Recovery statistics of the tenant.
   *
   * @param since - earliest time of the recoveries that count, inclusive; default: all time
   * @param cap - how many recoveries are read, the newest; default: all
   * @throws InvalidArgumentError for a cap that is not a whole number of at least 1
   */
  async stats(since?: Date, cap?: number): Promise<RecoveryStats> {
    if (cap !== undefined && !(Number.isSafeInteger(cap) && cap >= 1)) {
      throw new InvalidArgumentError(
        'cap',
        `must be a whole number of at least 1, not ${formatValue(cap)}`,
      );
    }
    return this.parts.availability.run(() =>
      this.parts.store.recovery.stats(since ?? null, cap ?? null),
    );
  }

  /**
   * Lists recovery events, newest first.
   *
   * @throws InvalidArgumentError for an invalid limit or cursor
   */
  async events(
    filter: RecoveryEventFilter = {},
  ): Promise<{ items: RecoveryEvent[]; nextCursor: string | null }> {
    const limit = filter.limit ?? DEFAULT_LIMIT;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
      throw new InvalidArgumentError(
        'limit',
        `must be a whole number from 1 to ${MAX_LIMIT}, not ${limit}`,
      );
    }
    if (filter.cursor !== undefined && !/^\d{1,18}$/.test(filter.cursor)) {
      throw new InvalidArgumentError('cursor', 'must be the nextCursor of an earlier page');
    }
    return this.parts.availability.run(async () => {
      const rows = await this.parts.store.recovery.events({
        executionId: filter.executionId ?? null,
        since: filter.since ?? null,
        before: filter.cursor ?? null,
        limit: limit + 1,
      });
      const page = rows.slice(0, limit);
      return {
        items: await Promise.all(page.map((row) => this.eventOf(row))),
        nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      };
    });
  }

  /**
   * Lists the tasks that can't continue in this process. Tasks with a hung handler come first: it still runs after its
   * signal was aborted. Due tasks without a handler in this process follow, the longest waiting first, at most 1,000.
   */
  blocked(): Promise<BlockedTask[]> {
    return this.parts.availability.run(() => this.listBlocked());
  }

  private async listBlocked(): Promise<BlockedTask[]> {
    const { ids, unknownTasks } = this.parts.claimable();
    const rows = await this.parts.store.recovery.blocked(ids, unknownTasks);
    const unknown = await Promise.all(
      rows.map(async ({ executionId, taskNo, definitionId }) => {
        const { task, workflow } = await this.parts.nameTask(definitionId, taskNo);
        return {
          executionId,
          taskName: task,
          reason: `This process has no handler for task "${task}" of workflow "${workflow}".`,
        };
      }),
    );
    return [...this.parts.hung(), ...unknown];
  }

  private async eventOf(row: RecoveryEventRow): Promise<RecoveryEvent> {
    const task =
      row.definitionId === null
        ? String(row.taskNo)
        : (await this.parts.nameTask(row.definitionId, row.taskNo)).task;
    return {
      id: row.id,
      executionId: row.executionId,
      taskName: task,
      kind: row.kind === 'abandoned' ? 'abandoned' : 'recovered',
      cause: row.cause as RecoveryCause,
      previousOwner: row.previousOwner,
      orphanedForMs: row.orphanedForMs,
      at: row.at,
    };
  }
}
