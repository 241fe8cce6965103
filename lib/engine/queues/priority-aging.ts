import { MAX_AGED, type QueueStore } from '../../store/port/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';

export interface PriorityAgingParts {
  readonly store: { readonly queues: Pick<QueueStore, 'age'> };
  readonly catalog: Pick<DefinitionCatalog, 'claimable'>;
  /** Called when tasks were changed that may be due: a claim that ran at the same time has skipped them. */
  readonly wakeWorkers: () => void;
}

/** Gives tasks of workflows with `priorityAging` that have been due for long a higher level of priority. */
export class PriorityAging {
  private work: Promise<void> | undefined;

  constructor(private readonly parts: PriorityAgingParts) {}

  /** Resolves when no such task is left, or another process does it. Sends nothing for workflows without `priorityAging`. */
  run(): Promise<void> {
    this.work ??= this.ageAll().finally(() => (this.work = undefined));
    return this.work;
  }

  private async ageAll(): Promise<void> {
    const { store, catalog, wakeWorkers } = this.parts;
    const { aging } = catalog.claimable;
    let aged: number | undefined;
    while (aging.length > 0) {
      aged = await store.queues.age(aging);
      if (aged !== undefined && aged > 0) wakeWorkers();
      if (aged !== MAX_AGED) return;
    }
  }
}
