import type { Timer } from '../../runtime/clock.js';
import type { LimitedClaims } from '../../store/port/index.js';
import { splitLimitKey, type CheckedNumbers } from '../../workflow/index.js';
import { ClaimFailures } from '../claims/claim-failures.js';
import { ClaimKeys } from './claim-keys.js';
import { DueKeys } from './due-keys.js';
import { FreedSlots } from './freed-slots.js';
import { KeyLap } from './key-lap.js';
import { KeyWaits } from './key-waits.js';
import { requestOf } from './limit-keys.js';
import type { LimitedClaimerParts } from './limited-claimer-parts.js';

/**
 * Maximum number of tasks that a statement claims: more than by a claim of tasks without a limit, because this one costs
 * something for each key besides, however many of its tasks it takes.
 */
const MAX_CLAIMS = 1_000;

/**
 * Claims tasks with a limit, one statement at a time, while there is room.
 *
 * It has keys to claim for, and a lap through all keys with due tasks. A key is known from a start, or from a task of this
 * process that has ended, and is claimed for at once, without a search: so a free key costs the same however many others
 * are full. While there is more work than room (`isContended`), ended tasks begin a lap instead, and keys that are known from
 * starts are claimed for in turn with those of the lap. So the keys take turns: in a statement of its own, a busy key would get
 * all the room that the ends of its tasks have made.
 *
 * Where keys of a limit share slots, the end of a task begins a lap too. See {@link FreedSlots}.
 *
 * Keys without a token, and keys that another process had locked, are looked at again by a timer. See {@link KeyWaits}.
 *
 * The tasks of a claim that used all its room are adopted when the next claim is sent, while the server works on that one.
 * Their room stays reserved until then, and they count as under way.
 *
 * States: idle, claiming. A call during a claim adds to its work.
 */
export class LimitedClaimer {
  private readonly keys: ClaimKeys;
  private readonly due: DueKeys;
  private readonly lap: KeyLap;
  private readonly waits: KeyWaits;
  private readonly shared: FreedSlots;
  private readonly failures: ClaimFailures;
  private retry: Timer | undefined;
  private claiming = false;
  /** Whether the latest claims had less room than there was work. */
  private isContended = false;
  /** Resolves when the tasks of all answered claims are adopted. Undefined if they are. */
  private adopting: Promise<void> | undefined;
  private underWay = Promise.resolve();

  constructor(private readonly parts: LimitedClaimerParts) {
    this.due = new DueKeys(parts.store.limits, parts.clock);
    this.lap = new KeyLap(this.due);
    const { catalog, queue } = parts;
    this.keys = new ClaimKeys({ catalog, queue, due: this.due, lap: this.lap });
    this.waits = new KeyWaits(parts.clock, (keys) => this.addKeys(keys));
    this.shared = new FreedSlots(catalog, this.lap);
    this.failures = new ClaimFailures(parts, 'tasks with a limit');
  }

  get isClaiming(): boolean {
    return this.claiming;
  }

  /** Claims for all keys with due tasks. Does nothing in a process that has no handlers for tasks with a limit. */
  look(): void {
    if (!this.isUsed) return;
    this.due.forget();
    this.beginLap();
    this.run();
  }

  /** Call when tasks of these keys are ready. */
  ready(keys: readonly string[]): void {
    const { queue, consequences } = this.parts;
    if (queue.isStuck) consequences.leftReady(!queue.hasLimitedBacklog);
    this.addKeys(keys.filter((key) => !this.waits.hasNoToken(key)));
  }

  /** Call when a task of this process that held a slot of the key has ended. */
  slotFreed(limitKey: string): void {
    const { state, consequences } = this.parts;
    // Only this process knows that there is a free slot: the others would find it with their next sweep.
    if (!state.mayClaim) return consequences.cannotClaim();
    if (this.isContended) return this.lookAgain();
    const brings = !this.needsTokenOnly(limitKey);
    if (this.isUsed && this.shared.areShared(limitKey)) this.shared.freed(limitKey);
    this.addKeys(brings ? [limitKey] : []);
  }

  /** Call when this process has room. */
  hasRoom(): void {
    this.run();
  }

  /** Call when the engine's permission to claim may have changed. */
  stateChanged(): void {
    if (this.parts.state.mayClaim) this.look();
  }

  /** Resolves when no statement is under way. */
  whenIdle(): Promise<void> {
    return this.underWay;
  }

  close(): void {
    this.waits.close();
    this.retry?.cancel();
  }

  /** As {@link look}, with keys that were read just before. */
  private lookAgain(): void {
    if (!this.isUsed) return;
    this.beginLap();
    this.run();
  }

  private beginLap(): void {
    this.shared.lapIsForAll();
    this.lap.begin();
  }

  private addKeys(keys: readonly string[]): void {
    if (!this.isUsed) return;
    for (const key of keys) this.addKey(key);
    if (this.keys.areSome) this.run();
  }

  private addKey(key: string): void {
    if (!this.keys.add(key)) this.beginLap();
  }

  /**
   * Whether the end of a task brings nothing for its key: tokens are short, and not slots. A timer looks for the next token, here
   * or in the process that got the last one.
   */
  private needsTokenOnly(limitKey: string): boolean {
    if (this.waits.hasNoToken(limitKey)) return true;
    const { concurrency } = this.numbersOf(limitKey);
    const isRateOnly = concurrency === undefined && !this.shared.hasTotal(limitKey);
    return isRateOnly && this.waits.isShortOfTokens(limitKey);
  }

  private numbersOf(limitKey: string): CheckedNumbers {
    return this.parts.catalog.limits.get(splitLimitKey(limitKey).name) ?? {};
  }

