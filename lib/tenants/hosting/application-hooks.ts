import { TaskInterceptors } from '../../engine/execution/task-interceptors.js';
import { EventListeners } from '../../events/event-listeners.js';

/**
 * Event listeners and task interceptors of an application, for all its tenants, including those that are added later.
 */
export class ApplicationHooks {
  readonly listeners = new EventListeners();
  readonly interceptors = new TaskInterceptors();
}
