import type { CloacinaRunner } from './cloacina-runner.js';
import type { ExecutionHandle } from './execution-handle.js';

export type { TaskRunner } from '../discovery/task-context/task-services.js';

// Declared here, because discovery/, which declares TaskContext, must not import runner/.
declare module '../discovery/task-context/task-services.js' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- the class as an interface, which can be declared ahead
  interface TaskRunner extends CloacinaRunner {}
}

declare module '../discovery/task-context/child-options.js' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- as above
  interface ChildHandle<C extends object> extends ExecutionHandle<C> {}
}
