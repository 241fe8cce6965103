import type { ExecutionListFilter } from '../port/index.js';
import type { SourceName } from './statements/execution-sources.js';
import { plainArray } from './statements/encoding.js';

type Listed = Omit<ExecutionListFilter, 'limit'> & { readonly limit: number | null };

/** The parameters $1 to $7 of all lists. */
export function pageValues(filter: Listed): unknown[] {
  const { workflow, createdAfter, createdBefore, after, statuses, limit } = filter;
  return [
    workflow ?? null,
    createdAfter ?? null,
    createdBefore ?? null,
    after?.id ?? null,
    after?.createdAtMicros ?? null,
    statuses === undefined ? null : plainArray(statuses),
    limit,
  ];
}

/** The source of executions that suits a filter, with its parameters. Without a limit, it has all executions. */
export function listSourceOf(filter: Listed): {
  readonly source: SourceName;
  readonly values: unknown[];
} {
  const { tags = null, idempotencyKey: key = null, waitingFor = null } = filter;
  const { ids } = filter;
  const { parent = null, root = null, limitKey = null } = filter;
  const values = pageValues(filter);
  if (ids !== undefined)
    return { source: 'given', values: [...values, plainArray(ids), key, tags] };
  if (parent !== null || root !== null) {
    return { source: 'children', values: [...values, parent, root, tags, key, waitingFor] };
  }
  if (limitKey !== null) {
    const isStrict = filter.limitIsStrict === true;
    return { source: 'limited', values: [...values, limitKey, key, tags, isStrict] };
  }
  if (waitingFor !== null) return { source: 'waiting', values: [...values, waitingFor, key, tags] };
  if (key !== null) return { source: 'keyed', values: [...values, key, tags] };
  if (tags !== null) return { source: 'tagged', values: [...values, tags] };
  return { source: isUnfinished(filter) ? 'unfinished' : 'any', values };
}

/** Whether the filter contains only statuses of the partial index. */
export function isUnfinished({ statuses }: Pick<ExecutionListFilter, 'statuses'>): boolean {
  return statuses !== undefined && !statuses.includes('Completed');
}
