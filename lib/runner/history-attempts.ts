import type { StoredError } from '../errors/index.js';
import type { HistoryEventRow, HistoryTaskRow, StoredAttempt } from '../store/port/index.js';
import type { SkipReason } from '../workflow/index.js';
import type { AttemptEntry, SkippedEntry } from './history-entry.js';

/** The state of a task in one run: from its row, or from the event of the manual retry that reset the row. */
interface RunEnd {
  readonly status: string;
  readonly attempts: readonly StoredAttempt[] | null;
  readonly skipReason: string | null;
  readonly startedAt: Date | undefined;
  readonly completedAt: Date | undefined;
  readonly owner?: string | null;
  readonly process?: string | null;
}

/** The detail of a `reset` event, with times as the server prints them. */
type ResetDetail = Pick<RunEnd, 'status' | 'attempts' | 'skipReason'> & {
  readonly startedAt: string | null;
  readonly completedAt: string | null;
};

type RetriedDetail = Omit<StoredAttempt, 'completedAt'>;

/**
 * The attempts of one task in all its runs. There is one run from the start, and one more for each manual retry. Failed
 * attempts are stored as events, and the last twenty of a run also in the task's row. The attempt that completed the
 * task is stored as the times of the row.
 *
 * @param events - the task's own, oldest first
 */
export function attemptsOf(
  task: string,
  row: HistoryTaskRow,
  events: readonly HistoryEventRow[],
): (AttemptEntry | SkippedEntry)[] {
  const entries: (AttemptEntry | SkippedEntry)[] = [];
  let failed = new Map<string, AttemptEntry>();
  for (const { kind, detail, at } of events) {
    if (kind === 'retried') {
      const attempt = detail as RetriedDetail;
      failed.set(keyOf(attempt), failedAttempt(task, attempt, new Date(at)));
    } else if (kind === 'reset') {
      const was = detail as ResetDetail;
      const [startedAt, completedAt] = [instant(was.startedAt), instant(was.completedAt)];
      entries.push(...runOf(task, failed, { ...was, startedAt, completedAt }));
      failed = new Map();
    }
  }
  const [startedAt, completedAt] = [instant(row.startedAt), instant(row.completedAt)];
  return [...entries, ...runOf(task, failed, { ...row, startedAt, completedAt })];
}

function runOf(
  task: string,
  failed: Map<string, AttemptEntry>,
  end: RunEnd,
): (AttemptEntry | SkippedEntry)[] {
  for (const attempt of end.attempts ?? []) {
    const endedAt = new Date(attempt.completedAt);
    failed.set(keyOf(attempt), failedAttempt(task, attempt, endedAt));
  }
  const last = lastOf(task, [...failed.values()], end);
  return last === undefined ? [...failed.values()] : [...failed.values(), last];
}

/** The number alone does not identify an attempt: after a recorded step, attempts count from 1 again. */
function keyOf({ attempt, startedAt }: RetriedDetail): string {
  return `${attempt} ${startedAt ?? ''}`;
}

function failedAttempt(task: string, stored: RetriedDetail, endedAt: Date): AttemptEntry {
  const { attempt } = stored;
  const error = (stored.error ?? undefined) as StoredError | undefined;
  // The process that abandoned a lost task had taken its claim. The entry of the loss names the process that ran it.
  const owner = error?.code === 'TASK_ABANDONED' ? undefined : stored.owner;
  const startedAt = instant(stored.startedAt);
  return {
    type: 'task.attempt',
    at: startedAt ?? endedAt,
    task,
    attempt,
    status: 'Failed',
    endedAt,
    ...(startedAt === undefined ? {} : { durationMs: endedAt.getTime() - startedAt.getTime() }),
    ...(error === undefined ? {} : { error }),
    ...(owner === undefined || owner === null ? {} : { owner }),
  };
}

/** The entry after the failed attempts: an attempt that runs, completed or was cancelled, or a skip. */
function lastOf(
  task: string,
  failed: readonly AttemptEntry[],
  end: RunEnd,
): AttemptEntry | SkippedEntry | undefined {
  const { status, startedAt, completedAt, owner, process, skipReason } = end;
  if (status === 'Skipped' && completedAt !== undefined) {
    return {
      type: 'task.skipped',
      at: completedAt,
      task,
      ...(skipReason === null ? {} : { skipReason: skipReason as SkipReason }),
    };
  }
  // A task that waits for its next attempt keeps the start time of its last attempt. A cancelled task has only the start
  // time of an attempt that the cancellation cut off.
  const isLast =
    status === 'Running' ||
    status === 'Waiting' ||
    status === 'Completed' ||
    status === 'Cancelled';
  if (startedAt === undefined || !isLast) return undefined;
  return {
    type: 'task.attempt',
    at: startedAt,
    task,
    attempt: (failed.at(-1)?.attempt ?? 0) + 1,
    status,
    ...(completedAt === undefined
      ? {}
      : { endedAt: completedAt, durationMs: completedAt.getTime() - startedAt.getTime() }),
    ...(owner === undefined || owner === null ? {} : { owner }),
    ...(process === undefined || process === null ? {} : { process }),
  };
}

function instant(time: string | null): Date | undefined {
  return time === null || time === undefined ? undefined : new Date(time);
}
