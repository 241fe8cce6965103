import { AsyncResource } from 'node:async_hooks';
import type { StoredError } from '../errors/index.js';
import { decodeTags } from '../workflow/index.js';
import { EXECUTION_ENDS, TASK_ENDS, type WorkflowEventName } from './event-name.js';
import type {
  ExecutionControlledEvent,
  ExecutionEndedEvent,
  TaskEndedEvent,
  TaskRecoveredEvent,
  WorkflowEvent,
} from './workflow-event.js';

/** The observers of one tenant. */
export interface EventSink {
  /** Whether an event of this exact name has an observer. */
  wants(name: WorkflowEventName): boolean;
  next(event: WorkflowEvent): void;
}

/** The failure of an execution, as far as this process knows it. */
export interface ObservedFailure {
  readonly error: StoredError;
  /** Absent for an execution that timed out. */
  readonly failedTask?: string;
}

/** The part of a task's claim that events contain. */
export interface ObservedClaim {
  readonly executionId: string;
  readonly definition: { readonly workflow: { readonly name: string } };
  readonly task: { readonly name: string; readonly retry: { readonly maxAttempts: number } };
  readonly failures: number;
}

/**
 * Emits the events of one tenant, with a method for each kind. Call a method only where the change is known to be
 * stored. Events without an observer are not built, so they cost nothing.
 */
export class TenantEvents {
  /** Subscribers run outside the async context of the task or request that caused the event. */
  private readonly scope = new AsyncResource('CloacinaEvents');
  /**
   * Called for each stored change of an execution, before its event and also without observers of it. Undefined while no
   * execution is watched in this process.
   */
  changed: ((executionId: string) => void) | undefined;

  constructor(
    private readonly tenant: string,
    private readonly sink: EventSink,
  ) {}

  wants(name: WorkflowEventName): boolean {
    return this.sink.wants(name);
  }

  /** @param stored - the tags as they are stored */
  executionStarted(executionId: string, workflow: string, stored: string | null): void {
    if (!this.sink.wants('execution.started')) return;
    const { tenant } = this;
    const tags = decodeTags(stored);
    this.send({
      type: 'execution.started',
      tenant,
      executionId,
      workflow,
      ...(tags === undefined ? {} : { tags }),
    });
  }

  executionEnded(
    executionId: string,
    workflow: string,
    status: ExecutionEndedEvent['status'],
    failure?: ObservedFailure,
  ): void {
    this.changed?.(executionId);
    if (!this.sink.wants(EXECUTION_ENDS[status])) return;
    const { tenant } = this;
    this.send({ type: 'execution.ended', tenant, executionId, workflow, status, ...failure });
  }

  executionControlled(
    type: ExecutionControlledEvent['type'],
    executionId: string,
    workflow: string,
  ): void {
    this.changed?.(executionId);
    if (this.sink.wants(type)) this.send({ type, tenant: this.tenant, executionId, workflow });
  }

  taskStarted(claim: ObservedClaim): void {
    this.changed?.(claim.executionId);
    if (this.sink.wants('task.started'))
      this.send({ type: 'task.started', ...this.attemptOf(claim) });
  }

  taskEnded(claim: ObservedClaim, status: TaskEndedEvent['status'], error?: unknown): void {
    this.changed?.(claim.executionId);
    if (!this.sink.wants(TASK_ENDS[status])) return;
    this.send({
      type: 'task.ended',
      ...this.attemptOf(claim),
      status,
      ...(status === 'Failed' ? { error: error as StoredError } : {}),
    });
  }

  taskRetrying(claim: ObservedClaim, error: unknown, retryInMs: number): void {
    this.changed?.(claim.executionId);
    if (!this.sink.wants('task.retrying')) return;
    const stored = error as StoredError;
    this.send({ type: 'task.retrying', ...this.attemptOf(claim), error: stored, retryInMs });
  }

  taskDeferred(claim: ObservedClaim, checkInMs: number): void {
    this.changed?.(claim.executionId);
    if (!this.sink.wants('task.deferred')) return;
    this.send({ type: 'task.deferred', ...this.attemptOf(claim), checkInMs });
  }

  taskSuspended(claim: ObservedClaim, resumeInMs: number | null): void {
    this.changed?.(claim.executionId);
    if (!this.sink.wants('task.suspended')) return;
    const facts = this.attemptOf(claim);
    this.send({ type: 'task.suspended', ...facts, ...(resumeInMs === null ? {} : { resumeInMs }) });
  }

  taskRecovered(
    type: TaskRecoveredEvent['type'],
    task: Pick<TaskRecoveredEvent, 'executionId' | 'workflow' | 'task' | 'cause'>,
  ): void {
    this.changed?.(task.executionId);
    if (this.sink.wants(type)) this.send({ type, tenant: this.tenant, ...task });
  }

  claimLost(claim: ObservedClaim): void {
    if (this.sink.wants('claim.lost')) this.send({ type: 'claim.lost', ...this.attemptOf(claim) });
  }

  private attemptOf({ executionId, definition, task, failures }: ObservedClaim): {
    readonly tenant: string;
    readonly executionId: string;
    readonly workflow: string;
    readonly task: string;
    readonly attempt: number;
    readonly maxAttempts: number;
  } {
    const { tenant } = this;
    const workflow = definition.workflow.name;
    const { maxAttempts } = task.retry;
    return { tenant, executionId, workflow, task: task.name, attempt: failures + 1, maxAttempts };
  }

  private send(event: WorkflowEvent): void {
    this.scope.runInAsyncScope(() => this.sink.next(event));
  }
}
