import { WakeUpTimers, type WakeUp } from '../../runtime/wake-up-timers.js';
import type { DueTime, EngineSession, WakeUpKind } from '../../store/port/index.js';
import type { TenantEngine } from '../tenant-engine.js';
import type { DueWork } from '../wake-ups.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Pause before workflow timeouts are enforced again, in milliseconds, if another process enforces them or holds rows.
 */
const DEADLINE_PAUSE_MS = 250;
/** The same pause after a failure. */
const DEADLINE_RETRY_MS = 1_000;

/** Times from the database are rounded to whole milliseconds. */
const ROUNDING_MS = 1;

/** Kinds of which some may stay due, until there is a slot, a handler, or the code of a workflow. */
const STAYING = ['task', 'limited', 'admission', 'schedule'] as const satisfies WakeUpKind[];
type StayingKind = (typeof STAYING)[number];

export interface ProcessTimersOptions {
  readonly clock: Clock;
  /** Finds a tenant by its address. */
  readonly tenant: (address: string) => TenantEngine | undefined;
  readonly session: () => Pick<EngineSession, 'dueTimes'> | undefined;
}

/**
 * Wakes the tenants of a process when their work becomes due. Each kind of wake-up has an entry here.
 *
 * A tenant has one timer of a kind, for its nearest due time. When the timer has fired, the database is asked for the next
 * one. What became due while the work was taken and the question asked may have come too late for the one and too early for
 * the other, so it is taken again.
 */
export class ProcessTimers {
  private readonly timers: WakeUpTimers<WakeUpKind>;

  constructor(private readonly options: ProcessTimersOptions) {
    this.timers = new WakeUpTimers(
      {
        task: (address) => this.workIsDue('task', address),
        limited: (address) => this.workIsDue('limited', address),
        admission: (address) => this.workIsDue('admission', address),
        deadline: (address) => void this.enforceDeadlines(address),
        message: (address) => options.tenant(address)?.deliverMessages(),
        eventStart: (address) => options.tenant(address)?.startByEvents(),
        expiry: (address) => void this.expireEvents(address),
        schedule: (address) => void this.fireSchedules(address),
      },
      options.clock,
    );
  }

  /** Sets a timer. The wake-up names the tenant by its address. */
  schedule(wakeUp: WakeUp<WakeUpKind>): void {
    this.timers.schedule(wakeUp);
  }

  /** Cancels the timers of a removed tenant. */
  clear(address: string): void {
    this.timers.clear(address);
  }

  close(): void {
    this.timers.close();
  }

  private workIsDue(kind: DueWork, address: string): void {
    const since = this.options.clock.now();
    this.options.tenant(address)?.wakeUps.isDue(kind);
    void this.lookAhead(address, since);
  }

  /** @param since - when the work that was due began to be handled, by the clock of the process */
  private async lookAhead(address: string, since: number): Promise<void> {
    const { clock } = this.options;
    const tenant = this.options.tenant(address);
    const session = this.options.session();
    if (tenant === undefined || session === undefined) return;
    try {
      const [times] = await session.dueTimes([tenant.store.handle]);
      if (times === undefined) return;
      const recentMs = clock.now() - since + ROUNDING_MS;
      const next: DueTime[] = [];
      for (const time of times) {
        if (time.inMs > 0 || !isStaying(time.kind)) next.push(time);
        else if (-time.inMs <= recentMs) this.takeAgain(time.kind, tenant, address);
        // What was due before has just been handled, or is left to the sweep: it may stay due for long.
      }
      tenant.wakeUps.schedule(next);
    } catch {
      // The next sweep sets the timers.
    }
  }

  private takeAgain(kind: StayingKind, { wakeUps }: TenantEngine, address: string): void {
    // A firing makes the schedule due again, so another look ahead follows. What is due after a task has an entry of its own.
    if (kind === 'schedule') this.schedule({ kind, tenant: address, inMs: 0 });
    else wakeUps.isDue(kind);
  }

  private async fireSchedules(address: string): Promise<void> {
    const since = this.options.clock.now();
    await this.options.tenant(address)?.schedules.fireDue();
    await this.lookAhead(address, since);
  }

  private async expireEvents(address: string): Promise<void> {
    const since = this.options.clock.now();
    try {
      await this.options.tenant(address)?.expireEvents();
      await this.lookAhead(address, since);
    } catch {
      // The next sweep sets the timer again.
    }
  }

  private async enforceDeadlines(address: string): Promise<void> {
    const lookAgainIn = (inMs: number): void =>
      this.schedule({ kind: 'deadline', tenant: address, inMs });
    const since = this.options.clock.now();
    try {
      const all = await this.options.tenant(address)?.enforceDeadlines();
      if (all === false) lookAgainIn(DEADLINE_PAUSE_MS);
      else await this.lookAhead(address, since);
    } catch {
      lookAgainIn(DEADLINE_RETRY_MS);
    }
  }
}

function isStaying(kind: WakeUpKind): kind is StayingKind {
  return (STAYING as readonly WakeUpKind[]).includes(kind);
}
