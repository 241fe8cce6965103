import { InvalidArgumentError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import type { BulkFilter as StoredFilter } from '../../store/port/index.js';
import type { ExecutionStatus } from '../../workflow/index.js';
import { checkConditions, CONDITIONS } from '../list-filter.js';
import type { BulkFilter } from './bulk-options.js';

const FILTER: ReadonlySet<string> = new Set([...CONDITIONS, 'all']);

/** What a bulk call may change. */
export interface BulkScope {
  /** The name of the call, such as `cancelMany()`. */
  readonly call: string;
  /** The statuses that it can change, and those that it changes if the filter names none. */
  readonly allowed: readonly ExecutionStatus[];
  readonly usual: readonly ExecutionStatus[];
  /** Whether it is about executions without a parent only. */
  readonly isTop: boolean;
}

/**
 * Checks a filter more strictly than `list` does, because a mistake changes executions: it must have a condition, and no
 * condition that is undefined.
 *
 * @throws InvalidArgumentError
 */
export function checkBulkFilter(filter: BulkFilter, scope: BulkScope): StoredFilter {
  const { call, usual, isTop } = scope;
  if (typeof filter !== 'object' || filter === null) {
    throw new InvalidArgumentError(
      'filter',
      `of ${call} must be an object with a condition, not ${formatValue(filter)}`,
    );
  }
  checkCallOptions(call, filter, FILTER);
  checkExtent(filter, call);
  const { all: _all, ...conditions } = filter;
  const checked = checkConditions(conditions);
  return { ...checked, statuses: statusesOf(checked.statuses ?? usual, scope), isTop };
}

function checkExtent(filter: BulkFilter, call: string): void {
  for (const [name, value] of Object.entries(filter)) {
    if (value !== undefined) continue;
    throw new InvalidArgumentError(
      name,
      `of the filter of ${call} is undefined; leave it out if all values are meant`,
    );
  }
  const { all } = filter;
  const given = Object.keys(filter).filter((name) => name !== 'all');
  if (all === undefined) {
    if (given.length > 0) return;
    throw new InvalidArgumentError(
      'filter',
      `of ${call} has no condition; give it one, or { all: true } for every execution of the tenant`,
    );
  }
  // In plain JavaScript it may be anything.
  if ((all as unknown) !== true) {
    throw new InvalidArgumentError('all', `must be true or left out, not ${formatValue(all)}`);
  }
  const [other] = given.filter((name) => name !== 'status');
  if (other === undefined) return;
  throw new InvalidArgumentError('all', `and ${other} cannot be combined; remove one of them`);
}

function statusesOf(statuses: readonly string[], { call, allowed }: BulkScope): readonly string[] {
  const known: readonly string[] = allowed;
  const wrong = statuses.find((status) => !known.includes(status));
  if (wrong === undefined) return statuses;
  throw new InvalidArgumentError(
    'status',
    `of the filter of ${call} must be one of ${allowed.join(', ')}, not ${formatValue(wrong)}`,
  );
}
