import type { TaskKey } from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { Attempt } from './attempt.js';
import { HungHandlers, type HungHandler } from './hung-handlers.js';
import type { Clock } from '../../runtime/clock.js';

export interface OverrunsParts {
  readonly clock: Clock;
  readonly tenant: string;
  /** How long a handler keeps its slot after its signal aborted, in milliseconds. */
  readonly graceMs: number;
  readonly queue: TenantQueue;
  /** A handler has returned at last, or was given up, whose task may wait for that. */
  readonly ended: () => void;
}

/**
 * Attempts that are settled and whose handlers have not returned. Their tasks don't begin again in this process before
 * they do, or are given up; other processes may take them.
 */
export class Overruns {
  /** Those that timed out, by the key of their claims. */
  private readonly attempts = new Map<string, Attempt>();
  private readonly hung: HungHandlers;

  constructor(private readonly parts: OverrunsParts) {
    const { clock, tenant, graceMs, queue } = parts;
    this.hung = new HungHandlers({
      clock,
      tenant,
      graceMs,
      queue,
      giveUp: (attempt) => this.giveUp(attempt),
    });
  }

  /** Tasks that must not begin here now. */
  tasks(): TaskKey[] {
    return [...this.attempts.values()].map(({ claim }) => ({
      executionId: claim.executionId,
      taskNo: claim.task.no,
    }));
  }

  /** Handlers that go on though their signals were aborted a while ago. */
  hungHandlers(): HungHandler[] {
    return this.hung.list();
  }

  /** The attempt of the claim's task that has not returned. */
  earlierOf({ key }: TaskClaim): Attempt | undefined {
    return this.attempts.get(key);
  }

  /** The attempt has timed out while its handler runs. */
  timedOut(attempt: Attempt): void {
    this.attempts.set(attempt.claim.key, attempt);
  }

  /** The signal of a running handler has aborted. */
  aborted(attempt: Attempt): void {
    this.hung.aborted(attempt);
  }

  /** The handler has returned, in time or at last. */
  returned(attempt: Attempt): void {
    this.hung.returned(attempt);
    this.mayBeginAgain(attempt);
  }

  close(): void {
    this.hung.close();
  }

  private giveUp(attempt: Attempt): void {
    // First, for what waits for the slot asks whether the task still overruns.
    this.mayBeginAgain(attempt);
    attempt.release();
  }

  private mayBeginAgain(attempt: Attempt): void {
    const { key } = attempt.claim;
    if (this.attempts.get(key) !== attempt) return;
    this.attempts.delete(key);
    this.parts.ended();
  }
}
