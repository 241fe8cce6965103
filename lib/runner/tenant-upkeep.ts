import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { ActionEntry, ActionFilter } from './action-entry.js';
import { BulkExecutions, type BulkParts } from './bulk/bulk-executions.js';
import type { ActorOptions, ReasonOptions } from './reason-options.js';
import type { RetentionStatus } from './retention.js';
import type { RunnerCalls } from './runner-wiring.js';
import type { PausedWorkflow } from './workflow-pause.js';

/** The calls of a {@link CloacinaRunner} that delete and keep executions, pause workflows, and list who has done what. */
export abstract class TenantUpkeep extends BulkExecutions {
  /** @internal */
  constructor(
    private readonly upkeep: BulkParts & Pick<RunnerCalls, 'actions' | 'pauses' | 'retention'>,
  ) {
    super(upkeep);
  }

  /**
   * Deletes an ended execution with everything that is stored of it, and with all executions under it. Its idempotency key is
   * free again. To delete many, see {@link CloacinaRunner.deleteMany}; to delete all at an age, see the option `retention`.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution or one under it has not ended or is on legal hold, if its end is not
   *   passed on yet, and for a child
   * @throws DatabaseUnavailableError if the database was unreachable for `startTimeout`
   */
  delete(id: string): Promise<void> {
    return this.upkeep.retention.delete(id);
  }

  /**
   * Keeps an execution, and the tree that it is in, from every deletion by the library until {@link releaseLegalHold}:
   * by `retention`, `delete` and `deleteMany`. Does nothing if it is held already. Its history shows the hold.
   *
   * @throws UnknownExecutionError, InvalidArgumentError for invalid options
   * @throws DatabaseUnavailableError as {@link delete}
   */
  legalHold(id: string, options?: ReasonOptions): Promise<void> {
    return this.upkeep.retention.hold(id, true, options);
  }

  /**
   * Ends a {@link legalHold}. Does nothing if the execution is not on legal hold.
   *
   * @throws the errors of {@link legalHold}
   */
  releaseLegalHold(id: string, options?: ReasonOptions): Promise<void> {
    return this.upkeep.retention.hold(id, false, options);
  }

  /**
   * Tells how far the deletion by `retention` has come, in whichever process, and whether the archive fails. Null if no
   * process of the tenant has ever had a `retention`.
   *
   * @throws DatabaseUnavailableError as {@link delete}
   * @example
   * ```ts
   * const state = await runner.retentionState();
   * if (state?.archiveFailure !== undefined) console.warn(state.archiveFailure.error.message);
   * ```
   */
  retentionState(): Promise<RetentionStatus | null> {
    return this.upkeep.retention.state();
  }

  /**
   * Pauses a workflow in all processes that serve the tenant, until {@link resumeWorkflow}. Running tasks may finish; no
   * other task of its executions begins. Starts are still accepted, and their executions wait. The pause is stored, so it
   * outlives restarts and deploys. Of a workflow that is paused already, the reason changes.
   *
   * When the call resolves, this process claims no more tasks of the workflow. Others follow with the next notification.
   *
   * @throws UnknownWorkflowError if neither the code nor the tenant's tables have the workflow
   * @throws InvalidArgumentError for invalid options
   * @throws DatabaseUnavailableError if the database was unreachable for `startTimeout`
   * @example
   * ```ts
   * await runner.pauseWorkflow(ChargeCard, { reason: 'the provider is down' });
   * ```
   */
  pauseWorkflow(workflow: WorkflowRef, options?: ReasonOptions): Promise<void> {
    return this.upkeep.pauses.pause(workflow, options);
  }

  /**
   * Continues a workflow that {@link pauseWorkflow} has paused, in all processes. Does nothing if it is not paused.
   *
   * @throws InvalidArgumentError for invalid options
   * @throws DatabaseUnavailableError as {@link pauseWorkflow}
   */
  resumeWorkflow(workflow: WorkflowRef, options?: ActorOptions): Promise<void> {
    return this.upkeep.pauses.resume(workflow, options);
  }

  /**
   * Lists the workflows of the tenant that are paused, by name.
   *
   * @throws DatabaseUnavailableError as {@link pauseWorkflow}
   */
  pausedWorkflows(): Promise<PausedWorkflow[]> {
    return this.upkeep.pauses.list();
  }

  /**
   * Lists who has changed the workflows and schedules of the tenant, the latest first: the calls with an `actor`. Actions on an
   * execution are in its {@link history}. Entries are kept for 400 days. A `schedule.run` or `schedule.backfilled` is stored
   * before its first execution, so a call that fails may be listed.
   *
   * @throws InvalidArgumentError that names the invalid field of the filter
   * @throws DatabaseUnavailableError as {@link pauseWorkflow}
   * @example
   * ```ts
   * await runner.schedules.pause('nightly', { actor: 'ann', reason: 'the bank is closed' });
   * const [{ actor, kind, at }] = await runner.actions({ subject: 'nightly' });
   * ```
   */
  actions(filter?: ActionFilter): Promise<ActionEntry[]> {
    return this.upkeep.actions.list(filter);
  }
}
