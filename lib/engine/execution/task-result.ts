import type { ContextConflict, ContextView, SkipReason } from '../../workflow/index.js';
import type { TaskInput } from '../memory/execution-cache.js';
import type { TaskClaim } from '../claims/task-claim.js';

/** How a claimed task has ended, as it is recorded. */
export interface TaskResult {
  /** Makes it a member of `HandlerOutcome`. */
  readonly kind: 'ended';
  readonly claim: TaskClaim;
  readonly status: 'Completed' | 'Failed' | 'Skipped';
  /** What the task hands on to its dependents. */
  readonly view: ContextView;
  /** JSON text of the written keys. */
  readonly output: string | null;
  readonly deletedKeys: readonly string[];
  readonly error?: unknown;
  readonly skipReason?: SkipReason | undefined;
  readonly conflicts: readonly ContextConflict[];
  /** It stands in for an outcome whose error can't be stored; nothing stands in for it. */
  readonly isLastResort?: boolean;
}

/** The result of a task that began with `input`; what is left out is as for a task that wrote nothing. */
export function resultOf(
  claim: TaskClaim,
  input: TaskInput,
  status: TaskResult['status'],
  more: Partial<Pick<TaskResult, 'view' | 'output' | 'deletedKeys' | 'error' | 'skipReason'>>,
): TaskResult {
  return {
    kind: 'ended',
    claim,
    status,
    view: input.view,
    output: null,
    deletedKeys: [],
    conflicts: input.conflicts,
    ...more,
  };
}

/** What a task wrote, as its row holds it. The members' texts are JSON already: only the keys are encoded here. */
export function encodeWrites(
  writes: ReadonlyMap<string, string | undefined>,
): Pick<TaskResult, 'output' | 'deletedKeys'> {
  const members: string[] = [];
  const deletedKeys: string[] = [];
  for (const [key, json] of writes) {
    if (json === undefined) deletedKeys.push(key);
    else members.push(`${JSON.stringify(key)}:${json}`);
  }
  return { output: members.length === 0 ? null : `{${members.join(',')}}`, deletedKeys };
}
