import { toStoredError, WorkflowTimeoutError, type StoredError } from '../errors/index.js';
import type { ClaimReconciler } from './claims/claim-reconciler.js';
import type { ClaimTable } from './claims/claim-table.js';
import { retryOnConflict } from '../runtime/retry-on-conflict.js';
import type { CompletionWaiters } from './completion/completion-waiters.js';
import type { TaskClaim } from './claims/task-claim.js';
import type { TaskCompleter } from './execution/task-completer.js';
import type { TenantEvents } from '../events/tenant-events.js';
import type { ProcessServices } from './process-services.js';
import type {
  ClaimStore,
  ControlResult,
  ControlStore,
  PastDeadline,
  TimedOutExecution,
} from '../store/port/index.js';
import type { FailureClassifier } from '../runtime/failure.js';

export interface ExecutionControlParts {
  readonly address: string;
  readonly store: ControlStore & ClaimStore & FailureClassifier;
  readonly claims: ClaimTable;
  readonly waiters: CompletionWaiters;
  readonly completer: TaskCompleter;
  readonly reconciler: ClaimReconciler;
  readonly events: TenantEvents;
  readonly services: ProcessServices;
  readonly instanceId: () => string;
}

export type ControlAction = 'cancel' | 'pause' | 'resume' | 'retry';

const CONTROLLED = {
  pause: 'execution.paused',
  resume: 'execution.resumed',
  retry: 'execution.retried',
} as const;

/** What happens to executions from outside of their tasks: pauses, cancellations, workflow timeouts. */
export class ExecutionControl {
  private enforcing: Promise<boolean> | undefined;

  constructor(private readonly parts: ExecutionControlParts) {}

  /**
   * Another process says that it cancelled an execution. That may be late, and the execution retried since, or not be
   * true; so the database is asked which claims still stand. The signals of the others abort; their outcomes are refused
   * anyway.
   */
  reconcileClaims(): void {
    this.parts.reconciler.request();
  }

  /** The end of an execution was sent, and it isn't known whether that ended it. */
  private endedMaybe(id: string): void {
    if (this.parts.claims.isActive(id)) this.reconcileClaims();
    this.parts.waiters.ended(id);
  }

  /** Another process says that it paused an execution in which claims are held here: the database is asked. */
  async findPaused(): Promise<void> {
    const { store, instanceId } = this.parts;
    for (const id of await store.pausedExecutions(instanceId())) this.paused(id);
  }

  /** The execution is paused: what was claimed and has not begun goes back. */
  private paused(id: string): void {
    for (const claim of this.parts.claims.ofExecution(id)) {
      if (claim.stage === 'waiting') this.parts.completer.giveBack(claim);
    }
  }

  /** Pauses it; here at once, and the others are told. */
  async pause(id: string, reason: string | null): Promise<ControlResult> {
    const result = await this.parts.store.pause(id, reason);
    if (result.changed) this.told('pause', id, result.workflow);
    return result;
  }

  async resume(id: string): Promise<ControlResult> {
    const result = await this.parts.store.resume(id);
    if (result.changed) this.told('resume', id, result.workflow);
    return result;
  }

  /**
   * Cancels it. What of it runs here stops at once, and the others are told. `resent`: an earlier send may have
   * cancelled it, without an answer that says what ran.
   */
  async cancel(id: string, reason: string | null, resent: boolean): Promise<ControlResult> {
    const held = this.parts.claims.ofExecution(id);
    const result = await this.parts.store.cancel(id, reason);
    if (!result.changed) {
      if (resent) {
        this.endedMaybe(id);
        this.tellEnd(id, true, true);
      }
      return result;
    }
    this.lose(held);
    this.tellEnd(id, result.running.length > 0, result.hasWaiters);
    this.told('cancel', id, result.workflow);
    return result;
  }

  /** The execution is as it was asked for: by this call, or by an earlier send whose reply was lost. */
  told(action: ControlAction, id: string, workflow: string): void {
    const { address, events, services } = this.parts;
    if (action === 'cancel') events.executionEnded(id, workflow, 'Cancelled');
    else events.executionControlled(CONTROLLED[action], id, workflow);
    if (action !== 'pause') return;
    this.paused(id);
    services.notifyPaused(address, id);
  }

  /**
   * Ends the executions whose workflow timeout has passed. False: some are left, since another process is at it, or
   * holds rows of theirs.
   */
  enforceDeadlines(): Promise<boolean> {
    this.enforcing ??= this.endOverdue().finally(() => (this.enforcing = undefined));
    return this.enforcing;
  }

  private async endOverdue(): Promise<boolean> {
    const { store } = this.parts;
    let all = true;
    let page: PastDeadline[] = [];
    do {
      page = await store.pastDeadlines(page.at(-1));
      const ended = page.length === 0 ? [] : await this.timeOut(page);
      if (ended === undefined) return false;
      all &&= ended.length === page.length;
    } while (page.length > 0);
    return all;
  }

  private async timeOut(
    executions: readonly PastDeadline[],
  ): Promise<TimedOutExecution[] | undefined> {
    const { claims, events, store } = this.parts;
    const overdue = new Map(executions.map((execution) => [execution.id, execution]));
    const errorOf = ({ workflow, timeoutMs }: PastDeadline): StoredError =>
      toStoredError(new WorkflowTimeoutError(workflow, timeoutMs));
    const held = claims.all().filter(({ executionId }) => overdue.has(executionId));
    const ended = await retryOnConflict(store, () => store.timeOut(executions, errorOf));
    const gone = new Set(ended?.map(({ id }) => id));
    this.lose(held.filter(({ executionId }) => gone.has(executionId)));
    for (const { id, hasWaiters, wasRunning } of ended ?? []) {
      this.tellEnd(id, wasRunning, hasWaiters);
      const execution = overdue.get(id);
      if (execution === undefined) continue;
      const error = errorOf(execution);
      events.executionEnded(id, execution.workflow, 'Failed', { error });
    }
    return ended;
  }

  private lose(held: readonly TaskClaim[]): void {
    const { claims } = this.parts;
    for (const claim of held) {
      if (claims.holds(claim)) claims.lose(claim);
    }
  }

  private tellEnd(id: string, wasRunning: boolean, hasWaiters: boolean): void {
    const { address, services, waiters } = this.parts;
    waiters.ended(id);
    if (wasRunning) services.notifyCancelled(address, id);
    if (hasWaiters) services.notifyEnded(address, id);
  }
}
