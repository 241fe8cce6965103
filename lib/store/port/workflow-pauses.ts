import type { ActionNote } from './actions.js';
import type { TenantHandle } from './tenant-store.js';

/** A workflow that is paused as a whole. */
export interface WorkflowPause {
  readonly workflow: string;
  /** The reason that the caller gave. */
  readonly reason: string | null;
  readonly pausedAt: Date;
}

/** Pauses of workflows. */
export interface WorkflowPauseStore {
  /**
   * Pauses a workflow. Of one that is paused already, only the reason changes.
   *
   * @param by - the action to record, as for `resume`. Default: none
   */
  pause(workflow: string, reason: string | null, by?: ActionNote | null): Promise<void>;
  /** Returns whether the workflow was paused. */
  resume(workflow: string, by?: ActionNote | null): Promise<boolean>;
  /** By name. */
  list(): Promise<WorkflowPause[]>;
}

/** Reads the pauses of many tenants. */
export interface PauseSession {
  /** By index. Undefined if the schema is broken. */
  pausedWorkflows(tenants: readonly TenantHandle[]): Promise<(WorkflowPause[] | undefined)[]>;
}
