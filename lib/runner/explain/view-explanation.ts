import type { TaskRow } from '../../store/port/index.js';
import {
  isTaskTerminal,
  type CompiledTask,
  type ExecutionStatus,
  type TaskStatus,
} from '../../workflow/index.js';
import { parseError } from '../task-view.js';
import { claimedBy } from './able-processes.js';
import type { ExplainReason } from './explain-reason.js';
import { explainTask } from './explain-task.js';
import { itemsReason } from './explain-wait.js';
import type { ExecutionExplanation, ServingProcess, TaskExplanation } from './explanation.js';
import { given, type Facts } from './facts.js';
import { textOf } from './reason-text.js';
import { summaryOf } from './summary.js';

/** Max number of tasks of an explanation, without items. */
export const MAX_TASKS = 200;

/** Makes the explanation from the facts. */
export function viewExplanation(facts: Facts): ExecutionExplanation {
  const { execution, definition, now } = facts;
  const status = execution.status as ExecutionStatus;
  const open = openTasks(facts);
  const tasks = open.slice(0, MAX_TASKS).flatMap((row) => {
    const task = definition.workflow.tasks[row.taskNo];
    return task === undefined ? [] : explainWithItems(facts, row, task);
  });
  return {
    executionId: execution.id,
    workflow: execution.workflow,
    status,
    summary: summaryOf(status, tasks, open.length, { ...execution, actor: facts.pausedBy }),
    tasks,
    open: open.length,
    processes: servingProcesses(facts),
    ...given('startBefore', execution.startBefore),
    at: new Date(now),
  };
}

/** The tasks that have not ended, without items. */
export function openTasks({ execution }: Pick<Facts, 'execution'>): TaskRow[] {
  return execution.tasks.filter(({ status }) => !isTaskTerminal(status as TaskStatus));
}

/** Whether a task is a map that waits for its items. */
function waitsForItems({ status, wait, itemCount }: TaskRow): boolean {
  return itemCount !== null && wait === null && (status === 'Waiting' || status === 'NotStarted');
}

function explainWithItems(facts: Facts, row: TaskRow, task: CompiledTask): TaskExplanation[] {
  const items = facts.items
    .filter(({ taskNo }) => taskNo === row.taskNo)
    .filter(({ status }) => !isTaskTerminal(status as TaskStatus))
    .map((item) => view(item, task, explainTask(facts, item, task)));
  const isDue = row.runAt !== null && row.runAt.getTime() <= facts.now;
  const reason =
    waitsForItems(row) && !row.paused && !isDue && facts.unreadable === undefined
      ? itemsReason(facts, row, items)
      : explainTask(facts, row, task);
  return [view(row, task, reason), ...items];
}

function view(row: TaskRow, task: CompiledTask, reason: ExplainReason): TaskExplanation {
  const status = row.status as TaskStatus;
  const hasBegun = status === 'Running' || status === 'Waiting';
  return {
    task: task.name,
    ...(row.itemNo === 0 ? {} : { item: row.itemNo }),
    status,
    attempt: row.attempt + (hasBegun ? 1 : 0),
    ...given('error', parseError(row.error)),
    reason,
    text: textOf(reason),
  };
}

/** This process first. */
export function servingProcesses(facts: Pick<Facts, 'processes' | 'own'>): ServingProcess[] {
  const all = facts.processes.serving.map(
    ({ processId, name, state, isAway, slots, since, workflows }): ServingProcess => ({
      name,
      id: processId,
      isThis: processId === facts.own.processId,
      state: isAway ? 'away' : state,
      serves: [...workflows],
      slots,
      claimed: claimedBy(facts, processId),
      since,
    }),
  );
  return all.toSorted((a, b) => Number(b.isThis) - Number(a.isThis));
}
