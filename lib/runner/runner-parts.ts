import type { Subject } from 'rxjs';
import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import type { WorkflowEvent } from '../events/workflow-event.js';

/** The collaborators of a runner. */
export interface RunnerParts {
  readonly engine: TenantEngine;
  readonly registry: Pick<WorkflowRegistry, 'nameOf' | 'get' | 'list'>;
  /** Whether this process serves the workflow for the tenant. */
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
  /** Whether the bootstrap hooks of all modules have returned; tasks begin to run then. */
  readonly hasBooted: () => boolean;
  /**
   * Waits for a tenant whose server could not be reached at the boot. Throws when `startTimeout` is over. Absent for all
   * others.
   */
  readonly whenReachable?: (closed: AbortSignal) => Promise<void>;
  readonly events: Subject<WorkflowEvent>;
  /** Drains and closes the tenant in this process. */
  readonly shutdown: () => Promise<void>;
}
