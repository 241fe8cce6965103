import { WakeUpTimers, type WakeUp } from '../../runtime/wake-up-timers.js';
import type { EngineSession, WakeUpKind } from '../../store/port/index.js';
import type { TenantEngine } from '../tenant-engine.js';
import type { Clock } from '../../runtime/clock.js';

/** Until a look at timeouts that could not be enforced, in milliseconds: another process is at it, or holds rows. */
const DEADLINE_PAUSE_MS = 250;
/** The same where the look failed. */
const DEADLINE_RETRY_MS = 1_000;

export interface ProcessTimersOptions {
  readonly clock: Clock;
  /** By the address that notifications carry. */
  readonly tenant: (address: string) => TenantEngine | undefined;
  readonly session: () => Pick<EngineSession, 'dueTimes'> | undefined;
}

/** Wakes the tenants of a process when something of theirs becomes due: a kind of wake-up is an entry here. */
export class ProcessTimers {
  private readonly timers: WakeUpTimers<WakeUpKind>;

  constructor(private readonly options: ProcessTimersOptions) {
    this.timers = new WakeUpTimers(
      {
        task: (address) => {
          options.tenant(address)?.workIsDue();
          void this.lookAhead(address);
        },
        deadline: (address) => void this.enforceDeadlines(address),
      },
      options.clock,
    );
  }

  /** The tenant is named by its address. */
  schedule(wakeUp: WakeUp<WakeUpKind>): void {
    this.timers.schedule(wakeUp);
  }

  /** The tenant was removed. */
  clear(address: string): void {
    this.timers.clear(address);
  }

  close(): void {
    this.timers.close();
  }

  private async lookAhead(address: string): Promise<void> {
    const tenant = this.options.tenant(address);
    const session = this.options.session();
    if (tenant === undefined || session === undefined) return;
    try {
      const [times] = await session.dueTimes([tenant.store.handle]);
      // Tasks that are due the timer has just seen to.
      const next = times?.filter(({ kind, inMs }) => kind !== 'task' || inMs > 0);
      if (next !== undefined) tenant.scheduleWakeUps(next);
    } catch {
      // The next round looks again.
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
