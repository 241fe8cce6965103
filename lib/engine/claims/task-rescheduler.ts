import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import { Batcher } from '../../runtime/batcher.js';
import type { ClaimTable } from './claim-table.js';
import type { TaskClaim } from './task-claim.js';
import {
  type ClaimStore,
  type Reschedule,
  type RescheduleKind,
  type RescheduleResult,
  type TenantStore,
  byLockOrder,
} from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

const MAX_ITEMS = 500;

export interface RescheduledClaim {
  readonly claim: TaskClaim;
  readonly kind: RescheduleKind;
  /** Null: until the task is woken. */
  readonly delayMs: number | null;
  /** For a suspension: the number of children of which only the last one wakes the task. Default: 0, each one does. */
  readonly joins?: number;
  /** The stored form of the failed attempt's error. */
  readonly error?: unknown;
}

/** Ends claims without an outcome: for retries, deferrals and waits, and when the process stops or pauses. */
export class TaskRescheduler {
  private readonly logger = new Logger('Cloacina');
  private readonly batcher: Batcher<RescheduledClaim, RescheduleResult>;

  constructor(
    private readonly store: ClaimStore & FailureClassifier & Pick<TenantStore, 'schema'>,
    private readonly claims: ClaimTable,
    clock: Clock,
  ) {
    this.batcher = new Batcher({
      clock,
      maxItems: MAX_ITEMS,
      send: (items) => this.send(items),
      classify: (error) => store.classifyFailure(error),
      late: (items, error) => this.reportLate(items, error),
    });
  }

  /** Gives the claim back, and returns the result. The claim has ended afterwards in any case. */
  async reschedule(item: RescheduledClaim): Promise<RescheduleResult> {
    const result = await this.batcher.add(item);
    if (result === 'refused') {
      this.claims.lose(item.claim);
    } else {
      this.claims.release(item.claim);
      item.claim.ended();
    }
    return result;
  }

  get isBusy(): boolean {
    return this.batcher.size > 0;
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  // If the reply to a send is lost, the resend refuses the items that the first send has written. Those are given back,
  // as intended, and belong to their next holder.
  private async send(items: readonly RescheduledClaim[]): Promise<RescheduleResult[]> {
    const order = [...items.entries()].sort(([, a], [, b]) => byLockOrder(a.claim, b.claim));
    const sorted = order.map(([, item]) => toReschedule(item));
    const replies = await this.store.reschedule(sorted);
    const results = new Array<RescheduleResult>(items.length).fill('refused');
    for (const [at, [i]] of order.entries()) results[i] = replies[at] ?? 'refused';
    return results;
  }

  private reportLate(items: readonly RescheduledClaim[], error: unknown): void {
    const [first] = items;
    if (first === undefined) return;
    const { claim } = first;
    const others = items.length === 1 ? '' : ` and ${items.length - 1} more`;
    this.logger.warn(
      `Schema "${this.store.schema}": task ${claim.task.name} of execution ${claim.executionId}${others} could not be given ` +
        `back for some seconds, to run again later, and will be: ${toStoredError(error).message}`,
    );
  }
}

function toReschedule({ claim, kind, delayMs, error, joins = 0 }: RescheduledClaim): Reschedule {
  return {
    executionId: claim.executionId,
    taskNo: claim.taskNo,
    itemNo: claim.itemNo,
    token: claim.token,
    kind,
    delayMs,
    wakes: claim.wakes,
    joins,
    error,
  };
}
