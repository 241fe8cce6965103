import type { ClaimedTask, WakeClaims, Woken } from '../../store/port/index.js';
import { claimedTask, hold, rowKey } from './memory-claims.js';
import { writeLease } from './memory-leases.js';
import type { MemoryTask } from './memory-rows.js';
import { readSteps } from './memory-steps.js';
import type { MemoryTables } from './memory-tables.js';
import { nextToken } from './memory-tokens.js';

/** The tasks that a statement makes due, and those of them that it claims. */
export class MemoryWakes {
  private readonly claimed: MemoryTask[] = [];
  private due = 0;

  /** @param claims - undefined: the statement claims nothing */
  constructor(
    private readonly tables: MemoryTables,
    private readonly claims: WakeClaims | undefined,
  ) {}

  /** Makes a task that waits due, or claims it. Returns whether it can be claimed by others now. */
  add(task: MemoryTask): boolean {
    task.runAt = this.tables.now();
    if (this.claims !== undefined && this.mayClaim(task, this.claims)) {
      const { instanceId } = this.claims.lease.claimant;
      hold(task, instanceId, nextToken(task.claimToken, this.tables.clock), this.tables.now());
      this.claimed.push(task);
      return false;
    }
    if (!task.paused) this.due++;
    return !task.paused;
  }

  /** What the statement has woken, after its last change. */
  woken(): Woken {
    if (this.claimed.length > 0 && this.claims !== undefined)
      writeLease(this.tables, this.claims.lease);
    return { claims: this.claimed.map((task) => this.claimOf(task)), due: this.due };
  }

  /** A claim of the statement. */
  claimOf(task: MemoryTask): ClaimedTask {
    const input = this.tables.executions.get(task.executionId)?.input;
    return { ...claimedTask(this.tables, task), input, steps: readSteps(this.tables, [task]) };
  }

  isClaimed(task: MemoryTask): boolean {
    return this.claimed.includes(task);
  }

  private mayClaim(
    task: MemoryTask,
    { room, definitions, unknown, except = [] }: WakeClaims,
  ): boolean {
    return (
      this.claimed.length < room &&
      !task.paused &&
      task.limitKey === null &&
      definitions.includes(task.definitionId) &&
      !unknown.some(([id, taskNo]) => id === task.definitionId && taskNo === task.taskNo) &&
      !except.some((key) => rowKey(key) === rowKey(task))
    );
  }
}
