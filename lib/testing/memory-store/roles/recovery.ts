import { MemoryRole } from './memory-role.js';
import {
  type BlockedTaskRow,
  type ClaimKey,
  type ClaimSearch,
  type JudgedLease,
  type LeaseWrite,
  type RecoveryEventFilterRow,
  type RecoveryEventRow,
  type RecoveryStatsRow,
  type RecoveryStore,
  type StrandedTaskRow,
  type TakeOrphans,
  type TakenOrphan,
  type TaskKey,
  byLockOrder,
} from '../../../store/port/index.js';
import { claimedTask, giveBack, hold } from '../memory-claims.js';
import { writeLease } from '../memory-leases.js';
import { isWaiting, type MemoryTask } from '../memory-rows.js';
import { nextToken } from '../memory-tokens.js';

type Unknown = readonly (readonly [definition: string, task: number])[];

/** How long a task has to be due before it counts as stranded, in milliseconds. */
const STRANDED_AFTER_MS = 60_000;
const MAX_LISTED = 1_000;

/** Recovery's operations on a tenant's tables. */
export class MemoryRecoveryStore extends MemoryRole implements RecoveryStore {
  endLease(instanceId: string, judged: JudgedLease | 'former'): Promise<boolean> {
    const { leases, locks } = this.tables;
    return this.tables.run(() => {
      const lease = leases.get(instanceId);
      if (lease === undefined) return false;
      if (judged !== 'former') {
        const { over, lockEpoch, lockSession } = judged;
        const isSame = lease.lockEpoch === lockEpoch && lease.lockSession === lockSession;
        const lockIsGone = isSame && !(lockSession !== null && locks.has(lockSession));
        if (!(over ? lease.expiresAt <= this.tables.now() : lockIsGone)) return false;
      }
      return leases.delete(instanceId);
    });
  }

  takeOrphans(instanceId: string, how: TakeOrphans, lease: LeaseWrite): Promise<TakenOrphan[]> {
    return this.tables.run(() => {
      const hasLease = this.tables.leases.has(instanceId);
      const orphans = hasLease ? [] : this.tables.running(instanceId).sort(byLockOrder);
      return this.take(orphans, instanceId, how, lease);
    });
  }

  takeUnknown(
    claims: readonly ClaimKey[],
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]> {
    const { instanceId } = lease.claimant;
    return this.tables.run(() => {
      const orphans = [...claims].sort(byLockOrder).flatMap((claimed) => {
        const task = this.tables.task(claimed);
        return task?.claimToken === claimed.token && task.owner === instanceId ? [task] : [];
      });
      return this.take(orphans, instanceId, how, lease);
    });
  }

  /** Finds nothing: claims are found by the tasks' rows themselves. */
  async relistClaims(): Promise<ClaimSearch> {
    return { relisted: 0, last: undefined };
  }

  async ownersOf({ executionId, taskNo, itemNo }: TaskKey): Promise<string[]> {
    return this.tables.recoveryEvents
      .filter(
        (event) =>
          event.executionId === executionId && event.taskNo === taskNo && event.itemNo === itemNo,
      )
      .map(({ previousOwner }) => previousOwner ?? '');
  }

  async stats(since: Date | null, cap: number | null = null): Promise<RecoveryStatsRow> {
    const events = this.tables.recoveryEvents
      .filter(({ createdAt }) => since === null || createdAt >= since.getTime())
      .sort((a, b) => b.createdAt - a.createdAt)
      .slice(0, cap ?? Infinity);
    const recovered = events.filter(({ kind }) => kind === 'recovered').length;
    const times = events.map(({ orphanedForMs }) => orphanedForMs).sort((a, b) => a - b);
    return {
      recovered,
      abandoned: events.length - recovered,
      successRate: events.length === 0 ? 1 : recovered / events.length,
      timeToRecoverMs: { median: percentile(times, 0.5), p95: percentile(times, 0.95) },
    };
  }

