import { isExecutionEnded, type ExecutionStatus } from '../../workflow/index.js';
import type { StartFacts } from '../memory/execution-cache.js';
import type { KnownEnd } from './known-end.js';

/** What a wait needs to find out whether its execution has ended. */
export interface WaitSurroundings {
  /** Whether this process holds claims in the execution. If so, it will learn of the end without reading. */
  readonly isActive: (id: string) => boolean;
  /** Reads the status, and has the database notify this process of the end. Undefined if the execution does not exist. */
  readonly statusOf: (id: string) => Promise<string | undefined>;
  /** Whether notifications of other processes reach this process. */
  readonly hearsEnds: () => boolean;
  readonly now: () => number;
}

/**
 * How a wait ended: with the ended execution, if memory has all of it; `ended`, if the caller has to read it; `missing`, if
 * it does not exist.
 */
export type WaitResult = KnownEnd | 'ended' | 'missing';

/** Time from the begin of a wait to its first regular read, in milliseconds. */
const FIRST_PAUSE_MS = 1_000;
/** Time between the later reads in a process that notifications do not reach, in milliseconds. */
const DEAF_PAUSE_MS = 5_000;
/**
 * Otherwise each pause is twice the previous one, up to a minute. A notification is lost only if its sender dies between
 * the end of the execution and the notification. Then the wait takes at most twice as long, or a minute longer.
 */
const MAX_PAUSE_MS = 60_000;

/**
 * One caller that waits for one execution, until the end is signalled or read, or the wait is cancelled. There may be ten
 * thousand waits, so none has a timer or an event listener: the waiters go through all of them.
 */
export class CompletionWait {
  private promise: Promise<WaitResult> | undefined;
  /** How the wait ended. Undefined until then. */
  private outcome: { readonly result: WaitResult } | { readonly error: unknown } | undefined;
  /** Passes the outcome to {@link promise}. */
  private pass: () => void = () => undefined;
  private isLooking = false;
  /** `look()` was called during a read, whose result may be older than the reason for the call. */
  private again = false;
  private lookAt: number;
  private pauseMs = FIRST_PAUSE_MS;

  /** False for an execution whose start is under way: until {@link stored}, the database may not have it. */
  private isStored: boolean;

  /** @param start - for an execution whose start is under way. Undefined for one that exists */
  constructor(
    readonly id: string,
    readonly start: StartFacts | undefined,
    private readonly surroundings: WaitSurroundings,
    private readonly onOver: (wait: CompletionWait) => void,
  ) {
    this.isStored = start === undefined;
    this.lookAt = surroundings.now() + FIRST_PAUSE_MS;
  }

  /**
   * Resolves when the execution has ended, or does not exist. Rejects when the wait is cancelled. The promise is made for
   * the first caller that asks for it: a wait that is cancelled before that leaves no unhandled rejection.
   */
  get ended(): Promise<WaitResult> {
    return (this.promise ??= new Promise((resolve, reject) => {
      this.pass = () => {
        if (this.outcome === undefined) return;
        if ('result' in this.outcome) resolve(this.outcome.result);
        else reject(this.outcome.error);
      };
      this.pass();
    }));
  }

  /** The end was signalled. Without `known`, the caller reads the execution. */
  tellEnded(known?: KnownEnd): void {
    this.over({ result: known ?? 'ended' });
  }

  /**
   * Call when the start of the execution was answered.
   *
   * @param hasWaiters - whether the start stored that a caller waits. Then another process notifies this one of the end
   */
  stored(hasWaiters: boolean): void {
    this.isStored = true;
    if (!hasWaiters) this.look();
  }

  /** Reads the status, unless this process holds claims in the execution. */
  look(): void {
    if (this.outcome !== undefined || !this.isStored || this.surroundings.isActive(this.id)) return;
    if (this.isLooking) this.again = true;
    else void this.ask();
  }

  /** Reads the status if the last signal or read was long ago. */
  lookIfDue(now: number): void {
    if (now < this.lookAt) return;
    this.pauseMs = this.surroundings.hearsEnds()
      ? Math.min(2 * this.pauseMs, MAX_PAUSE_MS)
      : DEAF_PAUSE_MS;
    this.lookAt = now + this.pauseMs;
    this.look();
  }

  cancel(error: unknown): void {
    this.over({ error });
  }

  private async ask(): Promise<void> {
    this.isLooking = true;
    try {
      do {
        this.again = false;
        const status = await this.surroundings.statusOf(this.id);
        if (status === undefined) this.over({ result: 'missing' });
        else if (isExecutionEnded(status as ExecutionStatus)) this.tellEnded();
      } while (this.again && this.outcome === undefined);
    } catch (error) {
      this.cancel(error);
    } finally {
      this.isLooking = false;
    }
  }

  private over(outcome: { readonly result: WaitResult } | { readonly error: unknown }): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    this.pass();
    this.onOver(this);
  }
}
