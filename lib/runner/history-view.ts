import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import type { StoredError } from '../errors/index.js';
import type {
  HistoryChildRow,
  HistoryEventRow,
  HistoryRecoveryRow,
  HistoryRow,
  HistoryStepRow,
  HistoryWaitRow,
} from '../store/port/index.js';
import { decodeTags } from '../workflow/index.js';
import { attemptsOf } from './history-attempts.js';
import type {
  ChildEntry,
  CreatedEntry,
  EndedEntry,
  HistoryEntry,
  RecoveredEntry,
  StepEntry,
  WaitEntry,
} from './history-entry.js';
import { firstUnhandledFailure } from './unhandled-failure.js';

type NameOf = (taskNo: number) => string;

/** Makes the timeline of an execution from its rows and its events. */
export function viewHistory(row: HistoryRow, { workflow }: RunnableDefinition): HistoryEntry[] {
  const nameOf: NameOf = (no) => workflow.tasks[no]?.name ?? `task ${no}`;
  const byTask = new Map<number, HistoryEventRow[]>();
  for (const event of row.events) {
    if (event.taskNo === null) continue;
    byTask.set(event.taskNo, [...(byTask.get(event.taskNo) ?? []), event]);
  }
  // Each manual retry reports the end before it, so it takes the cancellation before it.
  const cancellations: (HistoryEventRow | undefined)[] = [];
  const between: HistoryEntry[] = [
    ...row.events.flatMap((event) => {
      if (event.kind === 'cancelled') cancellations.push(event);
      const entries = entriesOf(event, nameOf, cancellations.at(-1));
      if (event.kind === 'executionRetried') cancellations.push(undefined);
      return entries;
    }),
    // Those for children have entries of their own.
    ...row.waits.filter(({ kind }) => kind !== 'child').map((wait) => waitEntry(wait, nameOf)),
    ...row.steps.map((step) => stepEntry(step, nameOf)),
    ...row.recoveries.map((recovery) => recoveredEntry(recovery, nameOf)),
    ...row.children.map((child) => childEntry(child, nameOf)),
    ...row.tasks.flatMap((task) =>
      attemptsOf(nameOf(task.taskNo), task, byTask.get(task.taskNo) ?? []),
    ),
  ];
  // The first and last entries are placed by kind, not by time: times are cut to milliseconds, but those of the
  // execution's row are rounded.
  return [
    createdEntry(row),
    ...withStart(between.sort(oldestFirst), row.startedAt),
    ...endOf(row, workflow, cancellations.at(-1)),
  ];
}

/** Inserts the start before the first entry of a task, and after changes of an execution before its `runAt`. */
function withStart(entries: readonly HistoryEntry[], at: Date | null): HistoryEntry[] {
  if (at === null) return [...entries];
  const next = entries.findIndex((entry) => entry.type.startsWith('task.') || entry.at > at);
  return entries.toSpliced(next < 0 ? entries.length : next, 0, { type: 'execution.started', at });
}

/** The order of entries with the same time: an end comes after other entries, and a manual retry after the end. */
const LAST: readonly HistoryEntry['type'][] = ['execution.ended', 'execution.retried'];

function oldestFirst(a: HistoryEntry, b: HistoryEntry): number {
  return a.at.getTime() - b.at.getTime() || LAST.indexOf(a.type) - LAST.indexOf(b.type);
}

