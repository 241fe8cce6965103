import type { DependentEdge, Outcome, OutcomeDetail } from '../../store/port/index.js';
import type { ContextView } from '../../workflow/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { byPriority } from '../definitions/runnable-definition.js';
import { MAX_KEPT_CONTEXT } from '../memory/execution-cache.js';
import { weightOf } from '../write-batches.js';
import type { TaskResult } from './task-result.js';

const NONE: readonly never[] = [];

/** The weight of the outcome in its statement: its rows and those of its dependents, and its bytes. */
export function outcomeWeight({ claim, output, view }: TaskResult): number {
  const bytes = (output?.length ?? 0) + keptBytes(claim, view);
  return weightOf(1 + dependentsOf(claim).length, bytes);
}

function dependentsOf(claim: TaskClaim): readonly number[] {
  return claim.definition.workflow.dependents[claim.task.no] ?? NONE;
}

/**
 * Number of dependents that the outcomes may claim. The outcome of an item claims nothing: a map is claimed by itself, which
 * tells how its earlier attempts went.
 */
export function edgesOf(results: readonly TaskResult[]): number {
  return results.reduce(
    (sum, { claim }) => sum + (claim.isItem ? 0 : dependentsOf(claim).length),
    0,
  );
}

/** The outcomes of sorted results. They claim as many dependents as there is room for. */
export function outcomesOf(results: readonly TaskResult[], room: number): Outcome[] {
  const edges = edgesOf(results);
  let left = room;
  return results.map((result) => {
    const first = left < edges ? foremost(result.claim, left) : undefined;
    const isPaused = result.claim.definition.isPaused();
    return outcomeOf(result, (taskNo) => {
      const claim =
        left > 0 &&
        !isPaused &&
        first?.has(taskNo) !== false &&
        result.claim.definition.claimable[taskNo] === true;
      if (claim) left--;
      return { taskNo, claim };
    });
  });
}

/** Bytes of the final context that a leaf's outcome may carry. */
function keptBytes({ cache: memory, task, isItem }: TaskClaim, view: ContextView): number {
  return !isItem && memory.isLeaf(task.no) && view.bytes <= MAX_KEPT_CONTEXT ? view.bytes : 0;
}

/** The dependents to claim first, by priority. Undefined if there is room for all, or all have the same priority. */
function foremost({ definition, task }: TaskClaim, room: number): ReadonlySet<number> | undefined {
  const dependents = definition.workflow.dependents[task.no] ?? [];
  if (!definition.ranked || dependents.length <= room) return undefined;
  const runnable = dependents.filter((no) => definition.claimable[no] === true);
  return new Set(byPriority(definition.workflow, runnable).slice(0, room));
}

function outcomeOf(result: TaskResult, edge: (taskNo: number) => DependentEdge): Outcome {
  const { claim, status } = result;
  if (claim.isItem) return itemOutcomeOf(result);
  const dependents = dependentsOf(claim);
  const leaf = dependents.length === 0;
  return {
    executionId: claim.executionId,
    taskNo: claim.taskNo,
    itemNo: claim.itemNo,
    token: claim.token,
    status,
    output: result.output,
    detail: detailOf(result),
    leaf,
    dependents: leaf ? NONE : dependents.map(edge),
    handles:
      status === 'Completed' && claim.task.handles.length > 0
        ? claim.task.handles.filter((no) => claim.cache.outcome(no)?.status === 'Failed')
        : NONE,
    finalContext: leaf
      ? claim.cache.finalContextJson({ no: claim.task.no, view: result.view })
      : null,
  };
}

/** The outcome of an item counts down its map. */
function itemOutcomeOf(result: TaskResult): Outcome {
  const { executionId, taskNo, itemNo, token } = result.claim;
  return {
    executionId,
    taskNo,
    itemNo,
    token,
    status: result.status,
    output: result.output,
    detail: detailOf(result),
    leaf: false,
    dependents: [{ taskNo, claim: false }],
    handles: NONE,
    finalContext: null,
  };
}

function detailOf(result: TaskResult): OutcomeDetail | null {
  const { status, deletedKeys, conflicts, skipReason, error } = result;
  if (status === 'Completed' && deletedKeys.length === 0 && conflicts.length === 0) return null;
  const { tasks } = result.claim.definition.workflow;
  const names = (nos: readonly number[]): string[] => nos.map((no) => tasks[no]?.name ?? 'input');
  const events: { kind: string; detail: unknown }[] = conflicts.map((conflict) => ({
    kind: 'conflict',
    detail: {
      key: conflict.key,
      tasks: names(conflict.tasks),
      winner: names([conflict.winner])[0],
    },
  }));
  if (status === 'Failed') events.push({ kind: 'taskFailed', detail: { error } });
  if (status === 'Skipped') events.push({ kind: 'taskSkipped', detail: { reason: skipReason } });
  return {
    ...(error === undefined ? {} : { error }),
    ...(skipReason === undefined ? {} : { skipReason }),
    ...(deletedKeys.length === 0 ? {} : { deletedKeys }),
    events,
  };
}
