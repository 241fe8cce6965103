import type { CloacinaRunner } from './cloacina-runner.js';

export type { TaskRunner } from '../discovery/task-context.js';

// Declared here, because discovery/, which declares TaskContext, must not import runner/.
declare module '../discovery/task-context.js' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- the class as an interface, which can be declared ahead
  interface TaskRunner extends CloacinaRunner {}
}
