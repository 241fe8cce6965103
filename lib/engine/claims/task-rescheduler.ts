import { Batcher } from '../../runtime/batcher.js';
import type { ClaimTable } from './claim-table.js';
import type { TaskClaim } from './task-claim.js';
import {
  type ClaimStore,
  type Reschedule,
  type RescheduleKind,
  byLockOrder,
} from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

const MAX_ITEMS = 500;

export interface RescheduledClaim {
  readonly claim: TaskClaim;
  readonly kind: RescheduleKind;
  readonly delayMs: number;
  /** The failed attempt's error, as it is stored. */
  readonly error?: unknown;
}

/** Gives claims back without an outcome: retries, deferrals, and what a stopping process leaves to the others. */
export class TaskRescheduler {
  private readonly batcher: Batcher<RescheduledClaim, boolean>;

  constructor(
    private readonly store: ClaimStore & FailureClassifier,
    private readonly claims: ClaimTable,
    clock: Clock,
  ) {
    this.batcher = new Batcher({
      clock,
      maxItems: MAX_ITEMS,
      send: (items) => this.send(items),
      classify: (error) => store.classifyFailure(error),
    });
  }

  /** Whether the claim was still held. Either way it is not any more. */
  async reschedule(item: RescheduledClaim): Promise<boolean> {
    const held = await this.batcher.add(item);
    if (held) this.claims.release(item.claim);
    else this.claims.lose(item.claim);
    return held;
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

  // Sent again after a lost reply, an item that was written is refused: it is given back, which is what was wanted,
  // and what became of the task since is its next holder's.
  private async send(items: readonly RescheduledClaim[]): Promise<boolean[]> {
    const order = [...items.entries()].sort(([, a], [, b]) => byLockOrder(a.claim, b.claim));
    const sorted = order.map(([, item]) => toReschedule(item));
    const accepted = await this.store.reschedule(sorted);
    const results = new Array<boolean>(items.length).fill(false);
    for (const [at, [i]] of order.entries()) results[i] = accepted[at] === true;
    return results;
  }
}

function toReschedule({ claim, kind, delayMs, error }: RescheduledClaim): Reschedule {
  return {
    executionId: claim.executionId,
    taskNo: claim.task.no,
    token: claim.token,
    kind,
    delayMs,
    error,
  };
}
