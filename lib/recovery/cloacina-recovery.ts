import { InvalidArgumentError } from '../errors/index.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { RecoveryCause, RecoveryReport } from './tenant-recovery.js';
import type { RecoveryEventRow, TenantStore } from '../store/port/index.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

/** A task that was taken from a lost process. */
export interface RecoveryEvent {
  id: string;
  executionId: string;
  taskName: string;
  /** `recovered`: Ready again. `abandoned`: lost more often than `maxRecoveryAttempts`, and Failed. */
  kind: 'recovered' | 'abandoned';
  cause: RecoveryCause;
  /** The instance that held it. */
  previousOwner: string;
  /** How long it had been without its process, in milliseconds, as far as is known. */
  orphanedForMs: number;
  at: Date;
}

/** What recovery has come to. */
export interface RecoveryStats {
  recovered: number;
  abandoned: number;
  /** Of the tasks that were taken, those that went on; 1 when there were none. */
  successRate: number;
  timeToRecoverMs: { median: number; p95: number };
}

/**
 * A task that is due and that this process has no handler for, or whose handler goes on in this process though its
 * signal was aborted.
 */
export interface BlockedTask {
  executionId: string;
  taskName: string;
  reason: string;
}

/** Which recovery events to list; what is left out doesn't narrow. */
export interface RecoveryEventFilter {
  executionId?: string;
  /** Inclusive. */
  since?: Date;
  /** 1 to 500, default 50. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

export interface RecoveryParts {
  readonly store: Pick<TenantStore, 'recovery'>;
  /** Waits for a database that is away, and makes its errors the library's. */
  readonly availability: AvailabilityRetry;
  readonly run: () => Promise<RecoveryReport>;
  /** Definitions that this process has handlers for, and the tasks among them that it has none for. */
  readonly claimable: () => {
    readonly ids: readonly string[];
    readonly unknownTasks: readonly (readonly [definition: string, task: number])[];
  };
  /** Tasks whose handlers go on in this process though their signals were aborted. */
  readonly hung: () => readonly BlockedTask[];
  readonly nameTask: (
    definitionId: string,
    taskNo: number,
  ) => Promise<{ task: string; workflow: string }>;
}

/**
 * Recovery of one tenant's tasks from lost processes. It runs by itself: at boot, within a second of a death, and when
 * a lease is over. This is for looking, and for doing it now.
 */
export class CloacinaRecovery {
  /** @internal Applications get theirs by injection. */
  constructor(private readonly parts: RecoveryParts) {}

  /**
   * Looks for lost processes now and takes their tasks. Safe at any time and from any number of processes.
   *
   * @throws DatabaseUnavailableError when the database was away for `startTimeout`, as all methods here
   */
  async run(): Promise<RecoveryReport> {
    const report = await this.parts.availability.run(() => this.parts.run());
    return { ...report, blocked: (await this.blocked()).length };
  }

  /** @param since - default: since ever */
  stats(since?: Date): Promise<RecoveryStats> {
    return this.parts.availability.run(() => this.parts.store.recovery.stats(since ?? null));
  }

  /**
   * What was recovered, newest first.
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
   * Tasks whose handlers hang in this process: they go on though their signals were aborted. Then tasks that are due and
   * that this process has no handler for, the longest waiting first, at most 1,000.
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
          reason: `No process known here has a handler for task "${task}" of workflow "${workflow}".`,
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
