import type { Clock, Timer } from '../runtime/clock.js';
import { StaggeredSweep } from '../runtime/staggered-sweep.js';

/** Number of times each tenant is looked at in the duration of a lease, at least; */
const ROUNDS_PER_LEASE = 3;
/** and the longest time between two looks, in milliseconds: a notification may be lost. */
const MAX_ROUND_MS = 15_000;
/** Tenants to one part of a round: few enough for its statement to take some ten milliseconds, planning included. */
export const TENANTS_PER_PART = 50;
/** A part that is due this soon is taken now, in place of a look between parts; in milliseconds. */
const SOON_MS = 200;
/** Until the next try while there is no session, in milliseconds. */
const AWAY_PAUSE_MS = 400;

/** What the sweep does for the tenants. It may fail: the next round comes. */
export interface MaintenancePass {
  /** A part of the round: each tenant is in one once in a round. */
  over(tenants: readonly string[]): Promise<void>;
  /** How often the pass looks around between parts, in milliseconds; undefined: it has no reason to. */
  readonly lookEveryMs: number | undefined;
  look(): Promise<void>;
}

export interface MaintenanceSweepOptions {
  readonly leaseDurationMs: number;
  /** Whether there is a session to ask; without one the round waits. */
  readonly isConnected: () => boolean;
  readonly clock: Clock;
}

/**
 * Goes round the tenants of one login, some at a time, evenly over a third of a lease's duration, and has each pass look
 * after them. A pass that expects something (recovery, while it knows of other processes) also looks between parts.
 *
 * States: stopped, waiting for its timer, at work. At work it sets no timer, so no two parts are under way.
 */
export class MaintenanceSweep {
  private readonly tenants = new Set<string>();
  private readonly passes: MaintenancePass[] = [];
  private readonly rounds: StaggeredSweep<string>;
  private readonly clock: Clock;
  private timer: Timer | undefined;
  private atWork = false;
  private stopped = true;

  constructor(private readonly options: MaintenanceSweepOptions) {
    this.clock = options.clock;
    this.rounds = new StaggeredSweep(
      () => [...this.tenants],
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
  }

  remove(tenant: string): void {
    this.tenants.delete(tenant);
  }

  start(): void {
    this.stopped = false;
    this.plan();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** Sets the timer anew: a pass may have to look around earlier, or no more. */
  plan(): void {
    if (this.stopped || this.atWork) return;
    this.timer?.cancel();
    this.timer = this.clock.timer(() => void this.tick(), this.delayMs());
  }

  private delayMs(): number {
    if (!this.options.isConnected()) return AWAY_PAUSE_MS;
    const untilPart = Math.max(0, this.rounds.nextAt - this.clock.now());
    const looks = this.passes.flatMap(({ lookEveryMs }) => lookEveryMs ?? []);
    return looks.length > 0 ? Math.min(...looks) : untilPart;
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
    const taken = this.rounds.take(this.clock.now() + SOON_MS) ?? [];
    const part = taken.filter((tenant) => this.tenants.has(tenant));
    for (const pass of this.passes) {
      try {
        if (part.length > 0) await pass.over(part);
        else if (pass.lookEveryMs !== undefined) await pass.look();
      } catch {
        // The next round comes, and no pass is held up by another one.
      }
    }
  }
}
