import type { TaskRow, TenantStore } from '../../lib/store/port/index.js';

/** The rows of all tasks of the executions. */
export async function tasksOf(
  store: Pick<TenantStore, 'details'>,
  ids: readonly string[],
): Promise<TaskRow[]> {
  return (await store.details(ids)).flatMap(({ tasks }) => tasks);
}
