import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { retryOnConflict } from '../../runtime/retry-on-conflict.js';
import {
  ADMIT_NEXT,
  END_CHILDREN,
  TELL_PARENTS,
  type ChildrenPage,
  type ChildStore,
  type UnsettledEnd,
  type Woken,
  type WokenTask,
} from '../../store/port/index.js';
import { classifierOf } from '../write-batches.js';
import type { ChildUse } from './child-use.js';
import type { PersistentRetry } from '../../runtime/persistent-retry.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { TaskWaker } from '../claims/task-waker.js';

/** Maximum number of ended executions in one statement. */
const MAX_ENDS = 300;
/** Maximum number of unsettled ends that one look reads. */
const MAX_LEFT = 500;
/** Maximum number of waits for deleted executions that one statement ends. */
const MAX_MISSING = 500;
/** Number of passes over the children of one parent, and the pause between them, in milliseconds, while rows are locked. */
const MAX_PASSES = 40;
const PASS_PAUSE_MS = 50;

export interface EndSettlerParts {
  readonly clock: Clock;
  readonly schema: string;
  readonly store: FailureClassifier & { readonly children: ChildStore };
  readonly claims: Pick<ClaimTable, 'all' | 'loseHeld'>;
  /** Announces the ends of executions. */
  readonly ends: {
    tell(
      id: string,
      end: {
        readonly wasRunning: boolean;
        readonly hasWaiters: boolean;
        readonly unsettled: number;
      },
    ): void;
  };
  readonly events: Pick<TenantEvents, 'executionEnded'>;
  readonly waker: Pick<TaskWaker, 'send'>;
  readonly use: Pick<ChildUse, 'noted'>;
  readonly whileUnavailable: Pick<PersistentRetry, 'run'>;
  /** Lets the next execution of its key begin, and clears its bit. Never throws. */
  readonly admitNext: (id: string) => void;
}

/**
 * Brings about what the end of an execution leaves to do: it tells the tasks that wait for it, cancels the children of an
 * execution that did not complete, and lets the next execution of its admission key begin.
 *
 * The process that stores an end settles it at once. If it dies before, the sweep finds the row: its bits are still set.
 * Both may happen, because each statement does nothing the second time.
 */
export class EndSettler {
  private readonly logger = new Logger('Cloacina');
  private readonly telling: Batcher<string, undefined>;
  /** Ends to report again, because a waiting task has found them. */
  private readonly retelling: Batcher<string, undefined>;
  private readonly clearing: Batcher<string, undefined>;
  private readonly ending = new Map<string, Promise<boolean>>();
  private settlingLeft: Promise<void> | undefined;
  private isClosed = false;

  constructor(private readonly parts: EndSettlerParts) {
    const { clock, store } = parts;
    const classify = classifierOf(store);
    this.telling = new Batcher({
      clock,
      maxItems: MAX_ENDS,
      send: (ids) => this.sendEnds(ids),
      classify,
      late: (ids, error) => this.reportLate(ids, error),
    });
    this.retelling = new Batcher({
      clock,
      maxItems: MAX_ENDS,
      send: (ids) => this.sendEnds(ids, true),
      classify,
    });
    this.clearing = new Batcher({
      clock,
      maxItems: MAX_ENDS,
      send: async (ids) => {
        await store.children.childrenEnded([...new Set(ids)].sort());
        return ids.map(() => undefined);
      },
      classify,
    });
  }

  /** Call when the end of an execution is stored. Never throws: the sweep makes up for a failure. */
  ended(id: string, unsettled: number): void {
    void this.settle(id, unsettled);
  }

  /** Tells the tasks that wait for an execution, even if the tasks that waited earlier were told. */
  async tell(id: string): Promise<void> {
    await this.retelling.add(id);
  }

  /**
   * Cancels the children of an execution that did not complete. Returns whether all are ended; otherwise rows are locked,
   * and the sweep continues.
   */
  endChildrenOf(id: string): Promise<boolean> {
    let ending = this.ending.get(id);
    if (ending === undefined) {
      ending = this.endAll(id).finally(() => this.ending.delete(id));
      this.ending.set(id, ending);
    }
    return ending;
  }

  /**
   * Cancels the children of the Cancelled items of a map, while its claim is held. Comes back for locked rows, so no child
   * is left when the outcome of the map is recorded.
   */
  async endItemChildren(map: TaskClaim): Promise<void> {
    const reason = `An item of ${JSON.stringify(map.task.name)} of its parent, execution ${map.executionId}, was cancelled.`;
    const { store, clock, whileUnavailable } = this.parts;
    // Without its outcome the map would keep its claim, so each page waits for the database.
    const end: EndPage = (after) =>
      whileUnavailable.run(() => store.children.endItemChildren(map, reason, after));
    while ((await this.passOver(end)) > 0 && !map.lost) await clock.sleep(PASS_PAUSE_MS);
  }

