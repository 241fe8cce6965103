import { checkCallOptions } from '../errors/call-options.js';
import { workflowNameOf, type WorkflowRef } from '../discovery/workflow-ref.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { textProblem, type ExecutionStatus } from '../workflow/index.js';
import type {
  ExecutionCountFilter as StoredCountFilter,
  ExecutionListFilter,
  StepDetail,
} from '../store/port/index.js';
import { checkIds } from './call-checks.js';
import { decodeCursor } from './cursor.js';
import type { GetOptions } from './execution.js';
import type { ExecutionCountFilter, ExecutionFilter } from './execution-filter.js';
import { checkLimitKey } from './limit-arguments.js';
import { checkMaxRead } from './max-read.js';
import { isExecutionId } from './execution-uuid.js';
import { checkDate, checkKey, checkTags } from './start-request.js';

const COUNT_OPTIONS: ReadonlySet<string> = new Set<keyof ExecutionCountFilter>([
  'workflow',
  'status',
  'tags',
  'createdAfter',
  'createdBefore',
]);
/** The conditions of a filter. */
export const CONDITIONS: ReadonlySet<string> = new Set([
  ...COUNT_OPTIONS,
  'ids',
  'idempotencyKey',
  'waitingFor',
  'limitKey',
  'parent',
  'root',
]);
const LIST_OPTIONS: ReadonlySet<string> = new Set([...CONDITIONS, 'limit', 'cursor', 'maxRead']);
const GET_OPTIONS: ReadonlySet<string> = new Set<keyof GetOptions>(['workflow', 'stepResults']);

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
/** Max number of `ids` in a filter. */
const MAX_IDS = 2_000;

const NO_COUNTS: Readonly<Record<ExecutionStatus, number>> = {
  Pending: 0,
  Running: 0,
  Paused: 0,
  Finishing: 0,
  Completed: 0,
  Failed: 0,
  Cancelled: 0,
};
const STATUSES: readonly string[] = Object.keys(NO_COUNTS);

/** A count of 0 for each status. */
export function zeroCounts(): Record<ExecutionStatus, number> {
  return { ...NO_COUNTS };
}

/** @throws InvalidArgumentError for an invalid limit, status, date, workflow, tag, key or cursor */
export function checkListFilter(
  filter: ExecutionFilter,
): ExecutionListFilter & { readonly maxRead: number | undefined } {
  checkCallOptions('list()', filter, LIST_OPTIONS);
  return {
    ...checkConditions(filter),
    maxRead: checkMaxRead(filter.maxRead),
    limit: checkLimit(filter.limit),
    after: filter.cursor === undefined ? undefined : decodeCursor(filter.cursor),
  };
}

/** @throws InvalidArgumentError for an invalid status, date, workflow or tag */
export function checkCountFilter(filter: ExecutionCountFilter): StoredCountFilter {
  checkCallOptions('counts()', filter, COUNT_OPTIONS);
  return checkCommon(filter);
}

/** @throws InvalidArgumentError for an unknown option, or an invalid workflow */
export function checkGetOptions(options: GetOptions): {
  workflow: string | undefined;
  steps: StepDetail;
} {
  checkCallOptions('get()', options, GET_OPTIONS);
  const { stepResults = false } = options;
  if (typeof stepResults !== 'boolean') {
    throw new InvalidArgumentError(
      'stepResults',
      `must be true or false, not ${formatValue(stepResults)}`,
    );
  }
  return { workflow: checkWorkflow(options.workflow), steps: stepResults ? 'results' : 'listed' };
}

/** Checks everything of a filter but the page. */
export function checkConditions(
  filter: Omit<ExecutionFilter, 'limit' | 'cursor' | 'maxRead'>,
): Omit<ExecutionListFilter, 'limit' | 'after'> {
  return {
    ...checkCommon(filter),
    ids: checkIdFilter(filter),
    idempotencyKey: checkKey(filter.idempotencyKey) ?? undefined,
    waitingFor: checkWaitingFor(filter.waitingFor),
    limitKey: checkLimitFilter(filter),
    parent: checkExecution('parent', filter.parent),
    root: checkExecution('root', filter.root),
  };
}

function checkCommon(filter: ExecutionCountFilter): StoredCountFilter {
  return {
    workflow: checkWorkflow(filter.workflow),
    statuses: checkStatuses(filter.status),
    tags: checkTags(filter.tags) ?? undefined,
    createdAfter: checkOptionalDate('createdAfter', filter.createdAfter),
    createdBefore: checkOptionalDate('createdBefore', filter.createdBefore),
  };
}

function checkWaitingFor(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const problem =
    typeof name === 'string' ? textProblem(name) : `must be a string, not ${formatValue(name)}`;
  if (problem === undefined) return name;
  throw new InvalidArgumentError('waitingFor', problem);
}

/** Ids that are not UUIDs are refused, as {@link checkExecution} does. */
function checkIdFilter(filter: ExecutionFilter): string[] | undefined {
  const { ids } = filter;
  if (ids === undefined) return undefined;
  const others = (['limitKey', 'parent', 'root', 'waitingFor'] as const).filter(
    (name) => filter[name] !== undefined,
  );
  if (others.length > 0) {
    throw new InvalidArgumentError(
      'ids',
      `and ${others[0]} cannot be combined; specify one of them`,
    );
  }
  return checkIds(ids, MAX_IDS).flatMap((id) => checkExecution('ids', id) ?? []);
}

function checkLimitFilter({
  limitKey,
  parent,
  root,
  waitingFor,
}: ExecutionFilter): string | undefined {
  if (limitKey === undefined) return undefined;
  if (parent === undefined && root === undefined && waitingFor === undefined) {
    return checkLimitKey('limitKey', limitKey);
  }
  throw new InvalidArgumentError(
    'limitKey',
    'and parent, root or waitingFor cannot be combined; specify one of them',
  );
}

/** An id that is not a UUID is refused: a list of no execution's children would look like one without any. */
function checkExecution(name: string, id: string | undefined): string | undefined {
  if (id === undefined) return undefined;
  if (isExecutionId(id)) return id.toLowerCase();
  throw new InvalidArgumentError(name, `must be the id of an execution, not ${formatValue(id)}`);
}

function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError(
    'limit',
    `must be a whole number from 1 to ${MAX_LIMIT}, not ${formatValue(limit)}`,
  );
}

/** @throws InvalidArgumentError for a name that PostgreSQL cannot store */
export function checkWorkflow(workflow: WorkflowRef | undefined): string | undefined {
  if (workflow === undefined) return undefined;
  const name = workflowNameOf(workflow);
  const problem = textProblem(name);
  if (problem === undefined) return name;
  throw new InvalidArgumentError('workflow', problem);
}

function checkOptionalDate(name: string, date: Date | undefined): Date | undefined {
  return date === undefined ? undefined : checkDate(name, date);
}

function checkStatuses(
  status: ExecutionStatus | ExecutionStatus[] | undefined,
): ExecutionStatus[] | undefined {
  if (status === undefined) return undefined;
  const statuses = Array.isArray(status) ? status : [status];
  const isUnknown = (each: ExecutionStatus): boolean => !STATUSES.includes(each);
  if (statuses.some(isUnknown)) {
    const unknown = statuses.find(isUnknown);
    throw new InvalidArgumentError(
      'status',
      `must be one of ${STATUSES.join(', ')}, not ${formatValue(unknown)}`,
    );
  }
  // Without duplicates: the statement looks up each status separately, so a repeated one would return its rows twice.
  return [...new Set(statuses)];
}
