import type { Timer } from '../runtime/clock.js';
import { isExecutionEnded } from '../workflow/index.js';
import { UnknownExecutionError, withoutDriver } from '../errors/index.js';
import type { ExecutionUpdate } from './execution.js';
import { isExecutionId } from './execution-uuid.js';
import { WatchedExecution, type WatchedExecutionParts } from './watched-execution.js';

/** Interval of the regular looks, in milliseconds. Without notifications, each of them reads. */
const ROUND_MS = 5_000;

/** The executions of one tenant that callers of this process watch. */
export class ExecutionWatches {
  private readonly watched = new Map<string, WatchedExecution>();
  private rounds: Timer | undefined;

  constructor(private readonly parts: WatchedExecutionParts) {}

  /**
   * Yields the state of the execution, and each later state, until it has ended or the signal aborts. A slow reader gets
   * the latest state and misses those between.
   *
   * @throws UnknownExecutionError, TenantRemovedError, DatabaseUnavailableError
   */
  async *watch(id: string, signal: AbortSignal | undefined): AsyncGenerator<ExecutionUpdate, void> {
    const isAborted = (): boolean => signal?.aborted === true;
    if (isAborted()) return;
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.parts.tenant);
    const one = this.join(id.toLowerCase());
    let wake: () => void = () => undefined;
    const waker = (): void => wake();
    signal?.addEventListener('abort', waker);
    one.wakers.add(waker);
    try {
      let seen = 0;
      while (!isAborted()) {
        const { failure, latest, version } = one;
        if (latest !== undefined && version > seen) {
          seen = version;
          yield latest;
          if (isExecutionEnded(latest.status)) return;
        } else if (failure !== undefined) {
          throw withoutDriver(failure.error, this.parts.tenant);
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      signal?.removeEventListener('abort', waker);
      one.wakers.delete(waker);
      this.leave(one);
    }
  }

  /** An execution that is over is watched anew: it may have been retried. */
  private join(id: string): WatchedExecution {
    const known = this.watched.get(id);
    const isLive =
      known !== undefined &&
      known.failure === undefined &&
      !(known.latest !== undefined && isExecutionEnded(known.latest.status));
    const one = isLive ? known : new WatchedExecution(id, this.parts);
    one.watchers++;
    this.watched.set(id, one);
    this.rounds ??= this.parts.clock.interval(() => this.lookAround(), ROUND_MS);
    return one;
  }

  private leave(one: WatchedExecution): void {
    if (--one.watchers > 0) return;
    one.close();
    if (this.watched.get(one.id) === one) this.watched.delete(one.id);
    if (this.watched.size > 0) return;
    this.rounds?.cancel();
    this.rounds = undefined;
  }

  private lookAround(): void {
    const now = this.parts.clock.now();
    for (const one of this.watched.values()) one.lookIfDue(now);
  }
}
