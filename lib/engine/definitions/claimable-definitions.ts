import type { RunnableDefinition } from './runnable-definition.js';

/** The definitions for which this process has handlers, and those of their tasks for which it has none. */
export interface ClaimableDefinitions {
  readonly ids: readonly string[];
  readonly unknownTasks: readonly (readonly [definition: string, task: number])[];
  /** Those of `ids` that have tasks or items with a limit. */
  readonly limitedIds: readonly string[];
}

export function claimableOf(definitions: Iterable<RunnableDefinition>): ClaimableDefinitions {
  const ids: string[] = [];
  const limitedIds: string[] = [];
  const unknownTasks: (readonly [string, number])[] = [];
  for (const { id, handlers, limited, mapLimits } of definitions) {
    if (handlers.every((handler) => handler === undefined)) continue;
    ids.push(id);
    const runsLimited = limited.some(({ no }) => handlers[no] !== undefined);
    if (runsLimited || mapLimits.size > 0) limitedIds.push(id);
    handlers.forEach((handler, no) => {
      if (handler === undefined) unknownTasks.push([id, no]);
    });
  }
  return { ids, unknownTasks, limitedIds };
}
