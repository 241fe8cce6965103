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
  readonly services: Pick<ProcessServices, 'notifyWork' | 'schedule'>;
}

/** Tasks are ready or become due: who claims them, and when this process looks again. */
export class WakeUps {
  constructor(private readonly parts: WakeUpsParts) {}

  /** Ready tasks that this process did not claim: it does when it has capacity, and the others are told now. */
  wakeWorkers(): void {
    const { address, queue, claimer, services } = this.parts;
    queue.hasBacklog = true;
    claimer.claimAvailable();
    services.notifyWork(address);
  }

  /** Something has become due, and maybe only this process knows. */
  workIsDue(): void {
    const { queue, claimer, overruns } = this.parts;
    if (queue.capacity > 0 && overruns.tasks().length === 0) claimer.claimAvailable();
    else this.wakeWorkers();
  }

  /** A task was put back, and becomes due in `ms` milliseconds. */
  dueIn(ms: number): void {
    if (ms <= 0) this.wakeWorkers();
    else this.scheduleTask(ms);
  }

  /** Takes in what becomes due in the tenant, and when. */
  schedule(due: readonly DueTime[]): void {
    const { address, services } = this.parts;
    for (const { kind, inMs } of due) {
      if (kind === 'task' && inMs <= 0) this.taskIsDue();
      else services.schedule({ kind, tenant: address, inMs });
    }
  }

  /** The database has a task that is due and not claimed, perhaps for want of a slot or a handler. */
  private taskIsDue(): void {
    const { queue, claimer, stranded } = this.parts;
    claimer.claimAvailable();
    void this.lookForOthers();
    // A process that takes no tasks is not the one that misses a handler.
    if (queue.limit > 0) void stranded.look();
  }

  /**
   * Tasks may wait that are pinned to a definition which another process has registered since this one booted. Never
   * rejects: what fails is found by the next look.
   */
  async lookForOthers(): Promise<void> {
    const { catalog, claimer } = this.parts;
    try {
      const found = await catalog.lookForOthers();
      if (found === 'found') claimer.claimAvailable();
      else if (found === 'tooEarly') this.scheduleTask(LOOK_INTERVAL_MS);
    } catch {
      // The next look finds it.
    }
  }

  private scheduleTask(inMs: number): void {
    this.parts.services.schedule({ kind: 'task', tenant: this.parts.address, inMs });
  }
}
