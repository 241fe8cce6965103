import { columns, epochMs, integers, records } from './columns.js';
import type { CompletionResult, EndedExecution, TaskTimes } from '../../port/index.js';

const READIED = records('bigint', {
  outcome: 'integer',
  taskNo: 'integer',
  claimed: 'flag',
  paused: 'flag',
  token: 'integer',
  unmetDependencies: 'integer',
  generation: 'integer',
  wakes: 'integer',
  hasSteps: 'flag',
});

const END = {
  outcome: 'integer',
  failed: 'flag',
  hasWaiters: 'flag',
  contextMissing: 'flag',
  unsettled: 'integer',
} as const;
const ENDED = records('integer', END);
const TIMED_END = records('bigint', {
  ...END,
  createdAt: 'integer',
  startedAt: 'integer',
  completedAt: 'integer',
  hasReason: 'flag',
});
const TIMES = records('bigint', {
  outcome: 'integer',
  startedAt: 'integer',
  completedAt: 'integer',
});

const READIED_DEPENDENT = READIED.element({
  outcome: 'ord',
  taskNo: 'task_no',
  claimed: "status = 'Running'",
  paused: 'paused',
  token: 'claim_token',
  unmetDependencies: 'unmet_dependencies',
  generation: 'generation',
  wakes: 'wakes',
  hasSteps: 'has_steps',
});

const END_OF_ROW = {
  outcome: 'ord',
  failed: "status = 'Failed'",
  hasWaiters: 'has_waiters',
  contextMissing: 'context_missing',
  unsettled: 'unsettled',
} as const;
const ENDED_EXECUTION = ENDED.element(END_OF_ROW);
/** A record can't contain NULL. */
const UNKNOWN = -1;
const TIMED_EXECUTION = TIMED_END.element({
  ...END_OF_ROW,
  createdAt: epochMs('created_at'),
  startedAt: `coalesce(${epochMs('started_at')}, ${UNKNOWN})`,
  completedAt: epochMs('completed_at'),
  hasReason: 'reason IS NOT NULL',
});
const TIMES_OF_TASK = TIMES.element({
  outcome: 'ord',
  startedAt: `coalesce(${epochMs('started_at')}, ${UNKNOWN})`,
  completedAt: epochMs('completed_at'),
});

/** The result of `completeTasks`. */
export const COMPLETED = columns({
  accepted: integers,
  readied: READIED.column,
  ended: ENDED.column,
});
/** The result of `completeTimedTasks`. */
export const COMPLETED_TIMED = columns({
  accepted: integers,
  readied: READIED.column,
  ended: TIMED_END.column,
  times: TIMES.column,
});
export type CompletedRow = ReturnType<typeof COMPLETED.decode>[number];
export type TimedRow = ReturnType<typeof COMPLETED_TIMED.decode>[number];

const CHANGES = {
  accepted: '(SELECT array_agg(ord) FROM done)',
  readied: `(SELECT array_agg(${READIED_DEPENDENT}) FROM dependent WHERE pending_dependencies = 0)`,
} as const;
const endedOf = (element: string): string =>
  `(SELECT array_agg(${element}) FROM execution WHERE remaining_leaves = 0)`;
/** The SELECT lists of both statements, over their CTEs. */
export const RESULT = COMPLETED.select({ ...CHANGES, ended: endedOf(ENDED_EXECUTION) });
export const TIMED_RESULT = COMPLETED_TIMED.select({
  ...CHANGES,
  ended: endedOf(TIMED_EXECUTION),
  times: `(SELECT array_agg(${TIMES_OF_TASK}) FROM done)`,
});

/** @param count - number of outcomes in the batch */
export function completionOf(rows: readonly CompletedRow[], count: number): CompletionResult {
  const [row] = rows;
  return {
    accepted: acceptedOf(row, count),
    readied: row?.readied ?? [],
    ended: (row?.ended ?? []).map(({ failed, ...end }) => ({ ...end, status: statusOf(failed) })),
  };
}

/** The same for `completeTimedTasks`. */
export function timedCompletionOf(rows: readonly TimedRow[], count: number): CompletionResult {
  const [row] = rows;
  const times = new Array<TaskTimes | undefined>(count).fill(undefined);
  for (const { outcome, startedAt, completedAt } of row?.times ?? []) {
    if (startedAt !== UNKNOWN) times[outcome] = { startedAt, completedAt };
  }
  return {
    accepted: acceptedOf(row, count),
    readied: row?.readied ?? [],
    ended: (row?.ended ?? []).map(timedEnd),
    times,
  };
}

function timedEnd({
  outcome,
  failed,
  hasWaiters,
  contextMissing,
  unsettled,
  ...row
}: TimedRow['ended'][number]): EndedExecution {
  const end = { outcome, status: statusOf(failed), hasWaiters, contextMissing, unsettled };
  return row.startedAt === UNKNOWN ? end : { ...end, row };
}

function acceptedOf(row: CompletedRow | TimedRow | undefined, count: number): boolean[] {
  const accepted = new Array<boolean>(count).fill(false);
  for (const ord of row?.accepted ?? []) accepted[ord] = true;
  return accepted;
}

function statusOf(failed: boolean): 'Failed' | 'Completed' {
  return failed ? 'Failed' : 'Completed';
}
