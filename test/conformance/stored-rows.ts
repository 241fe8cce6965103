/** A task's row, as the columns are called in PostgreSQL. */
export interface TaskColumns {
  readonly task_no: number;
  readonly item_no: number;
  readonly status: string;
  readonly pending_dependencies: number;
  readonly unmet_dependencies: number;
  readonly claim_token: number;
  readonly owner: string | null;
  readonly priority: number;
  readonly run_at: Date | null;
  readonly paused: boolean;
  readonly attempt: number;
  readonly recovery_attempts: number;
  readonly generation: number;
  readonly wakes: number;
  readonly has_steps: boolean;
  readonly failure_handled: boolean;
  readonly skip_reason: string | null;
  readonly output: unknown;
  readonly deleted_keys: string[] | null;
  readonly error: unknown;
  readonly attempts: readonly Record<string, unknown>[] | null;
  readonly deferred_since: Date | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
}

export interface ExecutionColumns {
  readonly status: string;
  readonly remaining_leaves: number;
  readonly unhandled_failures: number;
  readonly generation: number;
  readonly has_waiters: boolean;
  readonly unsettled: number;
  readonly depth: number;
  readonly parent_execution_id: string | null;
  readonly root_execution_id: string | null;
  readonly context: unknown;
  readonly reason: string | null;
  readonly created_at: Date;
  readonly deadline_at: Date | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
}

/** All that a store holds of one execution, as the columns are. */
export interface StoredRows {
  readonly execution: ExecutionColumns | undefined;
  /** By task number. */
  readonly tasks: readonly TaskColumns[];
  readonly events: readonly {
    readonly kind: string;
    readonly task_no: number | null;
    readonly detail?: unknown;
  }[];
}

export interface LeaseColumns {
  readonly name: string;
  readonly lock_epoch: string | null;
  readonly lock_session: string | null;
  readonly process_id: string;
  readonly expires_at: Date;
}
