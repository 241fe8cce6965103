import type { AgingDefinition } from '../../store/port/index.js';
import type { RunnableDefinition } from './runnable-definition.js';

/** The definitions for which this process has handlers, and those of their tasks for which it has none. */
export interface ClaimableDefinitions {
  readonly ids: readonly string[];
  readonly unknownTasks: readonly (readonly [definition: string, task: number])[];
  /** Those of `ids` that have tasks or items with a limit. */
  readonly limitedIds: readonly string[];
  /** Those of `limitedIds` with tasks or items of a limit, by its name. */
  readonly limitedBy: ReadonlyMap<string, readonly string[]>;
  /** Those whose waiting tasks get higher priorities with time. */
  readonly aging: readonly AgingDefinition[];
}

export function claimableOf(definitions: Iterable<RunnableDefinition>): ClaimableDefinitions {
  const ids: string[] = [];
  const limitedIds: string[] = [];
  const limitedBy = new Map<string, string[]>();
  const aging: AgingDefinition[] = [];
  const unknownTasks: (readonly [string, number])[] = [];
  for (const { id, workflow, handlers, limited, mapLimits, priorityAgingMs } of definitions) {
    if (handlers.every((handler) => handler === undefined)) continue;
    ids.push(id);
    const runsLimited = limited.some(({ no }) => handlers[no] !== undefined);
    if (runsLimited || mapLimits.size > 0) {
      limitedIds.push(id);
      const names = limited.flatMap(({ limit }) => limit?.name ?? []);
      for (const name of new Set([...names, ...mapLimits.keys()])) {
        limitedBy.set(name, [...(limitedBy.get(name) ?? []), id]);
      }
    }
    if (priorityAgingMs !== undefined) {
      const priorities = workflow.tasks.map(({ priority }) => priority);
      aging.push({ id, agingMs: priorityAgingMs, priorities });
    }
    handlers.forEach((handler, no) => {
      if (handler === undefined) unknownTasks.push([id, no]);
    });
  }
  return { ids, unknownTasks, limitedIds, limitedBy, aging };
}
