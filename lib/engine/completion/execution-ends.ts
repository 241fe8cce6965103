import type { TenantEvents } from '../../events/tenant-events.js';
import type { EndedExecution } from '../../store/port/index.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskResult } from '../execution/task-result.js';
import type { FinalContextWriter } from '../memory/final-context-writer.js';
import type { ProcessServices } from '../process-services.js';
import type { CompletionWaiters } from './completion-waiters.js';
import { knownEndOf, type KnownEnd } from './known-end.js';

export interface ExecutionEndsParts {
  readonly address: string;
  readonly claims: Pick<ClaimTable, 'isActive'>;
  readonly waiters: Pick<CompletionWaiters, 'ended' | 'isAwaited' | 'startOf'>;
  readonly contexts: Pick<FinalContextWriter, 'add'>;
  readonly events: TenantEvents;
  readonly services: Pick<ProcessServices, 'notifyCancelled' | 'notifyEnded'>;
  /** Requests a comparison of memory with the database. */
  readonly reconcile: () => void;
  /** Passes the end on to parents and children. */
  readonly settle: (id: string, unsettled: number) => void;
  /** Looks for ends that were stored and not passed on. */
  readonly settleLeft: () => void;
}

/** Announces the ends of executions: to observers, to the callers that wait in this process, and to other processes. */
export class ExecutionEnds {
  constructor(private readonly parts: ExecutionEndsParts) {}

  /** Call when the outcome of a task has ended its execution. */
  recorded({ claim }: TaskResult, end: EndedExecution): void {
    const { contexts, events, waiters } = this.parts;
    const { status, hasWaiters, contextMissing, unsettled } = end;
    const { executionId } = claim;
    if (contextMissing) contexts.add(claim);
    // The task that ends an execution is seldom the one that failed: it was skipped behind it, or cleaned up.
    const failure = status === 'Failed' ? claim.cache.unhandledFailure() : undefined;
    events.executionEnded(
      executionId,
      claim.definition.workflow.name,
      status,
      failure && { error: failure.error, failedTask: failure.task.name },
    );
    const start = claim.cache.startFacts ?? waiters.startOf(executionId);
    const known = waiters.isAwaited(executionId) ? knownEndOf(claim, end, start) : undefined;
    this.tell(executionId, { wasRunning: false, hasWaiters, known, unsettled });
  }

  /**
   * Wakes the waiting callers.
   *
   * @param wasRunning - whether tasks of the execution may still run in other processes and have to stop
   * @param hasWaiters - whether callers in other processes wait for the execution
   * @param known - the ended execution, if memory has all of it
   * @param unsettled - what the end has still to bring about, as bits
   */
  tell(
    id: string,
    {
      wasRunning,
      hasWaiters,
      known,
      unsettled,
    }: {
      readonly wasRunning: boolean;
      readonly hasWaiters: boolean;
      readonly known?: KnownEnd | undefined;
      readonly unsettled: number;
    },
  ): void {
    const { address, services, waiters, settle } = this.parts;
    waiters.ended(id, known);
    settle(id, unsettled);
    if (wasRunning) services.notifyCancelled(address, id);
    if (hasWaiters) services.notifyEnded(address, id);
  }

  /** Call when a statement that ends the execution was sent and its effect is unknown. */
  maybe(id: string): void {
    const { claims, reconcile, settleLeft } = this.parts;
    if (claims.isActive(id)) reconcile();
    // The bits are in the lost reply.
    settleLeft();
    this.tell(id, { wasRunning: true, hasWaiters: true, unsettled: 0 });
  }
}
