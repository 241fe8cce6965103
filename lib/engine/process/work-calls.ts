import type { Clock, Timer } from '../../runtime/clock.js';
import { MAX_NAMED, tagOf, type Notification } from './notification.js';
import { UnablePeers } from './unable-peers.js';

/** Minimum time between two work notifications of one tenant, in milliseconds. The first is sent at once. */
const CALL_INTERVAL_MS = 50;
/**
 * Time after which the sender of a named wake-up looks whether the work is still there, in milliseconds. Doubles while
 * it is, up to the maximum; then the sweep takes over.
 */
const LOOK_MS = 50;
const MAX_LOOK_MS = 1_600;
/** Tolerance for the comparison of a duration here with one of the database's clock, in milliseconds. */
const TOLERANCE_MS = 5;
/** Number of processes that are woken for a number of tasks if nothing is known about how long the tasks take. */
const FIRST_PROCESSES = 2;

/** Ready tasks that this process leaves to others. */
export interface LeftWork {
  /** Number of tasks, as far as this process knows. */
  readonly tasks: number;
  /** Number of tasks that one process takes at a time; undefined if this process does not know how long they take. */
  readonly perProcess: number | undefined;
}

export interface WorkCallsParts {
  readonly clock: Clock;
  readonly send: (notification: Notification) => void;
  /** The liveness locks of the other processes that are known to live. */
  readonly peers: () => Iterable<string>;
  /** Has the other processes watch this one, because only it looks whether its named wake-ups were answered. */
  readonly askForWatch: () => void;
  /** Time since the first due task of the tenant became due, in milliseconds; undefined if none is due. */
  readonly overdueMs: (address: string) => Promise<number | undefined>;
}

/** The wake-ups of one tenant. */
interface TenantCalls {
  calledAt: number;
  tasks: number;
  perProcess: number | undefined;
  isPlanned: boolean;
  /** For a call that waits for the end of the interval. */
  timer: Timer | undefined;
  /** Set after a named wake-up, until the work is known to be taken. */
  look: Timer | undefined;
  lookMs: number;
  /** The time of the wake-up that the look is for, and of the latest named one. */
  lookSince: number;
  namedAt: number;
  /** The processes that were named since the latest look. */
  named: Set<string>;
}

/**
 * Wakes as many of the other processes as there is work for.
 *
 * A notification reaches every process, so it names those that are to claim; the others ignore it. The sender chooses
 * them at random among the living. A named process that can't take work passes the wake-up on to all, with its own
 * name, and is not chosen again for a while. A named process that hangs says nothing. So the sender looks a moment
 * later whether the first due task has waited since, and then wakes all. If the sender dies too, the others find the
 * work when they notice its death, or in their next sweep.
 *
 * States of a tenant: quiet, waiting for the end of the interval, and, independent of that, looking after its work.
 */
export class WorkCalls {
  private readonly tenants = new Map<string, TenantCalls>();
  private readonly unable: UnablePeers;

  constructor(private readonly parts: WorkCallsParts) {
    this.unable = new UnablePeers(parts.clock);
  }

  /** Wakes processes for the tasks: at once, or when the interval since the previous call of the tenant is over. */
  call(address: string, { tasks, perProcess }: LeftWork): void {
    const calls = this.callsOf(address);
    calls.tasks += tasks;
    calls.perProcess = perProcess;
    if (calls.isPlanned) return;
    calls.isPlanned = true;
    const send = (): void => {
      calls.isPlanned = false;
      if (this.tenants.get(address) === calls) this.send(address, calls);
    };
    const wait = calls.calledAt + CALL_INTERVAL_MS - this.parts.clock.now();
    // In a microtask, so that the tasks that are left in one turn of the event loop are counted together.
    if (wait <= 0) queueMicrotask(send);
    else calls.timer = this.parts.clock.timer(send, wait);
  }

  /** Call when a named process has passed a wake-up on, because it can't take work of the tenant now. */
  passedOn(address: string, tag: string): void {
    for (const peer of this.parts.peers()) {
      if (tagOf(peer) === tag) this.unable.add(address, tag);
    }
  }

  /** Forgets a removed tenant. */
  clear(address: string): void {
    const calls = this.tenants.get(address);
    calls?.timer?.cancel();
    calls?.look?.cancel();
    this.tenants.delete(address);
    this.unable.clear(address);
  }

  close(): void {
    for (const address of this.tenants.keys()) this.clear(address);
  }

  private callsOf(address: string): TenantCalls {
    const known = this.tenants.get(address);
    if (known !== undefined) return known;
    const calls: TenantCalls = {
      calledAt: -Infinity,
      tasks: 0,
      perProcess: undefined,
      isPlanned: false,
      timer: undefined,
      look: undefined,
      lookMs: LOOK_MS,
      lookSince: 0,
      namedAt: 0,
      named: new Set(),
    };
    this.tenants.set(address, calls);
    return calls;
  }

  private send(address: string, calls: TenantCalls): void {
    const { tasks, perProcess } = calls;
    calls.tasks = 0;
    calls.calledAt = this.parts.clock.now();
    const processes =
      perProcess === undefined ? Math.min(tasks, FIRST_PROCESSES) : Math.ceil(tasks / perProcess);
    const named = this.choose(address, Math.max(1, processes));
    if (named === undefined) {
      this.parts.send({ kind: 'work', tenant: address });
      return;
    }
    this.parts.askForWatch();
    this.parts.send({ kind: 'work', tenant: address, named });
    for (const tag of named) calls.named.add(tag);
    calls.namedAt = calls.calledAt;
    if (calls.look === undefined) this.lookAfterLatest(address, calls);
  }

  /** Names of that many processes, chosen at random; undefined if all are to be woken. */
  private choose(address: string, processes: number): string[] | undefined {
    if (processes > MAX_NAMED) return undefined;
    const tags = [...this.parts.peers()].map(tagOf);
    const able = tags.filter((tag) => !this.unable.has(address, tag));
    if (processes >= able.length) return undefined;
    const named: string[] = [];
    while (named.length < processes) {
      const at = Math.floor(this.parts.clock.random() * able.length);
      named.push(...able.splice(at, 1));
    }
    return named;
  }

  private lookAfterLatest(address: string, calls: TenantCalls): void {
    calls.lookSince = calls.namedAt;
    this.lookLater(address, calls, LOOK_MS);
  }

  private lookLater(address: string, calls: TenantCalls, inMs: number): void {
    calls.lookMs = inMs;
    calls.look = this.parts.clock.timer(() => void this.look(address, calls), inMs);
  }

  /** Wakes all processes if the first due task has waited since before the named ones were woken. */
  private async look(address: string, calls: TenantCalls): Promise<void> {
    // Not the timer's delay: in a busy process a timer can be early.
    const waitedMs = this.parts.clock.now() - calls.lookSince;
    const named = [...calls.named];
    calls.named.clear();
    // The sweep finds the work if the session has failed.
    const overdueMs = await this.parts.overdueMs(address).catch(() => undefined);
    if (this.tenants.get(address) !== calls) return;
    calls.look = undefined;
    if (overdueMs === undefined || overdueMs < waitedMs - TOLERANCE_MS) {
      // The tasks of this wake-up are taken. A later wake-up needs a look of its own.
      if (calls.namedAt > calls.lookSince) this.lookAfterLatest(address, calls);
      return;
    }
    for (const tag of named) this.unable.add(address, tag);
    this.parts.send({ kind: 'work', tenant: address });
    if (calls.lookMs < MAX_LOOK_MS) this.lookLater(address, calls, calls.lookMs * 2);
  }
}