function createdEntry({
  createdAt,
  runAt,
  idempotencyKey,
  tags: stored,
}: HistoryRow): CreatedEntry {
  const tags = decodeTags(stored);
  return {
    type: 'execution.created',
    at: createdAt,
    ...(runAt === null ? {} : { runAt }),
    ...(idempotencyKey === null ? {} : { idempotencyKey }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** The entries of one event. Events of attempts have none here: `attemptsOf` reads them. */
function entriesOf(
  { taskNo, kind, detail, at: time }: HistoryEventRow,
  nameOf: NameOf,
  cancelled: HistoryEventRow | undefined,
): HistoryEntry[] {
  const at = new Date(time);
  switch (kind) {
    case 'paused':
      return [
        {
          type: 'execution.paused',
          at,
          ...reasonOf((detail as Reasoned).reason),
          ...actorOf(detail),
        },
      ];
    case 'resumed':
      return [{ type: 'execution.resumed', at, ...actorOf(detail) }];
    case 'legalHold':
    case 'legalHoldReleased':
      return [
        {
          type: `execution.${kind}`,
          at,
          ...reasonOf((detail as Reasoned).reason),
          ...actorOf(detail),
        },
      ];
    case 'signalled':
      return [
        {
          type: 'execution.signalled',
          at,
          signal: String((detail as SignalledDetail).signal),
          ...actorOf(detail),
        },
      ];
    case 'executionRetried':
      return retriedEntries(detail as RetriedDetail, at, nameOf, cancelled);
    case 'deferred':
      return [{ type: 'task.deferred', at, task: nameOf(taskNo ?? -1) }];
    case 'conflict':
      return [
        { type: 'task.conflict', at, task: nameOf(taskNo ?? -1), ...(detail as ConflictDetail) },
      ];
    default:
      return [];
  }
}

interface Reasoned {
  readonly reason: string | null;
}

interface SignalledDetail {
  readonly signal: string;
}

interface ConflictDetail {
  readonly key: string;
  readonly tasks: readonly string[];
  readonly winner: string;
}

/** The detail of a manual retry: the tasks that it reset, and how the execution had ended before. */
interface RetriedDetail extends Reasoned {
  readonly taskNos: readonly number[];
  readonly status: string;
  readonly error: StoredError | null;
  readonly completedAt: string | null;
}

function retriedEntries(
  detail: RetriedDetail,
  at: Date,
  nameOf: NameOf,
  cancelled: HistoryEventRow | undefined,
): HistoryEntry[] {
  const { status, completedAt, error, reason, taskNos } = detail;
  const ended = completedAt === null ? at : new Date(completedAt);
  return [
    { ...endedEntry(status, ended, error ?? undefined, reason), ...actorOf(cancelled?.detail) },
    { type: 'execution.retried', at, tasks: taskNos.map(nameOf), ...actorOf(detail) },
  ];
}

function waitEntry(wait: HistoryWaitRow, nameOf: NameOf): WaitEntry {
  const { taskNo, name, kind, status, message, startedAt, completedAt } = wait;
  return {
    type: 'task.wait',
    at: new Date(startedAt),
    task: nameOf(taskNo),
    wait: name,
    kind,
    status,
    ...(message === null ? {} : { message }),
    ...(completedAt === null ? {} : { endedAt: new Date(completedAt) }),
  };
}

function stepEntry(step: HistoryStepRow, nameOf: NameOf): StepEntry {
  const { taskNo, name, startedAt, completedAt } = step;
  const at = new Date(startedAt);
  const endedAt = new Date(completedAt);
  const durationMs = endedAt.getTime() - at.getTime();
  return { type: 'task.step', at, task: nameOf(taskNo), step: name, endedAt, durationMs };
}

function recoveredEntry(recovery: HistoryRecoveryRow, nameOf: NameOf): RecoveredEntry {
  const { taskNo, kind, cause, previousOwner, orphanedForMs, at } = recovery;
  return {
    type: kind === 'abandoned' ? 'task.abandoned' : 'task.recovered',
    at: new Date(at),
    task: nameOf(taskNo),
    cause,
    ...(previousOwner === null ? {} : { owner: previousOwner }),
    orphanedForMs,
  };
}

function childEntry(child: HistoryChildRow, nameOf: NameOf): ChildEntry {
  const { taskNo, name: step, childId, awaited, result, startedAt, completedAt } = child;
  const entry = { type: 'task.child', at: new Date(startedAt), task: nameOf(taskNo) } as const;
  // The step of a child that nothing waits for is over when it is stored, however the child ends.
  if (!awaited || completedAt === null) return { ...entry, step, child: childId };
  const end = (result ?? { status: 'Completed' }) as Required<Pick<ChildEntry, 'status'>>;
  return { ...entry, step, child: childId, status: end.status, endedAt: new Date(completedAt) };
}

function endOf(
  row: HistoryRow,
  workflow: RunnableDefinition['workflow'],
  cancelled: HistoryEventRow | undefined,
): EndedEntry[] {
  if (row.completedAt === null) return [];
  const error = row.error === null ? undefined : (JSON.parse(row.error) as StoredError);
  const ofTask = (): StoredError | undefined => {
    const no = row.status === 'Failed' ? firstUnhandledFailure(workflow, row.tasks) : undefined;
    return no === undefined ? undefined : ((row.tasks[no]?.error ?? undefined) as StoredError);
  };
  const entry = endedEntry(row.status, row.completedAt, error ?? ofTask(), row.reason);
  return [{ ...entry, ...actorOf(cancelled?.detail) }];
}

function endedEntry(
  status: string,
  at: Date,
  error: StoredError | undefined,
  reason: string | null,
): EndedEntry {
  return {
    type: 'execution.ended',
    at,
    status: status as EndedEntry['status'],
    ...(error === undefined ? {} : { error }),
    ...reasonOf(reason),
  };
}

function actorOf(detail: unknown): { actor?: string } {
  const actor: unknown = Reflect.get(Object(detail) as object, 'actor');
  return typeof actor === 'string' ? { actor } : {};
}

function reasonOf(reason: string | null): { reason?: string } {
  return reason === null ? {} : { reason };
}
