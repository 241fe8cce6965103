import type { CompiledWorkflow } from './definition.js';
import { limitKeyOf, type LimitTable } from './limit.js';

/** Begins the names of limits that maps have for themselves. Names that applications choose have no control characters. */
export const MAP_LIMIT_PREFIX = 'map\u001e';

/** The name of the limit that a map with `concurrency` has for itself. Each execution of its workflow has a key. */
function mapLimitName(definitionId: string, taskNo: number): string {
  return `${MAP_LIMIT_PREFIX}${definitionId}\u001e${taskNo}`;
}

/** The key of a map, under which its items count. */
export function mapLimitKey(map: {
  readonly definitionId: string;
  readonly executionId: string;
  readonly taskNo: number;
}): string {
  return limitKeyOf(mapLimitName(map.definitionId, map.taskNo), map.executionId);
}

/** Whether a limit, or a key of it in the stored form, is that of a map. */
export function isMapLimit(limitKey: string): boolean {
  return limitKey.startsWith(MAP_LIMIT_PREFIX);
}

/** The numbers of the limits that the maps of a definition have for themselves, by name. */
export function mapLimitsOf(definitionId: string, { tasks }: CompiledWorkflow): LimitTable {
  return new Map(
    tasks.flatMap(({ no, node }) =>
      node?.kind === 'map' && node.concurrency !== undefined
        ? [[mapLimitName(definitionId, no), { concurrency: node.concurrency }]]
        : [],
    ),
  );
}
