import { Logger } from '@nestjs/common';
import {
  toPlainError,
  toStoredError,
  WorkflowTimeoutError,
  type StoredError,
} from '../errors/index.js';
import type { TenantEvents } from '../events/tenant-events.js';
import type { FailureClassifier } from '../runtime/failure.js';
import { LastingFailure } from '../runtime/lasting-failure.js';
import { retryOnConflict } from '../runtime/retry-on-conflict.js';
import type { ControlStore, PastDeadline, TimedOutExecution } from '../store/port/index.js';
import type { ClaimTable } from './claims/claim-table.js';
import type { ExecutionEnds } from './completion/execution-ends.js';
import type { Clock } from '../runtime/clock.js';

export interface WorkflowTimeoutsParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: Pick<ControlStore, 'pastDeadlines' | 'timeOut'> & FailureClassifier;
  readonly claims: ClaimTable;
  readonly ends: Pick<ExecutionEnds, 'tell'>;
  readonly events: TenantEvents;
}

/** Ends the executions whose workflow timeout has passed, and those that have not begun in time. */
export class WorkflowTimeouts {
  private readonly logger = new Logger('Cloacina');
  private enforcing: Promise<boolean> | undefined;
  private readonly lasting: LastingFailure;

  constructor(private readonly parts: WorkflowTimeoutsParts) {
    this.lasting = new LastingFailure(parts.clock);
  }

  /** Returns false if some are left, because another process enforces timeouts now or holds their rows. */
  enforce(): Promise<boolean> {
    this.enforcing ??= this.endOverdue()
      .then((all) => {
        this.lasting.passed();
        return all;
      })
      .catch((error: unknown) => {
        this.report(error);
        throw error;
      })
      .finally(() => (this.enforcing = undefined));
    return this.enforcing;
  }

  private report(error: unknown): void {
    const seconds = this.lasting.failed();
    if (seconds === undefined) return;
    this.logger.warn(
      `Tenant "${this.parts.tenant}": executions whose workflow timeout has passed could not be ended for ${seconds} s, and will ` +
        `be: ${toStoredError(error).message}`,
    );
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
    const { clock, claims, ends, events, store } = this.parts;
    const overdue = new Map(executions.map((execution) => [execution.id, execution]));
    const held = claims.all().filter(({ executionId }) => overdue.has(executionId));
    const end = (failure: typeof errorOf): Promise<TimedOutExecution[] | undefined> =>
      retryOnConflict(store, clock, () => store.timeOut(executions, failure));
    const ended = await end(errorOf).catch((error: unknown) => {
      // The encoding of the database may lack characters of the stack, such as those of a path.
      if (store.classifyFailure(error).kind !== 'data') throw error;
      return end((execution) => toPlainError(errorOf(execution)));
    });
    const gone = new Set(ended?.map(({ id }) => id));
    claims.loseHeld(held.filter(({ executionId }) => gone.has(executionId)));
    for (const { id, hasWaiters, wasRunning, hasExpired, unsettled } of ended ?? []) {
      ends.tell(id, { wasRunning, hasWaiters, unsettled });
      const execution = overdue.get(id);
      if (execution === undefined) continue;
      const { workflow } = execution;
      if (hasExpired) events.executionEnded(id, workflow, 'Cancelled');
      else events.executionEnded(id, workflow, 'Failed', { error: errorOf(execution) });
    }
    return ended;
  }
}

function errorOf({ workflow, timeoutMs }: PastDeadline): StoredError {
  return toStoredError(new WorkflowTimeoutError(workflow, timeoutMs));
}
