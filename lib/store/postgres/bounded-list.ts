import type { BulkCount, ExecutionListFilter, ListedExecution, ListedPage } from '../port/index.js';
import { isUnfinished, listSourceOf, pageValues } from './list-source.js';
import { BOUNDED_COUNTS, PROBES, type Walk } from './statements/bounded-walk.js';
import { bulkFinding } from './statements/bulk-finding.js';
import { BOUNDED_LISTS, LISTS } from './statements/execution-list.js';
import type { SourceName } from './statements/execution-sources.js';
import type { TenantDatabase } from './tenant-database.js';

type Filter = Omit<ExecutionListFilter, 'limit'>;
type Runner = Pick<TenantDatabase['cold'], 'run'>;

/** Maximum number of rows of a source that is read as a whole: a bounded look would not reach all its matches. */
const FEW = 5_000;
/** The first look of a source that may have many rows: a multiple of the page, so that a filter that most match ends here. */
const FIRST_LOOK = 20;
/** Only these have tasks that wait. */
const WAITING = ['Pending', 'Running', 'Paused', 'Finishing'] as const;

/**
 * A page of executions of which the database looks at about `maxRead` at most.
 *
 * A source by an index that has no order, such as that of tags, reads all its matches. So it is used only if it has few of them.
 * Otherwise the executions are walked in the order of the list, to the page's end or to the bound of the look.
 */
export async function listWithin(
  runner: Runner,
  given: ExecutionListFilter,
  maxRead: number,
): Promise<ListedPage> {
  const filter = ofWaiting(given);
  const { source, values } = listSourceOf(filter);
  const condition = conditionOf(source, filter);
  if (condition === undefined && source !== 'any' && source !== 'unfinished') {
    return { rows: await runner.run(LISTS[source], values), end: null };
  }
  if (condition !== undefined) {
    const look = Math.min(maxRead, FIRST_LOOK * filter.limit);
    const first = await walk(runner, filter, look);
    if (first.end === null) return first;
    if (await hasFew(runner, condition, Math.min(FEW, maxRead))) {
      return { rows: await runner.run(LISTS[source], values), end: null };
    }
  }
  return walk(runner, filter, maxRead);
}

/** Counts executions up to a cap, as {@link listWithin} lists them. */
export async function countWithin(
  runner: Runner,
  given: Filter & { readonly isTop: boolean },
  { cap, maxRead }: { readonly cap: number; readonly maxRead: number },
): Promise<BulkCount> {
  const filter = { ...ofWaiting(given), limit: cap + 1 };
  const { source, values } = listSourceOf({ ...filter, limit: null });
  const condition = conditionOf(source, filter);
  const isWalked = source === 'any' || source === 'unfinished';
  if (condition === undefined ? !isWalked : await hasFew(runner, condition, FEW)) {
    const [row] = await runner.run(bulkFinding(source, given.isTop).count, values);
    const count = row?.count ?? 0;
    return { count: Math.min(count, cap), isCapped: count > cap };
  }
  const statement = BOUNDED_COUNTS[walkOf(filter)];
  const [row] = await runner.run(statement, walkValues(filter, maxRead, false, given.isTop));
  return row ?? { count: 0, isCapped: false };
}

async function walk(
  runner: Runner,
  filter: ExecutionListFilter,
  maxRead: number,
): Promise<ListedPage> {
  const withBuiltIns = filter.withBuiltIns === true || saysWhich(filter);
  const values = walkValues(filter, maxRead, withBuiltIns, false);
  const found = await runner.run(BOUNDED_LISTS[walkOf(filter)], values);
  const rows: ListedExecution[] = found
    .filter(({ isEnd }) => !isEnd)
    .map(({ isEnd: _, ...row }) => row);
  return { rows, end: found.find(({ isEnd }) => isEnd) ?? null };
}

function walkOf(filter: Filter): Walk {
  return isUnfinished(filter) ? 'unfinished' : 'any';
}

function walkValues(
  filter: ExecutionListFilter,
  maxRead: number,
  withBuiltIns: boolean,
  isTop: boolean,
): unknown[] {
  const { tags, idempotencyKey, waitingFor, parent, root } = filter;
  return [
    ...pageValues(filter),
    maxRead,
    tags ?? null,
    idempotencyKey ?? null,
    waitingFor ?? null,
    parent ?? null,
    root ?? null,
    withBuiltIns,
    isTop,
  ];
}

interface Condition {
  readonly probe: keyof typeof PROBES;
  readonly value: string;
}

/** What the index of a source is asked for, if it may have many rows. */
function conditionOf(source: SourceName, filter: Filter): Condition | undefined {
  const { tags, waitingFor, parent, root } = filter;
  if (source === 'tagged' && tags !== undefined) return { probe: 'tagged', value: tags };
  if (source === 'waiting' && waitingFor !== undefined)
    return { probe: 'waiting', value: waitingFor };
  if (source !== 'children') return undefined;
  if (parent !== undefined) return { probe: 'children', value: parent };
  return root === undefined ? undefined : { probe: 'tree', value: root };
}

async function hasFew(runner: Runner, { probe, value }: Condition, few: number): Promise<boolean> {
  const [row] = await runner.run(PROBES[probe], [value, few + 1]);
  return (row?.count ?? 0) <= few;
}

/** Executions that wait for a message are among those of the smaller index. */
function ofWaiting<F extends Filter>(filter: F): F {
  if (filter.waitingFor === undefined || filter.statuses !== undefined) return filter;
  return { ...filter, statuses: WAITING };
}

/** Whether a filter says which executions it is for, so that built-in workflows are among them. */
function saysWhich({ waitingFor, parent, root }: Filter): boolean {
  return waitingFor !== undefined || parent !== undefined || root !== undefined;
}
