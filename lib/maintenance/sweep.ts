import type { Clock, Timer } from '../runtime/clock.js';
import { LastingFailure } from '../runtime/lasting-failure.js';
import { StaggeredSweep } from '../runtime/staggered-sweep.js';

/** Minimum number of rounds within the duration of a lease. */
const ROUNDS_PER_LEASE = 3;
/** Maximum duration of a round, in milliseconds. It bounds the delay that a lost notification causes. */
const MAX_ROUND_MS = 15_000;
/**
 * Number of tenants in a part of a round. The statement of a part then takes about ten milliseconds, planning included.
 */
export const TENANTS_PER_PART = 50;
/** A part that is due within this time is taken now, which saves a look between parts. In milliseconds. */
const SOON_MS = 200;
/** Pause between two tries while there is no session, in milliseconds. */
const AWAY_PAUSE_MS = 400;

/** A regular task of the sweep. It may fail, because the next round repeats it. */
export interface MaintenancePass {
  /**
   * Handles one part of a round. Each round has every tenant in exactly one part.
   *
   * @param isExtra - whether another process has just handled the part
   */
  over(tenants: readonly string[], isExtra: boolean): Promise<void>;
  /** When `look()` is to be called next, by the clock's `now()`; undefined if the pass needs no look now. */
  readonly nextLookAt: number | undefined;
  /** Checks between parts for anything that can't wait for the next part. */
  look(): Promise<void>;
}

export interface MaintenanceSweepOptions {
  readonly leaseDurationMs: number;
  /** Whether the control connection is open. The sweep pauses while it is not. */
  readonly isConnected: () => boolean;
  readonly clock: Clock;
  /** Called when a pass has failed for some seconds, and then once a minute while it does. */
  readonly failing?: (seconds: number, error: unknown) => void;
}

/**
 * Runs the maintenance passes over all tenants of one login. A round is spread evenly over a third of a lease's
 * duration, in parts of `TENANTS_PER_PART`. A pass may also look between parts, as recovery does while there are leases.
 *
 * States: stopped, waiting for its timer, at work. It sets no timer while it is at work, so parts never overlap.
 */
export class MaintenanceSweep {
  private readonly tenants = new Set<string>();
  private readonly passes: MaintenancePass[] = [];
  private readonly failures = new Map<MaintenancePass, LastingFailure>();
  private readonly rounds: StaggeredSweep<string>;
  private readonly clock: Clock;
  private timer: Timer | undefined;
  private atWork = false;
  private stopped = true;

  constructor(private readonly options: MaintenanceSweepOptions) {
    this.clock = options.clock;
    this.rounds = new StaggeredSweep(
      // Sorted, so that processes with the same tenants have the same parts.
      () => [...this.tenants].sort(),
      Math.min(MAX_ROUND_MS, options.leaseDurationMs / ROUNDS_PER_LEASE),
      TENANTS_PER_PART,
      this.clock,
    );
  }

  register(pass: MaintenancePass): void {
    this.passes.push(pass);
  }

  add(tenant: string): void {
    this.tenants.add(tenant);
    this.rounds.changed();
  }

  remove(tenant: string): void {
    this.tenants.delete(tenant);
    this.rounds.changed();
  }

  /** Postpones a part by a round: another process has just read what this one would read. */
  confirm(part: readonly string[]): void {
    if (this.rounds.confirm(part)) this.plan();
  }

  start(): void {
    this.stopped = false;
    this.plan();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** Sets the timer anew. Call it when a pass may have changed its `nextLookAt`. */
  plan(): void {
    if (this.stopped || this.atWork) return;
    this.timer?.cancel();
    this.timer = this.clock.timer(() => void this.tick(), this.delayMs());
  }

  private delayMs(): number {
    if (!this.options.isConnected()) return AWAY_PAUSE_MS;
    const looks = this.passes.flatMap(({ nextLookAt }) => nextLookAt ?? []);
    return Math.max(0, Math.min(this.rounds.nextAt, ...looks) - this.clock.now());
  }

  private async tick(): Promise<void> {
    this.atWork = true;
    try {
      if (this.options.isConnected()) await this.work();
    } finally {
      this.atWork = false;
      this.plan();
    }
  }

  private async work(): Promise<void> {
    const part = this.rounds.take(this.clock.now() + SOON_MS);
    for (const pass of this.passes) {
      try {
        if (part !== undefined) await pass.over(part.items, part.isExtra);
        else if ((pass.nextLookAt ?? Infinity) <= this.clock.now()) await pass.look();
        else continue;
        this.failures.delete(pass);
      } catch (error) {
        // The next round repeats the pass; the failure of one pass must not stop the others.
        this.failed(pass, error);
      }
    }
  }

  private failed(pass: MaintenancePass, error: unknown): void {
    const failure = this.failures.get(pass) ?? new LastingFailure(this.clock);
    this.failures.set(pass, failure);
    const seconds = failure.failed();
    // Without a connection it has failed for that reason, which is reported elsewhere.
    if (seconds !== undefined && this.options.isConnected()) this.options.failing?.(seconds, error);
  }
}
