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

/** What was done when a timer fired. */
interface Handled {
  readonly kind: StayingKind;
  /** When it began, by the clock of the process: work that becomes due later may have been missed. */
  readonly since: number;
}

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
    const handled = { kind, since: this.options.clock.now() };
    this.options.tenant(address)?.wakeUps.isDue(kind);
    void this.lookAhead(address, handled);
  }

  /** @param handled - what was just handled, if some of it may stay due */
  private async lookAhead(address: string, handled?: Handled): Promise<void> {
    const tenant = this.options.tenant(address);
    const session = this.options.session();
    if (tenant === undefined || session === undefined) return;
    try {
      const [times] = await session.dueTimes([tenant.store.handle]);
      if (times === undefined) return;
      if (handled !== undefined && this.isLeft(handled, times)) {
        this.takeAgain(handled.kind, tenant, address);
      }
      // What is due now has been handled, or is left to the sweep: it may stay due for long.
      tenant.wakeUps.schedule(times.filter(({ kind, inMs }) => inMs > 0 || !isStaying(kind)));
    } catch {
      // The next sweep sets the timers.
    }
  }

  /** Whether an item has become due since the others were handled. */
  private isLeft({ kind, since }: Handled, times: readonly DueTime[]): boolean {
    const recentMs = this.options.clock.now() - since + ROUNDING_MS;
    return times.some((time) => time.kind === kind && time.inMs <= 0 && -time.inMs <= recentMs);
  }

  private takeAgain(kind: StayingKind, { wakeUps }: TenantEngine, address: string): void {
    // A firing makes the schedule due again, so another look ahead follows. What is due after a task has an entry of its own.
    if (kind === 'schedule') this.schedule({ kind, tenant: address, inMs: 0 });
    else wakeUps.isDue(kind);
  }

  private async fireSchedules(address: string): Promise<void> {
    const handled = { kind: 'schedule', since: this.options.clock.now() } as const;
    await this.options.tenant(address)?.schedules.fireDue();
    await this.lookAhead(address, handled);
  }

  private async expireEvents(address: string): Promise<void> {
    try {
      await this.options.tenant(address)?.expireEvents();
      await this.lookAhead(address);
    } catch {
      // The next sweep sets the timer again.
    }
  }

  private async enforceDeadlines(address: string): Promise<void> {
    const lookAgainIn = (inMs: number): void =>
      this.schedule({ kind: 'deadline', tenant: address, inMs });
    try {
      const all = await this.options.tenant(address)?.enforceDeadlines();
      if (all === false) lookAgainIn(DEADLINE_PAUSE_MS);
      else await this.lookAhead(address);
    } catch {
      lookAgainIn(DEADLINE_RETRY_MS);
    }
  }
}

function isStaying(kind: WakeUpKind): kind is StayingKind {
  return (STAYING as readonly WakeUpKind[]).includes(kind);
}
