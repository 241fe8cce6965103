import { describeHung, type HungHandler } from '../engine/execution/hung-handlers.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import {
  waitingTaskOf,
  type ExecutionRow,
  type OpenWait,
  type TaskRow,
  type WaitingTask,
  type WorkflowPause,
} from '../store/port/index.js';
import {
  isMapLimit,
  isTaskTerminal,
  mapKeyIn,
  slotKeyOf,
  type CompiledTask,
  type TaskStatus,
} from '../workflow/index.js';
import type { ExecutionWaiting, TaskWaiting } from './execution.js';
import type { LimitHolder, LimitState } from './limit-state.js';
import type { TurnState } from './turn-reader.js';
import { turnWaiting } from './turn-waiting.js';

const PAUSED: TaskWaiting = { reason: 'paused', detail: 'The execution is paused.' };

/** What the reading process knows beside the rows. */
export interface SeenHere {
  /** Handlers of the tenant that hang in this process. */
  readonly hung: readonly HungHandler[];
  /** The time of day, in milliseconds since 1970. */
  readonly now: number;
  /** The keys of limits for which tasks wait. */
  readonly limits: ReadonlyMap<string, LimitState>;
  /** The pause of a workflow, if it is paused as a whole. */
  readonly pauseOf: (workflow: string) => WorkflowPause | undefined;
  /** The keys of admissions for which executions wait. */
  readonly turns: ReadonlyMap<string, TurnState>;
}

/** The columns of an execution that say whether it waits as a whole. */
type WaitingRow = Pick<ExecutionRow, 'status' | 'turn'>;

/** What an execution waits for, derived from its waiting task; undefined if it does not wait. */
export function executionWaiting(
  { status, turn }: WaitingRow,
  waiting: WaitingTask | null | undefined,
  definition: RunnableDefinition | undefined,
  seen: SeenHere,
): ExecutionWaiting | undefined {
  if (status === 'Paused') return PAUSED;
  if (turn !== null) return turnWaiting(turn, seen.now, seen.turns);
  const task = definition?.workflow.tasks[waiting?.taskNo ?? -1];
  if (!waiting || !definition || !task) return undefined;
  const wait = claimWaiting(waiting, task, definition, seen);
  return wait && { ...wait, task: task.name };
}

/** What an execution waits for, derived from the rows of all its tasks; undefined if it does not wait. */
export function waitingOfTasks(
  row: WaitingRow,
  tasks: readonly TaskRow[],
  definition: RunnableDefinition,
  seen: SeenHere,
): ExecutionWaiting | undefined {
  return executionWaiting(row, waitingTaskOf(tasks), definition, seen);
}

/** What a task waits for; undefined if it runs or has ended. */
export function taskWaiting(
  row: TaskRow,
  task: CompiledTask,
  definition: RunnableDefinition,
  beside: {
    readonly taskRows: readonly TaskRow[];
    readonly seen: SeenHere;
    readonly turn: ExecutionRow['turn'];
  },
): TaskWaiting | undefined {
  const { turn, seen } = beside;
  if (turn !== null && row.status === 'Ready' && !row.paused) {
    return turnWaiting(turn, seen.now, seen.turns);
  }
  if (row.status !== 'NotStarted') return claimWaiting(row, task, definition, beside.seen);
  const statusOf = (no: number): TaskStatus =>
    (beside.taskRows[no]?.status ?? 'NotStarted') as TaskStatus;
  const open = task.dependsOn
    .filter((no) => !isTaskTerminal(statusOf(no)))
    .map((no) => definition.workflow.tasks[no]?.name ?? String(no));
  const names = open.length > 5 ? [...open.slice(0, 5), `${open.length - 5} more`] : open;
  return { reason: 'dependencies', detail: `It waits for ${names.join(', ')}.` };
}

/** What a task waits for after its dependencies have ended. */
function claimWaiting(
  row: WaitingTask,
  task: CompiledTask,
  { workflow, handlers }: RunnableDefinition,
  { hung, now, limits, pauseOf }: SeenHere,
): TaskWaiting | undefined {
  if (row.isOrphaned) {
    return {
      reason: 'recovery',
      detail: 'Its process is lost, and no other process has recovered the task yet.',
    };
  }
  if (row.status !== 'Ready' && row.status !== 'Waiting') return undefined;
  if (row.paused) return PAUSED;
  const isDue = row.runAt !== null && row.runAt.getTime() <= now;
  if (row.status === 'Waiting' && !isDue) return openWaiting(row, task);
  if (row.runAt !== null && row.runAt.getTime() > now) return timeWaiting(row, row.runAt);
  const pause = pauseOf(workflow.name);
  if (pause !== undefined) return pauseWaiting(pause);
  if (handlers[task.no] === undefined) {
    return {
      reason: 'handler',
      detail: `This process has no handler for task "${task.name}" of workflow "${workflow.name}".`,
    };
  }
  return limitWaiting(row, task, limits) ?? slotWaiting(row, hung);
}

/** What a due task waits for while its workflow is paused. */
function pauseWaiting({ workflow, reason, pausedAt }: WorkflowPause): TaskWaiting {
  const why = reason === null ? '' : `: ${reason}`;
  return {
    reason: 'workflowPaused',
    detail: `Workflow ${JSON.stringify(workflow)} has been paused since ${pausedAt.toISOString()}${why}.`,
    since: pausedAt,
  };
}

const AWAITED: Readonly<Record<OpenWait['kind'], string>> = {
  sleep: 'has been sleeping',
  signal: 'has been waiting for the signal',
  event: 'has been waiting for the event',
  child: 'has been waiting for the child',
};

