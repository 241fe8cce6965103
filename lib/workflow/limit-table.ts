import { jsonEquals } from './json-equality.js';
import type { CheckedNumbers, LimitTable } from './limit.js';

/** A limit as a part of the code names it. */
export interface NamedLimit {
  readonly name: string;
  /** Absent if only the name is given. */
  readonly numbers?: CheckedNumbers;
  /** Where it is named, for messages: `workflow "billing", task "charge"`. */
  readonly place: string;
  /** Whether a map with a concurrency of its own names it. */
  readonly hasConcurrentMap?: true;
}

/**
 * Joins what the tasks say of each limit. Each name has one set of numbers: a task may leave them out if another one gives
 * them.
 *
 * @returns the numbers by name, and the problems, each a sentence or two
 */
export function joinLimits(named: readonly NamedLimit[]): {
  readonly limits: LimitTable;
  readonly problems: readonly string[];
} {
  const limits = new Map<string, CheckedNumbers>();
  const places = new Map<string, string>();
  const problems: string[] = [];
  for (const { name, numbers, place } of named) {
    if (numbers === undefined) continue;
    const known = limits.get(name);
    if (known === undefined) {
      limits.set(name, numbers);
      places.set(name, place);
    } else if (!jsonEquals(known, numbers)) {
      problems.push(
        `Limit ${JSON.stringify(name)} has different numbers in ${places.get(name) ?? ''} and in ${place}. ` +
          'Define it once with defineLimit(), and let both tasks refer to it.',
      );
    }
  }
  const lost = new Map(named.map((limit) => [limit.name, limit.place]));
  for (const [name, place] of lost) {
    if (limits.has(name)) continue;
    problems.push(
      `Limit ${JSON.stringify(name)}, which ${place} names, has no numbers. Give it some there, or let the task refer to a limit that defineLimit() made.`,
    );
  }
  for (const { name, place, hasConcurrentMap } of named) {
    if (hasConcurrentMap !== true || limits.get(name)?.isStrict !== true) continue;
    problems.push(
      `Limit ${JSON.stringify(name)} has the order 'strict', and ${place} has a concurrency beside it. ` +
        'Remove the concurrency of the map.',
    );
  }
  return { limits, problems };
}
