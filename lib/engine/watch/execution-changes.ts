import type { Clock, Timer } from '../../runtime/clock.js';

/** How long changes of an execution collect before other processes are notified, in milliseconds. */
const TELL_AFTER_MS = 100;
/** How long an execution counts as watched after another process has said so, in milliseconds. */
const WATCHED_MS = 90_000;
/** Maximum number of executions that other processes watch. The one that was named first is forgotten first. */
const MAX_ELSEWHERE = 1_000;

export interface ExecutionChangesParts {
  readonly clock: Clock;
  /** Whether this process holds claims in the execution. */
  readonly isActive: (id: string) => boolean;
  /** Tells the other processes that this one watches the execution. */
  readonly notifyWatched: (id: string) => void;
  /** Tells the other processes that the execution has changed. */
  readonly notifyChanged: (id: string) => void;
  /** Sets the function that the tenant's parts call for each change that they have stored. */
  readonly listen: (changed: ((id: string) => void) | undefined) => void;
}

/**
 * Passes changes of executions on to those who watch them: in this process, and in others. A process that watches tells
 * the others, and they notify it of the changes that they store. So changes of executions that nothing watches cost nothing.
 *
 * Every role may send notifications, so what other processes watch is bounded and expires. A lost notification costs
 * latency: a watching process also reads regularly.
 */
export class ExecutionChanges {
  private readonly here = new Map<string, () => void>();
  /** Executions that other processes watch, and until when. */
  private readonly elsewhere = new Map<string, number>();
  private readonly untold = new Set<string>();
  private timer: Timer | undefined;

  constructor(private readonly parts: ExecutionChangesParts) {}

  /**
   * Calls back after changes of the execution. One call at a time for each execution.
   *
   * @returns a function that ends it
   */
  watch(id: string, changed: () => void): () => void {
    this.here.set(id, changed);
    this.listen();
    this.announce(id);
    return () => {
      this.here.delete(id);
      this.listen();
    };
  }

  /** Tells the other processes again that this one watches the execution. */
  announce(id: string): void {
    this.parts.notifyWatched(id);
  }

  isWatched(id: string): boolean {
    return this.here.has(id);
  }

  /** Call when another process has said that the execution has changed. */
  changedElsewhere(id: string): void {
    this.here.get(id)?.();
  }

  /** Call when another process has said that it watches the execution. */
  watchedElsewhere(id: string): void {
    const isNew = !this.elsewhere.has(id);
    this.elsewhere.delete(id);
    this.elsewhere.set(id, this.parts.clock.now() + WATCHED_MS);
    if (this.elsewhere.size > MAX_ELSEWHERE) {
      const [oldest] = this.elsewhere.keys();
      if (oldest !== undefined) this.elsewhere.delete(oldest);
    }
    this.listen();
    // Something may have changed after the other process read and before this one was notified.
    if (isNew && this.parts.isActive(id)) this.tell(id);
  }

  close(): void {
    this.timer?.cancel();
    this.elsewhere.clear();
    this.parts.listen(undefined);
  }

  private listen(): void {
    const isNeeded = this.here.size > 0 || this.elsewhere.size > 0;
    this.parts.listen(isNeeded ? this.changed : undefined);
  }

  private readonly changed = (id: string): void => {
    this.here.get(id)?.();
    if (this.elsewhere.has(id)) this.tell(id);
  };

  private tell(id: string): void {
    this.untold.add(id);
    this.timer ??= this.parts.clock.timer(() => this.tellAll(), TELL_AFTER_MS);
  }

  private tellAll(): void {
    this.timer = undefined;
    const now = this.parts.clock.now();
    for (const [id, until] of this.elsewhere) if (until <= now) this.elsewhere.delete(id);
    for (const id of this.untold) if (this.elsewhere.has(id)) this.parts.notifyChanged(id);
    this.untold.clear();
    this.listen();
  }
}