/** What a suspended task waits for, from the row of its wait. */
function openWaiting({ wait }: WaitingTask, { name }: CompiledTask): TaskWaiting {
  const task = `Task ${JSON.stringify(name)}`;
  if (wait === null) return { reason: 'items', detail: `${task} waits for its items.` };
  const { kind, since, until, childId } = wait;
  const awaited = kind === 'child' ? childId : wait.eventName;
  const isOne = kind === 'sleep' || awaited !== null;
  const verb = isOne ? AWAITED[kind] : 'has been waiting for one of several messages';
  const shown = kind === 'child' ? awaited : JSON.stringify(awaited);
  const what = awaited === null ? '' : ` ${shown}`;
  const named = wait.name === awaited ? '' : ` (${JSON.stringify(wait.name)})`;
  const limit = until === null ? '' : ` until ${until.toISOString()}`;
  return {
    reason: kind,
    detail: `${task} ${verb}${what}${named} since ${since.toISOString()}${limit}.`,
    wait: wait.name,
    since,
    ...(kind === 'child' && childId !== null ? { child: childId } : {}),
    ...(until === null ? {} : { until }),
  };
}

function timeWaiting({ deferred, attempt }: WaitingTask, until: Date): TaskWaiting {
  const at = until.toISOString();
  if (deferred) {
    const detail = `The condition of its deferUntil() was false; it is checked again at ${at}.`;
    return { reason: 'condition', detail, until };
  }
  const what = attempt > 0 ? 'Its next attempt is' : 'It is';
  return { reason: 'time', detail: `${what} due at ${at}.`, until };
}

/** Max holders that a sentence names. */
const MAX_NAMED = 3;

/** What a due task waits for if its limit stops it. Undefined if a claim could take it. */
function limitWaiting(
  { executionId, itemNo, limitKey }: WaitingTask,
  task: Pick<CompiledTask, 'name'>,
  limits: ReadonlyMap<string, LimitState>,
): TaskWaiting | undefined {
  if (limitKey === null) return undefined;
  const mapKey = isMapLimit(limitKey) ? limitKey : mapKeyIn(limitKey);
  const ofMap = mapKey === undefined ? undefined : limits.get(mapKey);
  const ofKey = mapKey === limitKey ? undefined : limits.get(slotKeyOf(limitKey));
  // A task of a strict key keeps its slot between its runs.
  const holds = (holder: LimitHolder): boolean =>
    itemNo === 0 && holder.executionId === executionId && holder.task === task.name;
  return (ofKey && keyWaiting(ofKey, ofKey.holders.some(holds))) ?? (ofMap && mapWaiting(ofMap));
}

/** @param holds - whether the task has a slot of the key already */
function keyWaiting(state: LimitState, holds: boolean): TaskWaiting | undefined {
  const { name, key, inUse, concurrency, total, totalInUse = 0, nextAt } = state;
  const limit = { name, ...(key === undefined ? {} : { key }) };
  const of = key === undefined ? '' : ` of ${JSON.stringify(key)}`;
  const waits = `It waits for limit ${JSON.stringify(name)}${of}`;
  if (!holds && concurrency !== undefined && inUse >= concurrency) {
    const detail = `${waits}: ${inUse} of ${concurrency}${heldBy(inUse, state.holders)}.`;
    return { reason: 'limit', detail, limit };
  }
  if (total !== undefined && totalInUse >= total) {
    const by = heldBy(totalInUse, state.totalHolders ?? []);
    const detail = `${waits}: ${totalInUse} of ${total} in all keys of the limit${total === 0 ? '' : ' run'}${by}.`;
    return { reason: 'limit', detail, limit };
  }
  if (nextAt === undefined) return undefined;
  const detail = `${waits}: its rate allows the next task at ${nextAt.toISOString()}.`;
  return { reason: 'limit', detail, limit, until: nextAt };
}

/** The clause that names the executions that hold slots. Empty if none is known: the concurrency may be 0. */
function heldBy(inUse: number, holders: LimitState['holders']): string {
  if (holders.length === 0) return '';
  const named = [...new Set(holders.map(({ executionId }) => executionId))].slice(0, MAX_NAMED);
  const shown = holders.filter(({ executionId }) => named.includes(executionId)).length;
  return `, held by ${named.join(', ')}${inUse > shown ? ` and ${inUse - shown} more` : ''}`;
}

/** What a due item of a map with `concurrency` waits for. */
function mapWaiting({ inUse, concurrency }: LimitState): TaskWaiting | undefined {
  if (concurrency === undefined || inUse < concurrency) return undefined;
  return {
    reason: 'limit',
    detail: `It waits for the concurrency of its map: ${inUse} of ${concurrency} items run.`,
  };
}

function slotWaiting(
  { executionId, taskNo, itemNo }: WaitingTask,
  hung: readonly HungHandler[],
): TaskWaiting {
  const keeping = hung.filter(({ keepsSlot }) => keepsSlot);
  const own = keeping.find(
    (one) => one.executionId === executionId && one.taskNo === taskNo && one.itemNo === itemNo,
  );
  if (own !== undefined) return { reason: 'hungHandler', detail: describeHung(own) };
  const why =
    keeping.length === 0
      ? ''
      : ` Handlers that ignore their signals and keep slots of this process: ${keeping.length}.`;
  return { reason: 'slot', detail: `It is due and waits for a process with a free slot.${why}` };
}
