import type { Subject } from 'rxjs';
import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import type { WorkflowEvent } from '../events/workflow-event.js';

/** See {@link RunnerParts.gate}. */
export type Gate = () => ((closed: AbortSignal) => Promise<void>) | undefined;

/** The collaborators of a runner. */
export interface RunnerParts {
  readonly engine: TenantEngine;
  readonly registry: Pick<WorkflowRegistry, 'nameOf' | 'get' | 'list'>;
  /** Whether this process serves the workflow for the tenant. */
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
  /** Whether the bootstrap hooks of all modules have returned; tasks begin to run then. */
  readonly hasBooted: () => boolean;
  /**
   * Returns what calls have to wait for: a server that could not be reached at the boot, or a move to another server. The wait
   * throws when `startTimeout` is over. Undefined while calls need not wait.
   */
  readonly gate?: Gate;
  readonly events: Subject<WorkflowEvent>;
  /** Drains and closes the tenant in this process. */
  readonly shutdown: () => Promise<void>;
}
