import { toStoredError, WorkflowTimeoutError } from '../errors/index.js';
import type { ControlResult, TenantStore } from '../store/store.js';
import type { ClaimComparison } from './claim-comparison.js';
import type { ClaimTable } from './claim-table.js';
import { repeatConflicts } from './conflicts.js';
import type { EndWaiters } from './end-waiters.js';
import type { TaskSettlement } from './task-settlement.js';
import type { TenantEvents } from './tenant-events.js';
import type { ProcessServices } from './tenant-parts.js';

export interface ExecutionControlParts {
  readonly address: string;
  readonly store: TenantStore;
  readonly claims: ClaimTable;
  readonly waiters: EndWaiters;
  readonly settlement: TaskSettlement;
  readonly comparison: ClaimComparison;
  readonly events: TenantEvents;
  readonly services: ProcessServices;
}

/** What happens to executions from outside of their tasks: pauses, cancellations, workflow timeouts. */
export class ExecutionControl {
  constructor(private readonly parts: ExecutionControlParts) {}

  /**
   * Another process says that it cancelled the execution. That may be late, and the execution retried since; so the
   * database is asked which claims still stand. The signals of the others abort; their outcomes are refused anyway.
   */
  cancelledElsewhere(id: string): void {
    if (this.parts.claims.isActive(id)) this.parts.comparison.request();
    this.parts.waiters.ended(id);
  }

  /** The execution was paused, here or elsewhere: what was claimed and has not begun goes back. */
  paused(id: string): void {
    for (const claim of this.parts.claims.ofExecution(id)) {
      if (claim.stage === 'waiting') this.parts.settlement.giveBack(claim);
    }
  }

  /** Pauses it here at once, and tells the others. */
  announcePause(id: string): void {
    this.paused(id);
    this.parts.services.announcePause(this.parts.address, id);
  }

  /** Ends an execution by a statement. What of it runs here stops at once, and the others are told. */
  async end(id: string, statement: () => Promise<ControlResult>): Promise<ControlResult> {
    const { address, claims, services, waiters } = this.parts;
    const held = claims.ofExecution(id);
    const result = await statement();
    if (!result.changed) return result;
    for (const claim of held) {
      if (claims.holds(claim)) claims.lose(claim);
    }
    waiters.ended(id);
    if (result.running.length > 0) services.announceCancel(address, id);
    if (result.awaited) services.announceEnd(address, id);
    return result;
  }

  /** Ends the executions whose workflow timeout has passed. */
  async enforceDeadlines(): Promise<void> {
    const { store, events } = this.parts;
    for (const { id, workflow, timeoutMs } of await store.pastDeadlines()) {
      const error = toStoredError(new WorkflowTimeoutError(workflow, timeoutMs));
      const result = await this.end(id, () =>
        repeatConflicts(store, () => store.timeOut(id, error)),
      );
      if (result.changed) events.ofExecution('execution.ended', id, workflow, 'Failed');
    }
  }
}
