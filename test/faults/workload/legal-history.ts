import {
  canExecutionTransition,
  ContextView,
  decideTask,
  endStatus,
  isExecutionEnded,
  isTaskTerminal,
  readsContext,
  unhandledFailures,
  type CompiledTask,
  type ExecutionStatus,
} from '../../../lib/workflow/index.js';
import { readHistories, type History, type ReadRows, type TaskFacts } from './history.js';
import { TaskWalk, type HistoryLimits } from './task-history.js';

/** What is no legal history in the schema, in sentences. Holds at any instant, whatever is under way. */
export async function illegalHistories(
  read: ReadRows,
  limits: HistoryLimits = {},
): Promise<string[]> {
  const histories = await readHistories(read);
  return histories.flatMap((history) => illegalitiesOf(history, limits));
}

/**
 * What is wrong with one execution's history: its event log has to be a path of legal changes that comes out where
 * its rows are, and the rows have to agree with each other.
 */
export function illegalitiesOf(history: History, limits: HistoryLimits = {}): string[] {
  const { workflow, execution, tasks, events } = history;
  const name = (no: number): string => workflow.tasks[no]?.name ?? `task ${no}`;
  const wrong = [...wrongPath(history), ...wrongExecutionRow(history)];
  if (tasks.length !== workflow.tasks.length) {
    wrong.push(`${tasks.length} rows for ${workflow.tasks.length} tasks`);
  }
  for (const event of events) {
    if (event.taskNo !== null && tasks[event.taskNo] === undefined)
      wrong.push(`${event.kind} of no task`);
    if (event.at < execution.createdAt) wrong.push(`${event.kind} before the start`);
  }
  for (const task of workflow.tasks) {
    const row = tasks[task.no];
    if (row === undefined) continue;
    const walk = new TaskWalk(task.dependsOn.length > 0, row.hasSteps);
    for (const event of events) {
      const endsAll =
        event.taskNo === null && (event.kind === 'cancelled' || event.kind === 'timedOut');
      if (event.taskNo === task.no || endsAll) walk.follow(event);
    }
    const abandoned = events.some(({ taskNo, kind }) => taskNo === task.no && kind === 'abandoned');
    const told = [
      ...walk.end(row, limits),
      ...wrongTaskRow(history, row),
      ...wrongDependencies(history, task, row, abandoned),
    ];
    if (row.attempt > task.retry.maxAttempts) told.push(`${row.attempt} attempts`);
    wrong.push(...told.map((text) => `${name(task.no)}: ${text}`));
  }
  return wrong.map((text) => `${execution.id} (${workflow.name}): ${text}`);
}

/** Walks the execution through its events. That it began is told by its row alone. */
function wrongPath({ execution, events, tasks }: History): string[] {
  const wrong: string[] = [];
  let state = 'Pending' as ExecutionStatus;
  let generation = 0;
  const become = (to: ExecutionStatus, what: string): void => {
    // It began in between; no event says so.
    if (state === 'Pending' && (to === 'Completed' || to === 'Failed')) state = 'Running';
    if (!canExecutionTransition(state, to)) wrong.push(`${what}: it was ${state}`);
    state = to;
  };
  for (const { kind, at, taskNo, tasks: count } of events) {
    if (taskNo !== null) continue;
    if (kind === 'paused') become('Paused', kind);
    else if (kind === 'cancelled') become('Cancelled', kind);
    else if (kind === 'failed' || kind === 'timedOut') become('Failed', kind);
    else if (kind === 'resumed') {
      const begun = execution.startedAt !== null && execution.startedAt <= at;
      if (state !== 'Paused') wrong.push(`resumed: it was ${state}`);
      become(begun ? 'Running' : 'Pending', kind);
    } else if (kind === 'executionRetried') {
      if (!isExecutionEnded(state)) become('Completed', 'the end before a retry');
      become('Running', kind);
      if (count === null || count < 1 || count > tasks.length) wrong.push(`reset ${count} tasks`);
      generation++;
    } else wrong.push(`an event that executions don't have: ${kind}`);
  }
  const resets = events.filter(({ kind }) => kind === 'reset').length;
  const announced = events.reduce((sum, event) => sum + (event.tasks ?? 0), 0);
  if (resets !== announced) wrong.push(`${resets} tasks were reset, ${announced} announced`);
  if (generation !== execution.generation)
    wrong.push(`generation ${execution.generation}, ${generation} by the log`);
  const { status } = execution;
  const untold = status === 'Running' || status === 'Completed';
  if (state !== status && untold) become(status, `the row says ${status}`);
  else if (state !== status) wrong.push(`${status}, though the log leaves it ${state}`);
  return wrong;
}

