import type { DueTimes } from '../store/port/index.js';
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
  readonly services: Pick<ProcessServices, 'notifyWork' | 'wakeIn' | 'deadlineIn'>;
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
    else this.parts.services.wakeIn(this.parts.address, ms);
  }

  /** Takes in when the tenant's next task and deadline are due. */
  schedule({ taskIsDue, nextTaskInMs, nextDeadlineInMs }: DueTimes): void {
    const { address, queue, claimer, stranded, services } = this.parts;
    if (taskIsDue) {
      claimer.claimAvailable();
      void this.lookForOthers();
      // A process that takes no tasks is not the one that misses a handler.
      if (queue.limit > 0) void stranded.look();
    }
    if (nextTaskInMs !== null) services.wakeIn(address, nextTaskInMs);
    if (nextDeadlineInMs !== null) services.deadlineIn(address, nextDeadlineInMs);
  }

  /**
   * Tasks may wait that are pinned to a definition which another process has registered since this one booted. Never
   * rejects: what fails is found by the next look.
   */
  async lookForOthers(): Promise<void> {
    const { address, catalog, claimer, services } = this.parts;
    try {
      const found = await catalog.lookForOthers();
      if (found === 'found') claimer.claimAvailable();
      else if (found === 'tooEarly') services.wakeIn(address, LOOK_INTERVAL_MS);
    } catch {
      // The next look finds it.
    }
  }
}
