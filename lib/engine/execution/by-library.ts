import type { TaskContext } from '../../discovery/task-context.js';
import { RunningTask } from './running-task.js';

/**
 * Runs statements of the library in the transaction of a task that the library has built. A failure of theirs that may pass is
 * not charged to the attempt, as with the outcome of the task. Around it, the handler runs code of the application, whose
 * failures are charged.
 *
 * @throws an error that is charged, if that code has ended the transaction or caught a failure in it
 */
export function byLibrary<T>(context: TaskContext, work: () => Promise<T>): Promise<T> {
  return context instanceof RunningTask ? context.run.byLibrary(work) : work();
}
