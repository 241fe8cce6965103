import type { Clock, Timer } from '../../runtime/clock.js';
import type { UserTransaction } from '../../store/port/index.js';
import { isOpen } from '../starts/open-keys.js';

/** Interval of the checks whether transactions have ended, in milliseconds. A check only reads a flag in memory. */
const LOOK_INTERVAL_MS = 50;

/** The transactions of callers in which this process has stored messages. Tells when one has ended. */
export class OpenTransactions {
  private readonly open = new Set<UserTransaction>();
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ended: () => void,
  ) {}

  add(transaction: UserTransaction): void {
    this.open.add(transaction);
    this.timer ??= this.clock.timer(() => this.look(), LOOK_INTERVAL_MS);
  }

  close(): void {
    this.timer?.cancel();
    this.open.clear();
  }

  private look(): void {
    const before = this.open.size;
    for (const transaction of this.open) if (!isOpen(transaction)) this.open.delete(transaction);
    const isLeft = this.open.size > 0;
    this.timer = isLeft ? this.clock.timer(() => this.look(), LOOK_INTERVAL_MS) : undefined;
    if (this.open.size < before) this.ended();
  }
}
