import type { DueTime } from '../store/port/index.js';
import type { Claimer } from './claims/claimer.js';
import { type DefinitionCatalog, LOOK_INTERVAL_MS } from './definitions/definition-catalog.js';
import type { StrandedTasks } from './definitions/stranded-tasks.js';
import type { Overruns } from './execution/overruns.js';
import type { ProcessServices } from './process-services.js';
import type { TenantQueue } from './slots/tenant-queue.js';

export interface WakeUpsParts {
  readonly address: string;
  readonly queue: TenantQueue;
  readonly catalog: Pick<DefinitionCatalog, 'lookForOthers'>;
  readonly stranded: Pick<StrandedTasks, 'look'>;
  readonly claimer: Pick<Claimer, 'claimAvailable'>;
  readonly overruns: Pick<Overruns, 'tasks'>;
  readonly services: Pick<ProcessServices, 'askForWatch' | 'notifyWork' | 'schedule'>;
}

/** Reacts to tasks that are ready or become due: claims them, wakes other processes, or sets a timer. */
export class WakeUps {
  constructor(private readonly parts: WakeUpsParts) {}

  /** Call when Ready tasks are left: claims them when there is capacity, and tells the other processes now. */
  wakeWorkers(): void {
    const { address, queue, claimer, services } = this.parts;
    queue.hasBacklog = true;
    claimer.claimAvailable();
    services.notifyWork(address);
  }

  /**
   * Call when a task has become due. If this process has no room, it tells the others, which may have no timer for it.
   */
  workIsDue(): void {
    const { queue, claimer, overruns } = this.parts;
    if (queue.capacity > 0 && overruns.tasks().length === 0) claimer.claimAvailable();
    else this.wakeWorkers();
  }

  /**
   * Call when a task becomes due in `ms` milliseconds, because it was given back or starts later. Until the next sweep
   * only this process has a timer for it.
   */
  dueIn(ms: number): void {
    if (ms <= 0) return this.wakeWorkers();
    this.scheduleTask(ms);
    this.parts.services.askForWatch();
  }

  /** Sets timers for the due times of the tenant. */
  schedule(due: readonly DueTime[]): void {
    const { address, services } = this.parts;
    for (const { kind, inMs } of due) {
      if (kind === 'task' && inMs <= 0) this.taskIsDue();
      else services.schedule({ kind, tenant: address, inMs });
    }
  }

  /** Handles a task that is due and unclaimed, perhaps because no process has a free slot or a handler for it. */
  private taskIsDue(): void {
    const { queue, claimer, stranded } = this.parts;
    claimer.claimAvailable();
    void this.lookForOthers();
    // A process that runs no tasks needs no handlers.
    if (queue.limit > 0) void stranded.look();
  }

  /**
   * Loads definitions that other processes have registered since this one booted, because tasks may wait for them.
   * Never rejects: the next call makes up for a failure.
   */
  async lookForOthers(): Promise<void> {
    const { catalog, claimer } = this.parts;
    try {
      const found = await catalog.lookForOthers();
      if (found === 'found') claimer.claimAvailable();
      else if (found === 'tooEarly') this.scheduleTask(LOOK_INTERVAL_MS);
    } catch {
      // The next call finds them.
    }
  }

  private scheduleTask(inMs: number): void {
    this.parts.services.schedule({ kind: 'task', tenant: this.parts.address, inMs });
  }
}
