import type { StoredError } from '../../errors/index.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import type { EndedExecution } from '../../store/port/index.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskResult } from '../execution/task-result.js';
import type { FinalContextWriter } from '../memory/final-context-writer.js';
import type { ProcessServices } from '../process-services.js';
import type { CompletionWaiters } from './completion-waiters.js';

export interface ExecutionEndsParts {
  readonly address: string;
  readonly claims: Pick<ClaimTable, 'isActive'>;
  readonly waiters: Pick<CompletionWaiters, 'ended'>;
  readonly contexts: Pick<FinalContextWriter, 'add'>;
  readonly events: TenantEvents;
  readonly services: Pick<ProcessServices, 'notifyCancelled' | 'notifyEnded'>;
  /** Memory and database may differ: compare them. */
  readonly reconcile: () => void;
}

/** Tells of executions that have ended: the callers that wait here, and other processes. */
export class ExecutionEnds {
  constructor(private readonly parts: ExecutionEndsParts) {}

  /** The task's outcome has ended its execution. */
  recorded(result: TaskResult, { status, hasWaiters, contextMissing }: EndedExecution): void {
    const { contexts, events } = this.parts;
    const { claim, error } = result;
    const { executionId } = claim;
    if (contextMissing) contexts.add(claim);
    // The error of a task that failed earlier, in another branch, is in its row.
    const failure =
      status === 'Failed' && result.status === 'Failed'
        ? { error: error as StoredError, failedTask: claim.task.name }
        : undefined;
    events.executionEnded(executionId, claim.definition.workflow.name, status, failure);
    this.tell(executionId, { wasRunning: false, hasWaiters });
  }

  /** `wasRunning`: tasks of it run, here or in other processes, and have to stop. */
  tell(
    id: string,
    { wasRunning, hasWaiters }: { readonly wasRunning: boolean; readonly hasWaiters: boolean },
  ): void {
    const { address, services, waiters } = this.parts;
    waiters.ended(id);
    if (wasRunning) services.notifyCancelled(address, id);
    if (hasWaiters) services.notifyEnded(address, id);
  }

  /** The end was sent, and it isn't known whether that ended it. */
  maybe(id: string): void {
    const { claims, reconcile } = this.parts;
    if (claims.isActive(id)) reconcile();
    this.tell(id, { wasRunning: true, hasWaiters: true });
  }
}