  /**
   * Settles all ends that a lost process, or a lost reply, has left behind, page by page. Never rejects: the sweep finds
   * them too.
   */
  settleLeft(): Promise<void> {
    this.settlingLeft ??= this.settlePages()
      .catch(() => undefined) // The next round of the sweep finds them.
      .finally(() => (this.settlingLeft = undefined));
    return this.settlingLeft;
  }

  /** Tells the tasks that wait for executions that were deleted. */
  async tellMissing(): Promise<void> {
    const { waker, store } = this.parts;
    await waker.send(0, async () => wokenOf(await store.children.tellMissing(MAX_MISSING)));
  }

  get isBusy(): boolean {
    return (
      this.telling.size > 0 ||
      this.retelling.size > 0 ||
      this.ending.size > 0 ||
      this.clearing.size > 0
    );
  }

  async whenIdle(): Promise<void> {
    while (this.ending.size > 0) await Promise.allSettled(this.ending.values());
    const { telling, retelling, clearing } = this;
    await Promise.all([telling.whenIdle(), retelling.whenIdle(), clearing.whenIdle()]);
  }

  close(): void {
    this.isClosed = true;
    this.telling.close();
    this.retelling.close();
    this.clearing.close();
  }

  /** Resolves when it is done, or has failed. */
  private async settle(id: string, unsettled: number): Promise<void> {
    if ((unsettled & (TELL_PARENTS | END_CHILDREN | ADMIT_NEXT)) === 0) return;
    this.parts.use.noted();
    if ((unsettled & ADMIT_NEXT) !== 0) this.parts.admitNext(id);
    const report = (error: unknown): void => this.reportLate([id], error);
    await Promise.all([
      (unsettled & TELL_PARENTS) === 0 ? undefined : this.telling.add(id).catch(report),
      (unsettled & END_CHILDREN) === 0 ? undefined : this.endChildrenOf(id).catch(report),
    ]);
  }

  /** By id, so an end that can't be settled keeps no others from it. */
  private async settlePages(): Promise<void> {
    let after: string | null = null;
    do {
      const left: UnsettledEnd[] = await this.parts.store.children.unsettled(MAX_LEFT, after);
      await Promise.all(left.map(({ id, bits }) => this.settle(id, bits)));
      after = left.length < MAX_LEFT ? null : (left.at(-1)?.id ?? null);
    } while (after !== null && !this.isClosed);
  }

  private async sendEnds(ids: readonly string[], again = false): Promise<undefined[]> {
    await this.tellAll([...new Set(ids)], again);
    return ids.map(() => undefined);
  }

  /** One parent waits for most children, so there is room for a claim for each. */
  private async tellAll(ids: readonly string[], force: boolean): Promise<void> {
    const { waker, store } = this.parts;
    await waker.send(ids.length, async (claims) =>
      wokenOf(await store.children.tellParents(ids, force, claims)),
    );
  }

  private async endAll(id: string): Promise<boolean> {
    const reason = `Its parent, execution ${id}, has ended.`;
    const { store, clock } = this.parts;
    const end: EndPage = (after) => store.children.endChildren(id, reason, after);
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      if (pass > 0) await clock.sleep(PASS_PAUSE_MS);
      if ((await this.passOver(end)) > 0) continue;
      await this.clearing.add(id);
      return true;
    }
    return false;
  }

  /** Goes through the children once. Returns how many were skipped because their rows were locked. */
  private async passOver(end: EndPage): Promise<number> {
    const { clock, claims, store } = this.parts;
    let skipped = 0;
    let after: string | null = null;
    do {
      const last: string | null = after;
      const held = claims.all();
      const page: ChildrenPage = await retryOnConflict(store, clock, () => end(last));
      this.follow(page, held);
      skipped += page.skipped;
      after = page.last;
    } while (after !== null);
    return skipped;
  }

  private follow({ cancelled }: ChildrenPage, held: ReturnType<ClaimTable['all']>): void {
    const { claims, ends, events } = this.parts;
    const gone = new Set(cancelled.map(({ id }) => id));
    claims.loseHeld(held.filter(({ executionId }) => gone.has(executionId)));
    for (const { id, workflow, hasWaiters, wasRunning, unsettled } of cancelled) {
      ends.tell(id, { wasRunning, hasWaiters, unsettled });
      events.executionEnded(id, workflow, 'Cancelled');
    }
  }

  private reportLate(ids: readonly string[], error: unknown): void {
    const others = ids.length === 1 ? '' : ` and ${ids.length - 1} more`;
    this.logger.warn(
      `Schema "${this.parts.schema}": the end of execution ${String(ids[0])}${others} could not be passed on to its parent ` +
        `or children and will be retried: ${toStoredError(error).message}`,
    );
  }
}

/** Cancels the page of children behind the last one of the previous page. */
type EndPage = (after: string | null) => Promise<ChildrenPage>;

function wokenOf(tasks: readonly WokenTask[]): Woken {
  return {
    claims: tasks.flatMap(({ claim }) => claim ?? []),
    due: tasks.filter(({ isDue }) => isDue).length,
  };
}
