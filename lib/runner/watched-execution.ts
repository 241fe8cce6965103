import type { CompletionWait } from '../engine/completion/completion-wait.js';
import type { CompletionWaiters } from '../engine/completion/completion-waiters.js';
import type { ExecutionChanges } from '../engine/watch/execution-changes.js';
import { UnknownExecutionError } from '../errors/index.js';
import { MergedCalls, type ReactionLimit } from '../runtime/merged-calls.js';
import type { Clock } from '../runtime/clock.js';
import { isExecutionEnded } from '../workflow/index.js';
import type { ExecutionUpdate } from './execution.js';

/** Limit of the reads of one execution. */
const READS: ReactionLimit = { burst: 3, intervalMs: 200 };
/** Time between two reads without a reason, in case a notification was lost, in milliseconds. */
const SAFETY_MS = 30_000;

export interface WatchedExecutionParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly waiters: Pick<CompletionWaiters, 'wait'>;
  readonly changes: Pick<ExecutionChanges, 'watch' | 'announce'>;
  /** Whether notifications of other processes reach this process. */
  readonly hearsNotifications: () => boolean;
  /** Null if no execution has this id. */
  readonly read: (id: string) => Promise<ExecutionUpdate | null>;
}

/**
 * One execution that callers watch. They share its reads and its latest state; older states are not kept. It waits for the
 * end as awaited executions do, and reads after each change that is reported.
 *
 * States: following, over (the execution has ended), failed. The last two are final.
 */
export class WatchedExecution {
  /** Callbacks of the watchers that wait for another state. */
  readonly wakers = new Set<() => void>();
  watchers = 0;
  latest: ExecutionUpdate | undefined;
  /** Number of the latest state, from 1. */
  version = 0;
  failure: { readonly error: unknown } | undefined;
  private latestJson = '';
  private isOver = false;
  private begun = 0;
  private applied = 0;
  private safetyAt: number;
  private readonly calls: MergedCalls;
  private readonly unwatch: () => void;
  private wait: CompletionWait | undefined;

  constructor(
    readonly id: string,
    private readonly parts: WatchedExecutionParts,
  ) {
    const { changes, clock } = parts;
    this.calls = new MergedCalls(() => this.read(), READS, clock);
    this.safetyAt = clock.now() + SAFETY_MS;
    this.unwatch = changes.watch(id, () => this.calls.call());
    this.calls.call();
    void this.follow();
  }

  /** Reads if the last regular read was long ago. */
  lookIfDue(now: number): void {
    const { changes, hearsNotifications } = this.parts;
    if (now < this.safetyAt && hearsNotifications()) return;
    this.safetyAt = now + SAFETY_MS;
    changes.announce(this.id);
    this.calls.call();
  }

  close(): void {
    this.isOver = true;
    this.unwatch();
    this.calls.close();
    this.wait?.cancel(undefined);
  }

  /** Waits for the end, and again if a manual retry came before the read. */
  private async follow(): Promise<void> {
    try {
      while (!this.isOver) {
        this.wait = this.parts.waiters.wait(this.id);
        await this.wait.ended;
        await this.read();
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** Never rejects. */
  private async read(): Promise<void> {
    const { parts, id } = this;
    const number = ++this.begun;
    try {
      const update = await parts.read(id);
      // A read that began later may have been answered before.
      if (this.isOver || number < this.applied) return;
      this.applied = number;
      if (update === null) this.fail(new UnknownExecutionError(id, parts.tenant));
      else this.apply(update);
    } catch (error) {
      this.fail(error);
    }
  }

  private apply(update: ExecutionUpdate): void {
    const json = JSON.stringify(update);
    if (json === this.latestJson) return;
    this.latestJson = json;
    this.latest = update;
    this.version++;
    if (isExecutionEnded(update.status)) this.close();
    this.wake();
  }

  private fail(error: unknown): void {
    if (this.isOver) return;
    this.failure = { error };
    this.close();
    this.wake();
  }

  private wake(): void {
    for (const waker of this.wakers) waker();
  }
}