  async events(filter: RecoveryEventFilterRow): Promise<RecoveryEventRow[]> {
    const { executionId, since, before, limit } = filter;
    return this.tables.recoveryEvents
      .filter(
        (event) =>
          (executionId === null || event.executionId === executionId) &&
          (since === null || event.createdAt >= since.getTime()) &&
          (before === null || event.id < Number(before)),
      )
      .toReversed()
      .slice(0, limit)
      .map(({ id, createdAt, previousOwner, ...event }) => ({
        ...event,
        id: String(id),
        definitionId: this.tables.executions.get(event.executionId)?.definitionId ?? null,
        previousOwner: previousOwner ?? '',
        at: new Date(createdAt),
      }));
  }

  async stranded(definitions: readonly string[], unknown: Unknown): Promise<StrandedTaskRow[]> {
    const counts = new Map<string, StrandedTaskRow>();
    for (const task of this.withoutHandler(definitions, unknown, STRANDED_AFTER_MS)) {
      const { definitionId, taskNo } = task;
      const key = `${definitionId}/${taskNo}`;
      const count = (counts.get(key)?.count ?? 0) + 1;
      counts.set(key, { definitionId, taskNo, count });
    }
    return [...counts.values()].sort(
      (a, b) =>
        b.count - a.count ||
        Number(BigInt(a.definitionId) - BigInt(b.definitionId)) ||
        a.taskNo - b.taskNo,
    );
  }

  async blocked(definitions: readonly string[], unknown: Unknown): Promise<BlockedTaskRow[]> {
    return this.withoutHandler(definitions, unknown, 0).map(
      ({ executionId, taskNo, itemNo, definitionId }) => ({
        executionId,
        taskNo,
        itemNo,
        definitionId,
      }),
    );
  }

  /**
   * Takes claims. A task becomes Ready, with one more recovery if it had begun. A task that has used up its recoveries is
   * claimed by the caller, to be recorded as Failed.
   */
  private take(
    orphans: readonly MemoryTask[],
    previousOwner: string | null,
    how: TakeOrphans,
    lease: LeaseWrite,
  ): TakenOrphan[] {
    const { limit, maxRecoveryAttempts, cause } = how;
    const orphanedForMs = Math.max(0, Math.round(how.orphanedForMs));
    const taken = orphans.slice(0, limit).map((task) => {
      const { executionId, taskNo, itemNo, startedAt } = task;
      const abandoned = startedAt !== null && task.recoveryAttempts >= maxRecoveryAttempts;
      if (abandoned) {
        hold(
          task,
          lease.claimant.instanceId,
          nextToken(task.claimToken, this.tables.clock),
          startedAt,
        );
      } else {
        giveBack(this.tables, task, 0);
        if (startedAt !== null) task.recoveryAttempts++;
      }
      const kind = abandoned ? ('abandoned' as const) : ('recovered' as const);
      const event = { executionId, taskNo, itemNo, kind, cause, previousOwner, orphanedForMs };
      const createdAt = this.tables.now();
      this.tables.recoveryEvents.push({ ...event, id: this.tables.nextId(), createdAt });
      return { ...claimedTask(this.tables, task), deferredForMs: null, abandoned };
    });
    writeLease(this.tables, lease);
    return taken;
  }

  /** Tasks without a handler in this process that have been due for `dueForMs`, the longest waiting first. */
  private withoutHandler(
    definitions: readonly string[],
    unknown: Unknown,
    dueForMs: number,
  ): MemoryTask[] {
    const dueAt = this.tables.now() - dueForMs;
    return this.tables
      .allTasks()
      .filter(isWaiting)
      .filter(({ runAt }) => runAt <= dueAt)
      .filter(
        (task) =>
          !definitions.includes(task.definitionId) ||
          unknown.some(([id, taskNo]) => id === task.definitionId && taskNo === task.taskNo),
      )
      .sort((a, b) => a.runAt - b.runAt || byKey(a, b))
      .slice(0, MAX_LISTED);
  }
}

function byKey(a: TaskKey, b: TaskKey): number {
  if (a.executionId !== b.executionId) return a.executionId < b.executionId ? -1 : 1;
  return a.taskNo - b.taskNo || a.itemNo - b.itemNo;
}

/** Interpolates between the two nearest values, as percentile_cont does. */
function percentile(sorted: readonly number[], fraction: number): number {
  const place = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? 0;
  return below + (above - below) * (place - Math.floor(place));
}
