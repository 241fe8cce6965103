import type { Clock } from '../runtime/clock.js';
import type { LivingLocks } from '../store/port/index.js';

/** Duration of a turn, in milliseconds. */
const TURN_MS = 200;
/**
 * Minimum number of turns in a cycle. A process alone would otherwise look in each turn, and so more often than needed:
 * see {@link WatchTurns}.
 */
const MIN_TURNS = 2;

/**
 * Divides the looks at the locks among the processes of a login: they take turns of `TURN_MS`, by the server's clock and
 * in the order of their locks. So all of them together look five times a second, whatever their number.
 *
 * No process is special, so none has to be elected or replaced. The turn of a process that is dead or frozen stays
 * unused, and the next process looks one turn later. So a death is seen within two turns, 400 ms, also if the dead
 * process was the one whose turn came next. Each further process that died at the same time may add a turn.
 */
export class WatchTurns {
  /** The locks of this login when they were last read, in the order of the turns. */
  private order: readonly string[] = [];
  /** The server's time minus this process's, in milliseconds. */
  private aheadMs = 0;
  private next = Infinity;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** When this process's next turn comes, by the clock's `now()`. */
  get nextAt(): number {
    return this.next;
  }

  /** Call when the locks were read. The next look is in a later turn. */
  looked({ ofLogin, at }: LivingLocks, own: string | null): void {
    this.order = [...ofLogin].sort();
    this.aheadMs = at - this.clock.now();
    this.resume(own);
  }

  /** Call when the watch begins after a pause: turns that have passed are not made up for. */
  resume(own: string | null): void {
    const now = this.clock.now();
    this.next = now + untilTurn(now + this.aheadMs, Math.max(0, this.order.indexOf(own ?? '')), this.order.length); // prettier-ignore
  }
}

/**
 * Milliseconds from `time` to the middle of the process's next turn. A turn of which less than half a turn is left, or
 * whose middle is less than half a turn away, counts as taken: the look that has just been made was for it.
 */
export function untilTurn(time: number, index: number, processes: number): number {
  const turns = Math.max(MIN_TURNS, processes);
  const cycle = turns * TURN_MS;
  const middle = index * TURN_MS + TURN_MS / 2;
  const passed = (((time - middle) % cycle) + cycle) % cycle;
  const wait = cycle - passed;
  return wait > TURN_MS / 2 ? wait : wait + cycle;
}
