import type { ContextConflict, ContextView, SkipReason } from '../../workflow/index.js';
import type { TaskInput } from '../memory/execution-cache.js';
import type { TaskClaim } from '../claims/task-claim.js';

/** The final outcome of a claimed task, as it is recorded. */
export interface TaskResult {
  /** The discriminator in `HandlerOutcome`. */
  readonly kind: 'ended';
  readonly claim: TaskClaim;
  readonly status: 'Completed' | 'Failed' | 'Skipped';
  /** The context that the dependents start from. */
  readonly view: ContextView;
  /** JSON text of the written keys. */
  readonly output: string | null;
  readonly deletedKeys: readonly string[];
  readonly error?: unknown;
  readonly skipReason?: SkipReason | undefined;
  readonly conflicts: readonly ContextConflict[];
  /** Whether it replaces an outcome whose error can't be stored. It is not replaced again. */
  readonly isLastResort?: boolean;
}

/** The result of a task that began with `input`. Omitted fields are those of a task that wrote nothing. */
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

/**
 * A task's writes in the form of its row. Only the keys are encoded here, because the values are JSON texts already.
 */
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