  private get isUsed(): boolean {
    const { catalog, queue } = this.parts;
    return queue.limit > 0 && catalog.claimable.limitedIds.length > 0;
  }

  private run(): void {
    if (this.claiming || this.retry !== undefined || !this.parts.state.mayClaim) return;
    this.claiming = true;
    // Starts and outcomes of one batch each add their key; one statement claims for all of them.
    this.underWay = Promise.resolve().then(() => this.claimWhileThereIsRoom());
  }

  private async claimWhileThereIsRoom(): Promise<void> {
    const { state, queue } = this.parts;
    let succeeds = true;
    do {
      try {
        await this.claimToTheEnd();
        while (this.adopting !== undefined) {
          await this.adopting;
          this.adopting = undefined;
          // Keys and room that came since had no effect on the loop.
          if (!queue.hasLimitedBacklog || queue.wantsMore) await this.claimToTheEnd();
        }
        if (!this.keys.areSome) this.isContended = false;
        this.failures.succeeded();
      } catch (error) {
        succeeds = false;
        this.failed(error);
        await Promise.allSettled([this.adopting]);
        this.adopting = undefined;
      }
      // Also for the room and the keys that came since the last look.
    } while (succeeds && this.keys.areSome && state.mayClaim && queue.wantsMore);
    this.claiming = false;
  }

  /** Claims until nothing is left to claim for, or no room. */
  private async claimToTheEnd(): Promise<void> {
    const { state, queue, consequences } = this.parts;
    while (this.keys.areSome && state.mayClaim) {
      const isNew = !queue.hasLimitedBacklog;
      queue.hasLimitedBacklog = !queue.wantsMore;
      if (queue.hasLimitedBacklog) {
        this.isContended = true;
        consequences.leftReady(isNew);
        break;
      }
      this.shared.sending();
      await this.claimOnce(this.shared.ownLap);
      this.shared.sent();
    }
  }

  /**
   * Sends one claiming statement. Resolves when the next one may be sent.
   *
   * @param lapFirst - whether the keys of the lap come before those that are known to be ready
   */
  private async claimOnce(lapFirst: boolean): Promise<void> {
    const { store, catalog, gate, except, consequences } = this.parts;
    const { keys, inTurn, from, usesLap } = await this.keys.choose(lapFirst, this.isContended);
    if (keys.length === 0) return this.leftRoom();
    let mayGoOn: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (mayGoOn = resolve));
    const claim = gate.withRoom(
      MAX_CLAIMS,
      (lease, room) => {
        consequences.reserved();
        // Not before the read of the keys: a workflow may have been paused since.
        const { claimable } = catalog;
        const { limitedIds: definitions, unknownTasks: unknown } = claimable;
        const requests = keys.map((limitKey) => requestOf(catalog.limits, claimable, limitKey));
        const choice = {
          definitions,
          unknown,
          except: except(),
          pastLocks: this.failures.passLocks,
        };
        return room === 0 ? NOTHING_CLAIMED : store.limits.claim(requests, room, choice, lease);
      },
      async (claimed, room) => {
        const isFull = claimed.claims.length >= room;
        if (!isFull) this.adopt(claimed);
        this.follow(claimed, isFull);
        if (!isFull) return this.leftRoom();
        this.isContended = true;
        if (usesLap) this.due.keep();
        this.shared.lapIsForAll();
        this.lap.stoppedAt(lastClaimed(claimed, inTurn) ?? from ?? keys.at(-1) ?? '');
        mayGoOn();
        await new Promise<void>((resolve) => this.parts.clock.immediate(resolve));
        this.adopt(claimed);
      },
      true,
    );
    this.adopting = bothOf(this.adopting, claim);
    // Its failure is that of the claim, or is met when the loop waits for it.
    this.adopting.catch(() => undefined);
    const ahead =
      usesLap && this.isContended ? this.due.readAhead(catalog.claimable.limitedIds) : undefined;
    try {
      await Promise.race([answered, claim]);
    } finally {
      await ahead;
    }
  }

  private adopt({ claims }: LimitedClaims): void {
    for (const task of claims) this.parts.consequences.adopt(task);
  }

  /** Whatever is due after a claim that left room must be found: also a key that was not when the keys were read. */
  private leftRoom(): void {
    if (this.due.leftRoom()) this.beginLap();
  }

  /** @param isFull - whether the claim has used all the room that it had */
  private follow(claimed: LimitedClaims, isFull: boolean): void {
    for (const key of claimed.keys) {
      this.shared.claimed(key);
      if (this.waits.claimed(key) && !isFull) this.addKey(key.limitKey);
    }
  }

  private failed(error: unknown): void {
    const { clock, consequences } = this.parts;
    const pauseMs = this.failures.failed(error);
    this.due.forget();
    this.beginLap();
    consequences.reconcile();
    this.retry = clock.timer(() => {
      this.retry = undefined;
      this.run();
    }, pauseMs);
    if (this.failures.isFirst) consequences.cannotClaim();
  }
}

const NOTHING_CLAIMED: Promise<LimitedClaims> = Promise.resolve({ claims: [], keys: [] });

/** Settles when both have settled, and rejects if one of them has. */
async function bothOf(one: Promise<void> | undefined, other: Promise<void>): Promise<void> {
  const results = await Promise.allSettled([one, other]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** The last of the keys for which the claim took a task. */
function lastClaimed({ keys }: LimitedClaims, of: readonly string[]): string | undefined {
  return keys.findLast(({ limitKey, claimed }) => claimed > 0 && of.includes(limitKey))?.limitKey;
}