function wrongExecutionRow({ execution, tasks, workflow, events }: History): string[] {
  const { status, startedAt, completedAt, createdAt, generation } = execution;
  const wrong: string[] = [];
  const ended = isExecutionEnded(status);
  const open = (no: number): boolean => !isTaskTerminal(tasks[no]?.status ?? 'NotStarted');
  const leaves = workflow.leaves.filter(open).length;
  if (execution.remainingLeaves !== leaves)
    wrong.push(`${execution.remainingLeaves} leaves remain, not ${leaves}`);
  if (ended !== (completedAt !== null)) wrong.push(`${status} with a wrong time of its end`);
  if (ended !== tasks.every(({ no }) => !open(no)))
    wrong.push(`${status} with its tasks otherwise`);
  if (ended && execution.hasDeadline) wrong.push('has a deadline still');
  if (status === 'Pending' && startedAt !== null) wrong.push('Pending and begun');
  const begun = status === 'Running' || status === 'Completed' || status === 'Failed';
  if (begun && generation === 0 && startedAt === null) wrong.push(`${status} and not begun`);
  if (startedAt !== null && startedAt < createdAt) wrong.push('began before it was created');
  if (completedAt !== null && completedAt < (startedAt ?? createdAt))
    wrong.push('ended before it began');
  const statusOf = (no: number) => tasks[no]?.status ?? 'NotStarted';
  const failures = unhandledFailures(workflow, statusOf).length;
  if (execution.unhandledFailures !== failures)
    wrong.push(`counts ${execution.unhandledFailures} failures, not ${failures}`);
  const lastEnd = events.findLast(({ taskNo, kind }) => taskNo === null && kind !== 'paused');
  const byItself = lastEnd?.kind !== 'timedOut' && (status === 'Completed' || status === 'Failed');
  if (byItself && status !== endStatus(workflow, statusOf)) wrong.push(`ended ${status}`);
  return wrong;
}

function wrongTaskRow({ execution }: History, row: TaskFacts): string[] {
  const { status, completedAt, startedAt } = row;
  const terminal = isTaskTerminal(status);
  const rules: [boolean, string][] = [
    [row.isOwned === (status === 'Running'), row.isOwned ? 'owned' : 'without an owner'],
    // Each claim counts the token up, and each way out of it.
    [(row.token % 2 === 1) === (status === 'Running'), `token ${row.token}`],
    // One that waits has a time if it is woken or its wait has a limit.
    [status === 'Waiting' || row.isDue === (status === 'Ready'), row.isDue ? 'due' : 'never due'],
    [terminal === (completedAt !== null), 'a wrong time of its end'],
    [
      row.paused === (!terminal && execution.status === 'Paused'),
      row.paused ? 'paused' : 'not paused',
    ],
    [(status === 'Skipped') === (row.skipReason !== null), `reason ${row.skipReason}`],
    [status !== 'Failed' || (row.hasError && row.attempt > 0), 'no error or attempt'],
    [
      status === 'NotStarted' ||
        status === 'Cancelled' ||
        status === 'Waiting' ||
        row.pending === 0,
      'dependencies open',
    ],
    [status !== 'NotStarted' || row.pending > 0, 'nothing to wait for'],
    [startedAt === null || startedAt >= execution.createdAt, 'a begin before the start'],
    [completedAt === null || completedAt >= (startedAt ?? 0), 'an end before its begin'],
    [
      completedAt === null || completedAt <= (execution.completedAt ?? Infinity),
      "an end after the execution's",
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, text]) => `${status}, and ${text}`);
}

/** What a task counts of its dependencies is what they are; it began after they had ended, and by its rule. */
function wrongDependencies(
  { workflow, tasks }: History,
  task: CompiledTask,
  row: TaskFacts,
  abandoned: boolean,
): string[] {
  // A cancel ends all at once and counts nothing; one that waits counts its children.
  if (row.status === 'Cancelled' || row.status === 'Waiting') return [];
  const wrong: string[] = [];
  const dependencies = task.dependsOn.flatMap((no) => tasks[no] ?? []);
  const pending = dependencies.filter(({ status }) => !isTaskTerminal(status)).length;
  const met = dependencies.filter(({ status }) => status === 'Completed').length;
  const unmet = dependencies.length - pending - met;
  if (row.pending !== pending) wrong.push(`counts ${row.pending} open, not ${pending}`);
  if (row.unmet !== unmet) wrong.push(`counts ${row.unmet} unmet, not ${unmet}`);
  const begins = [...row.attempts.map(({ startedAt }) => startedAt), row.startedAt];
  const latest = Math.max(0, ...dependencies.map(({ completedAt }) => completedAt ?? Infinity));
  if (begins.some((begin) => begin !== null && begin < latest))
    wrong.push('began before its dependencies had ended');
  // A node that is skipped by its timeout ran.
  const known = (task.rule === null || !readsContext(task.rule)) && row.skipReason !== 'timeout';
  if (known && isTaskTerminal(row.status) && !abandoned) {
    const decision = decideTask(
      task,
      workflow,
      (no) => {
        const { status = 'NotStarted', skipReason } = tasks[no] ?? {};
        return skipReason ? { status, skipReason } : { status };
      },
      ContextView.empty,
    );
    if (decision.run !== (row.status !== 'Skipped')) wrong.push(`${row.status}, against its rule`);
    if (!decision.run && decision.skipReason !== row.skipReason)
      wrong.push(`skipped for ${row.skipReason}, not ${decision.skipReason}`);
  }
  return wrong;
}
