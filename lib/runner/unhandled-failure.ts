import { unhandledFailures, type CompiledWorkflow, type TaskStatus } from '../workflow/index.js';

/** The number of the first task whose failure no other task handled; undefined if there is none. */
export function firstUnhandledFailure(
  workflow: CompiledWorkflow,
  tasks: readonly { readonly status: string }[],
): number | undefined {
  const statusOf = (no: number): TaskStatus => (tasks[no]?.status ?? 'NotStarted') as TaskStatus;
  return unhandledFailures(workflow, statusOf)[0];
}
