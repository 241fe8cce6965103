import { anything, formatValue, type Checks } from '../errors/option-checks.js';
import type { JsonObject } from './context-types.js';
import type { MapItemsOptions } from './map-options.js';
import type { WrittenNode } from './node-source.js';
import type { TaskOptions } from './options.js';

/** The options that make a task a map. compileWorkflow checks their values. */
export const MAP_OPTIONS: Checks<MapItemsOptions<JsonObject, unknown> & { chunk?: number }> = {
  items: (value) =>
    typeof value === 'function' ? undefined : `must be a function, not ${formatValue(value)}`,
  concurrency: anything,
  chunk: anything,
  maxItems: anything,
  collect: anything,
  onItemFailure: anything,
};

/** Parts the options of a map with a handler: those of a task, and what the map is. */
export function splitMap(options: object): readonly [TaskOptions, WrittenNode] {
  const map: Record<string, unknown> = {};
  const ofTask: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    (name in MAP_OPTIONS ? map : ofTask)[name] = value;
  }
  return [ofTask, { kind: 'map', options: map, hasHandler: true }];
}
