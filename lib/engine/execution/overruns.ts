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
  /** Called when an overrun ends, because its handler returned or was given up. Its task may wait for that. */
  readonly ended: () => void;
}

/**
 * The attempts whose handlers still run after a timeout. Their tasks do not begin again in this process before the
 * handler returns or is given up. Other processes may take these tasks.
 */
export class Overruns {
  /** Timed-out attempts by the key of their claims. */
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

  /** Tasks that must not begin in this process now. */
  tasks(): TaskKey[] {
    return [...this.attempts.values()].map(({ claim: { executionId, taskNo, itemNo } }) => ({
      executionId,
      taskNo,
      itemNo,
    }));
  }

  /** Handlers that still run a while after their signals were aborted. */
  hungHandlers(): HungHandler[] {
    return this.hung.list();
  }

  /** Whether handlers keep their slots because too many others were given up. */
  get isExhausted(): boolean {
    return this.hung.isExhausted;
  }

  /** The timed-out attempt of the claim's task whose handler still runs. */
  earlierOf({ key }: TaskClaim): Attempt | undefined {
    return this.attempts.get(key);
  }

  /** Call when an attempt times out while its handler runs. */
  timedOut(attempt: Attempt): void {
    this.attempts.set(attempt.claim.key, attempt);
  }

  /** Call when the signal of a running handler has aborted. */
  aborted(attempt: Attempt): void {
    this.hung.aborted(attempt);
  }

  /** Call when a handler has returned, before or after a timeout. */
  returned(attempt: Attempt): void {
    this.hung.returned(attempt);
    this.mayBeginAgain(attempt);
  }

  close(): void {
    this.hung.close();
  }

  private giveUp(attempt: Attempt): void {
    // Must come before the release: a task that waits for the slot then checks whether its earlier attempt still runs.
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
