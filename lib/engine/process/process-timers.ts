import { DueTimers } from '../../runtime/due-timers.js';
import type { EngineSession } from '../../store/port/index.js';
import type { TenantEngine } from '../tenant-engine.js';

/** Until a look at timeouts that could not be enforced, in milliseconds: another process is at it, or holds rows. */
const DEADLINE_PAUSE_MS = 250;
/** The same where the look failed. */
const DEADLINE_RETRY_MS = 1_000;

export interface ProcessTimersOptions {
  /** By the address that notifications carry. */
  readonly tenant: (address: string) => TenantEngine | undefined;
  readonly session: () => Pick<EngineSession, 'dueTimes'> | undefined;
}

/** Wakes the tenants of a process when a task or a workflow timeout of theirs becomes due. */
export class ProcessTimers {
  private readonly tasks: DueTimers;
  private readonly deadlines: DueTimers;

  constructor(private readonly options: ProcessTimersOptions) {
    this.tasks = new DueTimers((address) => {
      options.tenant(address)?.workIsDue();
      void this.lookAhead(address);
    });
    this.deadlines = new DueTimers((address) => void this.enforceDeadlines(address));
  }

  wakeIn(address: string, ms: number): void {
    this.tasks.wakeIn(address, ms);
  }

  deadlineIn(address: string, ms: number): void {
    this.deadlines.wakeIn(address, ms);
  }

  /** The tenant was removed. */
  clear(address: string): void {
    this.tasks.clear(address);
    this.deadlines.clear(address);
  }

  close(): void {
    this.tasks.close();
    this.deadlines.close();
  }

  private async lookAhead(address: string): Promise<void> {
    const tenant = this.options.tenant(address);
    const session = this.options.session();
    if (tenant === undefined || session === undefined) return;
    try {
      const [times] = await session.dueTimes([tenant.store.handle]);
      // What is due already its timer has just seen to.
      if (times !== undefined) tenant.scheduleWakeUps({ ...times, taskIsDue: false });
    } catch {
      // The next round looks again.
    }
  }

  private async enforceDeadlines(address: string): Promise<void> {
    try {
      const all = await this.options.tenant(address)?.enforceDeadlines();
      if (all === false) this.deadlines.wakeIn(address, DEADLINE_PAUSE_MS);
      else await this.lookAhead(address);
    } catch {
      this.deadlines.wakeIn(address, DEADLINE_RETRY_MS);
    }
  }
}
