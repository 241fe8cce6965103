import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { PersistentRetry } from '../../runtime/persistent-retry.js';
import type { Clock } from '../../runtime/clock.js';
import type { CancelledItems, ItemStore, TenantStore } from '../../store/port/index.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { ProcessServices } from '../process-services.js';

/** Above every number of an item. */
const TOP = 2 ** 31 - 1;
/** Pause before items are cancelled that others had locked, in milliseconds. */
const LOCKED_PAUSE_MS = 20;
/** When items are due again whose map could not be ended, in milliseconds. */
const FAILED_PAUSE_MS = 1_000;

export interface ItemCancellerParts {
  readonly clock: Clock;
  readonly address: string;
  readonly store: { readonly items: Pick<ItemStore, 'cancel'> } & Pick<TenantStore, 'schema'>;
  readonly whileUnavailable: Pick<PersistentRetry, 'run'>;
  readonly claims: Pick<ClaimTable, 'ofExecution' | 'holds' | 'abort' | 'loseHeld'>;
  readonly services: Pick<ProcessServices, 'notifyCancelled'>;
  /** Cancels the children of the Cancelled items of a map. */
  readonly endChildren: (map: TaskClaim) => Promise<void>;
  readonly giveBack: (claim: TaskClaim, delayMs: number) => void;
  /** Called when a map is due, because its last item has ended. */
  readonly leftReady: () => void;
}

/**
 * Cancels the items of maps that fail before all of them have ended.
 *
 * With `failFast`, nothing in the statement that records the failure does it. Each process that reads an item of such a map
 * sees the failure in the map's row, does not begin the item, and comes here. So a process that dies after the failure
 * leaves no item running that another one would begin.
 *
 * Handlers of items are aborted at once, but their claims stay in memory until their rows are cancelled, which may take as
 * long as the database is away. A comparison would take a claim that only the database has for an orphan: it would charge the
 * item with a recovery, and another handler would begin it.
 */
export class ItemCanceller {
  private readonly logger = new Logger('Cloacina');
  /** Maps that are being ended after the failure of an item, by execution and task. */
  private readonly underWay = new Map<string, EndOfItems>();

  constructor(private readonly parts: ItemCancellerParts) {}

  /** Cancels the items of a map whose claim this process holds, before its failure is recorded. False if it lost it. */
  async ofMap(claim: TaskClaim): Promise<boolean> {
    const aborted = this.abortItems(claim);
    try {
      if (!(await this.cancelAll(claim, claim.token))) return false;
    } finally {
      this.parts.claims.loseHeld(aborted);
    }
    // The execution may continue after the failure of the map, so its end does not bring about theirs.
    await this.parts.endChildren(claim);
    return true;
  }

  /**
   * Cancels the items that have not ended, because one has failed.
   *
   * @param claim - a claim of an item, which failed or must not begin
   */
  failFast(claim: TaskClaim): void {
    const key = `${claim.executionId}/${claim.taskNo}`;
    const aborted = this.abortItems(claim);
    const known = this.underWay.get(key);
    if (known !== undefined) {
      known.aborted.push(...aborted);
      return;
    }
    const run = this.cancelAll(claim, null).then(
      () => this.parts.claims.loseHeld(aborted),
      (error: unknown) => this.failed(claim, aborted, error),
    );
    this.underWay.set(key, { run, aborted });
    void run.finally(() => this.underWay.delete(key));
  }

  get isBusy(): boolean {
    return this.underWay.size > 0;
  }

  async whenIdle(): Promise<void> {
    await Promise.all([...this.underWay.values()].map(({ run }) => run));
  }

  /** Aborts what this process runs or has queued of the items, before their rows are cancelled. Returns these claims. */
  private abortItems({ executionId, taskNo }: TaskClaim): TaskClaim[] {
    const { claims } = this.parts;
    // The outcome of a settled claim is under way: it is recorded, or refused if its row is cancelled first.
    const items = claims
      .ofExecution(executionId)
      .filter((one) => one.taskNo === taskNo && one.isItem && !one.lost && one.stage !== 'settled');
    for (const item of items) claims.abort(item);
    return items;
  }

  /** Cancels page by page, and again until a pass finds nothing. Returns whether the condition held at least once. */
  private async cancelAll(claim: TaskClaim, token: number | null): Promise<boolean> {
    for (;;) {
      let below = TOP;
      let cancelled = 0;
      let page: CancelledItems;
      do {
        page = await this.cancelPage(claim, token, below);
        if (!page.applied) return false;
        cancelled += page.cancelled;
        below = page.last;
      } while (below > 0);
      if (cancelled === 0 && !page.hasMore) return true;
      if (page.hasMore) await this.parts.clock.sleep(LOCKED_PAUSE_MS);
    }
  }

  private async cancelPage(
    { executionId, taskNo, cache: { generation } }: TaskClaim,
    token: number | null,
    below: number,
  ): Promise<CancelledItems> {
    const { store, whileUnavailable, services, address, leftReady } = this.parts;
    const cancel = { executionId, taskNo, token, generation, below };
    const page = await whileUnavailable.run(() => store.items.cancel(cancel));
    // The handlers of other processes stop as for a cancelled execution: each compares its claims with the rows.
    if (page.wasRunning) services.notifyCancelled(address, executionId);
    if (page.isDue) leftReady();
    return page;
  }

  /** The items are claimed again and begin no more, because the map's row shows the failure: each claim comes back here. */
  private failed(claim: TaskClaim, aborted: readonly TaskClaim[], error: unknown): void {
    this.logger.warn(
      `Schema "${this.parts.store.schema}": the items of task ${claim.task.name} of execution ${claim.executionId} could ` +
        `not be cancelled after the failure of one of them, and will be when the next is claimed: ${toStoredError(error).message}`,
    );
    for (const item of aborted) {
      if (this.parts.claims.holds(item)) this.parts.giveBack(item, FAILED_PAUSE_MS);
    }
  }
}

/** The cancellation of the items of a map, and the claims of items that are aborted until its end. */
interface EndOfItems {
  readonly run: Promise<void>;
  readonly aborted: TaskClaim[];
}
