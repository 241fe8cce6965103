import { TaskInterceptors } from '../../engine/execution/task-interceptors.js';
import { EventListeners } from '../../events/event-listeners.js';
import type { CloacinaTelemetry } from '../../events/telemetry.js';

/**
 * Event listeners, task interceptors and telemetry of an application, for all its tenants, including those that are added later.
 */
export class ApplicationHooks {
  /** What traces and measures the work. */
  telemetry: CloacinaTelemetry | undefined;

  constructor(
    readonly listeners = new EventListeners(),
    readonly interceptors = new TaskInterceptors(),
  ) {}
}
