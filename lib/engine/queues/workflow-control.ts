import type { WorkflowPauses } from '../pauses/workflow-pauses.js';
import type { PendingBound } from './pending-bound.js';
import type { PriorityAging } from './priority-aging.js';

/** The parts that are about whole workflows of a tenant. */
export interface WorkflowControl {
  readonly pauses: WorkflowPauses;
  /** Admits starts of workflows with `maxPending`. */
  readonly bound: PendingBound;
  /** Lets the tasks of workflows with `priorityAging` age. */
  readonly aging: PriorityAging;
}
