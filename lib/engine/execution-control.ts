import type { ClaimTable } from './claims/claim-table.js';
import type { ExecutionEnds } from './completion/execution-ends.js';
import type { TaskCompleter } from './execution/task-completer.js';
import type { TenantEvents } from '../events/tenant-events.js';
import type { ProcessServices } from './process-services.js';
import type { TenantLease } from './lease/tenant-lease.js';
import type { ClaimStore, ControlResult, ControlStore } from '../store/port/index.js';

export interface ExecutionControlParts {
  readonly address: string;
  readonly store: Pick<ControlStore, 'pause' | 'resume' | 'cancel'> &
    Pick<ClaimStore, 'pausedExecutions'>;
  readonly claims: ClaimTable;
  readonly ends: Pick<ExecutionEnds, 'tell' | 'maybe'>;
  readonly completer: Pick<TaskCompleter, 'giveBack'>;
  readonly events: TenantEvents;
  readonly services: Pick<ProcessServices, 'notifyPaused'>;
  readonly lease: Pick<TenantLease, 'instanceId'>;
}

export type ControlAction = 'cancel' | 'pause' | 'resume' | 'retry';

const CONTROLLED = {
  pause: 'execution.paused',
  resume: 'execution.resumed',
  retry: 'execution.retried',
} as const;

/** Controls executions from outside their tasks: pause, resume, cancel, and the announcement of manual retries. */
export class ExecutionControl {
  constructor(private readonly parts: ExecutionControlParts) {}

  /**
   * Reads which executions with claims of this process are paused. Call when another process says that it paused one.
   */
  async findPaused(): Promise<void> {
    const { store, lease } = this.parts;
    for (const id of await store.pausedExecutions(lease.instanceId)) this.paused(id);
  }

  /** Gives back the unstarted claims of a paused execution. */
  private paused(id: string): void {
    for (const claim of this.parts.claims.ofExecution(id)) {
      if (claim.stage === 'waiting') this.parts.completer.giveBack(claim);
    }
  }

  /** Pauses an execution: in this process at once, in others by a notification. */
  async pause(id: string, reason: string | null, actor?: string | null): Promise<ControlResult> {
    const result = await this.parts.store.pause(id, reason, actor);
    if (result.changed) this.told('pause', id, result.workflow);
    return result;
  }

  async resume(id: string, actor?: string | null): Promise<ControlResult> {
    const result = await this.parts.store.resume(id, actor);
    if (result.changed) this.told('resume', id, result.workflow);
    return result;
  }

  /**
   * Cancels an execution. Its tasks stop at once in this process, and by a notification in others.
   *
   * @param resent - an earlier send may have cancelled it, and its reply with the running tasks was lost
   */
  async cancel(
    id: string,
    reason: string | null,
    resent: boolean,
    actor?: string | null,
  ): Promise<ControlResult> {
    const { claims, ends, store } = this.parts;
    const held = claims.ofExecution(id);
    const result = await store.cancel(id, reason, actor);
    if (!result.changed) {
      if (resent) ends.maybe(id);
      return result;
    }
    claims.loseHeld(held);
    const { hasWaiters, unsettled } = result;
    ends.tell(id, { wasRunning: result.running.length > 0, hasWaiters, unsettled });
    this.told('cancel', id, result.workflow);
    return result;
  }

  /** Announces that the action has taken effect, by this call or by an earlier send whose reply was lost. */
  told(action: ControlAction, id: string, workflow: string): void {
    const { address, events, services } = this.parts;
    if (action === 'cancel') events.executionEnded(id, workflow, 'Cancelled');
    else events.executionControlled(CONTROLLED[action], id, workflow);
    if (action !== 'pause') return;
    this.paused(id);
    services.notifyPaused(address, id);
  }
}
