import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import type { StoredError } from '../../errors/index.js';
import type { Duration, Tags } from '../../workflow/index.js';
import type { StartRequest } from '../starts/start-request.js';

/** The options of a start that children have too. */
export interface PreparedOptions {
  readonly idempotencyKey?: string | undefined;
  readonly runAt?: Date | undefined;
  readonly delay?: Duration | undefined;
  readonly startBefore?: Date | Duration | undefined;
  readonly tags?: Tags | undefined;
  readonly priority?: number | undefined;
}

/** An execution as far as the task that waits for it needs it. */
export interface ReadChild {
  readonly workflow: string;
  readonly status: string;
  readonly context: object;
  readonly error?: StoredError;
  readonly reason?: string;
}

/** The part of the tenant's runner with which tasks start and read children. */
export interface ChildRunner {
  /** Checks the arguments of a start. Nothing is stored. */
  prepareStart(
    workflow: WorkflowRef,
    context: object | undefined,
    options: PreparedOptions,
  ): Promise<StartRequest>;
  get(id: string): Promise<ReadChild | null>;
  handle(id: string): object;
}
