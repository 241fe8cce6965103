import { AsyncResource } from 'node:async_hooks';

/** What happens in the engine, for those who watch. */
export interface WorkflowEvent {
  readonly type:
    | 'execution.started'
    | 'execution.ended'
    | 'task.started'
    | 'task.ended'
    | 'task.retrying'
    | 'task.deferred'
    | 'claim.lost';
  readonly tenant: string;
  readonly executionId: string;
  readonly workflow?: string;
  readonly task?: string;
  readonly status?: string;
  readonly attempt?: number;
}

/** Who watches one tenant, if anybody does. */
export interface EventSink {
  readonly observed: boolean;
  next(event: WorkflowEvent): void;
}

/** What of a task's claim is told. */
export interface ObservedClaim {
  readonly executionId: string;
  readonly definition: { readonly workflow: { readonly name: string } };
  readonly task: { readonly name: string };
  readonly failures: number;
}

/** Tells what happens in one tenant. While nobody watches nothing is made of it. */
export class TenantEvents {
  /** Subscribers are told outside of any task or request. */
  private readonly scope = new AsyncResource('CloacinaEvents');

  constructor(
    private readonly tenant: string,
    private readonly sink: EventSink,
  ) {}

  ofExecution(
    type: WorkflowEvent['type'],
    executionId: string,
    workflow: string,
    status?: string,
  ): void {
    if (!this.sink.observed) return;
    const { tenant } = this;
    const event = { type, tenant, executionId, workflow };
    this.send(status === undefined ? event : { ...event, status });
  }

  ofTask(type: WorkflowEvent['type'], claim: ObservedClaim, status?: string): void {
    if (!this.sink.observed) return;
    const event = {
      type,
      tenant: this.tenant,
      executionId: claim.executionId,
      workflow: claim.definition.workflow.name,
      task: claim.task.name,
      attempt: claim.failures + 1,
    };
    this.send(status === undefined ? event : { ...event, status });
  }

  private send(event: WorkflowEvent): void {
    this.scope.runInAsyncScope(() => this.sink.next(event));
  }
}
