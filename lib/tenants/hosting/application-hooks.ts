import { TaskInterceptors } from '../../engine/execution/task-interceptors.js';
import { EventListeners } from '../../events/event-listeners.js';

/** What an application has around the work of all its tenants, those that are added later included. */
export class ApplicationHooks {
  readonly listeners = new EventListeners();
  readonly interceptors = new TaskInterceptors();
}
