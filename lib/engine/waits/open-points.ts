import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../../runtime/clock.js';
import { Suspension, SuspensionSignal } from './suspension.js';

/** A step or wait of a run that has not settled. */
export interface OpenPoint {
  /** The step in whose work it began. */
  readonly within: OpenPoint | undefined;
}

/** A wait that has nothing to return. */
interface IdleWait {
  readonly point: OpenPoint;
  readonly wakeAt: number;
  readonly joins: boolean;
  readonly stop: (reason: SuspensionSignal) => void;
}

/** The step whose work calls. */
const work = new AsyncLocalStorage<OpenPoint>();

/**
 * The durable points of a run that have not settled. Their rejections are handled here too, so a point that the handler does
 * not await can't end the process by an unhandled rejection.
 *
 * A handler may have several branches, by `Promise.all` for example. A wait that has nothing to return only stops its own
 * branch. The run is suspended when every open point is such a wait: then no branch can continue. Otherwise the branch of a
 * wait that is over would be stopped by those that are not, and what it does next might be what the others wait for.
 */
export class OpenPoints {
  /** Set once the run is suspended, even if its signal was caught. */
  suspension: Suspension | undefined;
  private readonly inFlight = new Map<OpenPoint, Promise<unknown>>();
  private idle: IdleWait[] = [];
  private hasFailed = false;
  private isLooking = false;

  constructor(private readonly clock: Pick<Clock, 'now' | 'immediate'>) {}

  get isBusy(): boolean {
    return this.inFlight.size > 0;
  }

  /** Adds a point, and returns its result. */
  add<T>(begin: (point: OpenPoint) => Promise<T>): Promise<T> {
    const point = { within: work.getStore() };
    const promise = begin(point);
    const settled = (): void => {
      this.inFlight.delete(point);
      this.look();
    };
    this.inFlight.set(point, promise);
    promise.then(settled, settled);
    return promise;
  }

  /** Calls the work of a step. */
  within<T>(point: OpenPoint, call: () => T): T {
    return work.run(point, call);
  }

  /**
   * Waits until the run is suspended.
   *
   * @param wakeAt - when the task has to run again, by the clock's `now()`; Infinity: when it is woken
   * @param joins - whether the handler continues only when all such waits of the run are over
   */
  suspend(point: OpenPoint, wakeAt: number, joins: boolean): Promise<never> {
    return new Promise((_, stop) => {
      this.idle.push({ point, wakeAt, joins, stop });
      this.look();
    });
  }

  /** Call when the handler threw. If the run was not suspended before, the attempt has failed, whatever it waits for. */
  failed(): void {
    this.hasFailed = true;
  }

  /** Resolves when no point is in flight. Rejects with the first failure of those in flight now. */
  async whenSettled(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    while (this.inFlight.size > 0) {
      for (const result of await Promise.allSettled(this.inFlight.values())) {
        if (result.status === 'rejected') failure ??= { error: result.reason };
      }
    }
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Looks in the next turn of the event loop: a branch whose point has just settled comes to its next one by then, and ten
   * thousand waits are looked at together.
   */
  private look(): void {
    if (this.isLooking || this.idle.length === 0) return;
    this.isLooking = true;
    this.clock.immediate(() => {
      this.isLooking = false;
      if (this.areAllIdle) this.stop();
    });
  }

  /** Whether every open point is an idle wait, or a step whose work awaits one. */
  private get areAllIdle(): boolean {
    const stopped = new Set<OpenPoint>();
    for (const { point } of this.idle) {
      for (let at: OpenPoint | undefined = point; at !== undefined; at = at.within) stopped.add(at);
    }
    return [...this.inFlight.keys()].every((point) => stopped.has(point));
  }

  private stop(): void {
    const { idle, clock } = this;
    this.idle = [];
    if (!this.hasFailed) {
      this.suspension ??= new Suspension(clock);
      for (const { wakeAt, joins } of idle) this.suspension.add(wakeAt, joins);
    }
    for (const wait of idle) wait.stop(new SuspensionSignal());
  }
}
