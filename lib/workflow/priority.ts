/** Bounds of a priority, of a task as of an execution. */
export const MAX_PRIORITY = 100;

/**
 * The levels of priority, lowest first. The row of a task has the level that is next to the sum of its priority and that of
 * its execution. A claim looks at each level of a definition, so their number bounds its cost: with 50,000 different
 * priorities, a claim took 199 ms.
 *
 * The steps grow with the distance from 0. With equal steps of ten, `priority: 1` would be the same as none.
 */
export const PRIORITY_LEVELS: readonly number[] = [
  -100, -75, -50, -30, -20, -10, -5, -3, -2, -1, 0, 1, 2, 3, 5, 10, 20, 30, 50, 75, 100,
];

/** The level next to a sum of priorities. Of two that are equally near, the one that is farther from 0. */
export function priorityLevel(sum: number): number {
  const bounded = Math.max(-MAX_PRIORITY, Math.min(MAX_PRIORITY, sum));
  const distance = (level: number): number => Math.abs(level - bounded);
  return PRIORITY_LEVELS.reduce((nearest, level) => {
    const nearer = distance(level) - distance(nearest);
    return nearer < 0 || (nearer === 0 && Math.abs(level) > Math.abs(nearest)) ? level : nearest;
  });
}
