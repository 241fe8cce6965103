import { expect, it } from '@jest/globals';
import { MAX_PRIORITY, PRIORITY_LEVELS, priorityLevel } from '../../../lib/workflow/priority.js';

const sums = Array.from({ length: 2 * MAX_PRIORITY + 1 }, (_, i) => i - MAX_PRIORITY);

it('there are 21 levels, and each is its own', () => {
  expect(PRIORITY_LEVELS).toHaveLength(21);
  expect(PRIORITY_LEVELS.map(priorityLevel)).toEqual(PRIORITY_LEVELS);
  expect(new Set(sums.map(priorityLevel))).toEqual(new Set(PRIORITY_LEVELS));
});

it('a higher sum never has a lower level, and the levels of opposite sums are opposite', () => {
  const levels = sums.map(priorityLevel);
  expect(levels).toEqual(levels.toSorted((a, b) => a - b));
  for (const sum of sums) expect(priorityLevel(-sum) + priorityLevel(sum)).toBe(0);
});

it.each([
  [4, 5],
  [7, 5],
  [8, 10],
  [15, 20],
  [63, 75],
  [101, 100],
  [-1_000, -100],
])('the level of %i is %i', (sum, level) => expect(priorityLevel(sum)).toBe(level));
