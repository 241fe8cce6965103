import { listNames } from '../../errors/index.js';
import type { TaskClaim } from '../../engine/claims/task-claim.js';

/** Maximum number of tasks that the log line names. */
const SHOWN = 5;

/** What a process serves, for the log line at its start. */
export interface Serving {
  readonly tenants: readonly string[];
  readonly workflows: readonly string[];
  /** Maximum number of tasks that run at once. 0: a client. */
  readonly maxConcurrentTasks: number;
}

export function describeServing({ tenants, workflows, maxConcurrentTasks }: Serving): string {
  const what = `${count(tenants, 'tenant')}, ${count(workflows, 'workflow')}`;
  return maxConcurrentTasks === 0
    ? `Serving ${what} as a client: it starts executions and runs none (maxConcurrentTasks: 0).`
    : `Serving ${what}, at most ${maxConcurrentTasks} tasks at once.`;
}

/** Describes the tasks that a shutdown waits for; undefined if no task runs. */
export function describeWait(
  tenant: string,
  claims: readonly TaskClaim[],
  timeoutMs: number,
): string | undefined {
  const running = claims.filter(({ stage }) => stage === 'running');
  if (running.length === 0) return undefined;
  const tasks = running
    .slice(0, SHOWN)
    .map(
      ({ task, definition, executionId }) =>
        `${task.name} of ${definition.workflow.name} (${executionId})`,
    );
  const more = running.length > SHOWN ? ` and ${running.length - SHOWN} more` : '';
  return (
    `Tenant "${tenant}": the shutdown waits up to ${timeoutMs / 1_000} s for ` +
    `${running.length === 1 ? 'a running task' : `${running.length} running tasks`}: ${tasks.join(', ')}${more}.`
  );
}

function count(names: readonly string[], what: string): string {
  if (names.length === 0) return `no ${what}`;
  return `${names.length} ${what}${names.length === 1 ? '' : 's'} (${listNames(names)})`;
}
