import { WakeUpTimers, type WakeUp } from '../../runtime/wake-up-timers.js';
import type { EngineSession, WakeUpKind } from '../../store/port/index.js';
import type { TenantEngine } from '../tenant-engine.js';
import type { DueWork } from '../wake-ups.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Pause before workflow timeouts are enforced again, in milliseconds, if another process enforces them or holds rows.
 */
const DEADLINE_PAUSE_MS = 250;
/** The same pause after a failure. */
const DEADLINE_RETRY_MS = 1_000;

/** Kinds of which some may stay due, until there is a slot, a handler, or the code of a workflow. */
const MAY_STAY_DUE: ReadonlySet<WakeUpKind> = new Set<WakeUpKind>([
  'task',
  'limited',
  'admission',
  'schedule',
]);

export interface ProcessTimersOptions {
  readonly clock: Clock;
  /** Finds a tenant by its address. */
  readonly tenant: (address: string) => TenantEngine | undefined;
  readonly session: () => Pick<EngineSession, 'dueTimes'> | undefined;
}

/** Wakes the tenants of a process when their work becomes due. Each kind of wake-up has an entry here. */
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
    this.options.tenant(address)?.wakeUps.isDue(kind);
    void this.lookAhead(address);
  }

  private async lookAhead(address: string): Promise<void> {
    const tenant = this.options.tenant(address);
    const session = this.options.session();
    if (tenant === undefined || session === undefined) return;
    try {
      const [times] = await session.dueTimes([tenant.store.handle]);
      // What is due now has just been handled, or is left to the sweep: it may stay due for long.
      const next = times?.filter(({ kind, inMs }) => inMs > 0 || !MAY_STAY_DUE.has(kind));
      if (next !== undefined) tenant.wakeUps.schedule(next);
    } catch {
      // The next sweep sets the timers.
    }
  }

  private async fireSchedules(address: string): Promise<void> {
    await this.options.tenant(address)?.schedules.fireDue();
    await this.lookAhead(address);
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
