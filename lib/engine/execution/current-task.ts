import { AsyncLocalStorage } from 'node:async_hooks';
import type { TaskContext } from '../../discovery/task-context.js';

const storage = new AsyncLocalStorage<TaskContext>();

/**
 * Returns the context of the task in which the caller runs, or undefined outside a task. It works at any depth of
 * calls, in any provider, by Node's AsyncLocalStorage.
 *
 * @example
 * ```ts
 * const task = currentTask();
 * this.logger.log(`charging for ${task?.tenant ?? 'no tenant'}`);
 * ```
 */
export function currentTask(): TaskContext | undefined {
  return storage.getStore();
}

export function runInTask<T>(context: TaskContext, work: () => T): T {
  return storage.run(context, work);
}
