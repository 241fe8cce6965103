import { MAX_PRIORITY, PRIORITY_LEVELS, priorityLevel } from '../../../workflow/priority.js';

/** For each sum from -MAX_PRIORITY on: its level, and the place of that among the levels, from 1. */
const SUMS = Array.from({ length: 2 * MAX_PRIORITY + 1 }, (_, i) => i - MAX_PRIORITY);
const LEVEL_OF = SUMS.map(priorityLevel);
const PLACE_OF = LEVEL_OF.map((level) => PRIORITY_LEVELS.indexOf(level) + 1);

/** The level of a sum of priorities, as `priorityLevel` computes it. */
export function levelOf(sum: string): string {
  return at(LEVEL_OF, subscriptOf(sum));
}

/** The level that is `steps` above that of a sum, at most the highest. */
export function raisedLevelOf(sum: string, steps: string): string {
  return at(
    PRIORITY_LEVELS,
    `least(${PRIORITY_LEVELS.length}, ${at(PLACE_OF, subscriptOf(sum))} + ${steps})`,
  );
}

/** The levels that have one above them, as rows. */
export const LOWER_LEVELS = `unnest('{${PRIORITY_LEVELS.slice(0, -1).join()}}'::integer[])`;

function subscriptOf(sum: string): string {
  return `least(${2 * MAX_PRIORITY}, greatest(0, ${sum} + ${MAX_PRIORITY})) + 1`;
}

/** A subscript of an array of integers takes constant time. */
function at(values: readonly number[], subscript: string): string {
  return `('{${values.join()}}'::integer[])[${subscript}]`;
}
