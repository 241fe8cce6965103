import type { ClaimedKey } from '../../store/port/index.js';
import { splitLimitKey } from '../../workflow/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { KeyLap } from './key-lap.js';

/**
 * The slots that keys of a limit share, that ended tasks of this process have freed, and that its claims have not taken since:
 * those of a total, and those of maps whose items count for the limit beside the `concurrency` of the map, each with a
 * stored key of its own. Any key of the limit may wait for such a slot, so a lap looks for one. It begins behind the key of the ended task, so that the keys take
 * turns, and ends when the slots are taken.
 */
export class FreedSlots {
  /** Limits whose total was set at run time, as the latest claim for one of their keys has shown. */
  private readonly shown = new Set<string>();
  /** Slots that were freed before the statement under way, and during it, by the names of their limits. */
  private readonly before = new Map<string, number>();
  private readonly during = new Map<string, number>();
  private isOwn = false;

  constructor(
    private readonly catalog: Pick<DefinitionCatalog, 'limits' | 'joinedLimits'>,
    private readonly lap: Pick<KeyLap, 'begin' | 'isUnderWay' | 'stop'>,
  ) {}

  /** Whether other keys may wait for a slot that a task of the key has, as far as this process knows. */
  areShared(limitKey: string): boolean {
    return this.hasTotal(limitKey) || this.catalog.joinedLimits.has(splitLimitKey(limitKey).name);
  }

  /** Whether the limit of the key has a total, as far as this process knows. */
  hasTotal(limitKey: string): boolean {
    const { name } = splitLimitKey(limitKey);
    return this.shown.has(name) || this.catalog.limits.get(name)?.total !== undefined;
  }

  /** Whether the lap under way is only for such slots. */
  get ownLap(): boolean {
    return this.isOwn;
  }

  /** Call when a task of the key has ended. */
  freed(limitKey: string): void {
    const { name } = splitLimitKey(limitKey);
    this.isOwn ||= !this.lap.isUnderWay;
    this.during.set(name, (this.during.get(name) ?? 0) + 1);
    this.lap.begin(limitKey);
  }

  /** Call when the lap is to go through all keys, whatever it finds. */
  lapIsForAll(): void {
    this.isOwn = false;
  }

  /** Call before a statement is composed: it may claim slots that were freed before. */
  sending(): void {
    for (const [name, slots] of this.during) {
      this.before.set(name, (this.before.get(name) ?? 0) + slots);
    }
    this.during.clear();
  }

  /** Call for each key of the statement's reply. */
  claimed({ limitKey, claimed, hasTotal }: ClaimedKey): void {
    const { name } = splitLimitKey(limitKey);
    if (hasTotal) this.shown.add(name);
    else this.shown.delete(name);
    const left = (this.before.get(name) ?? 0) - claimed;
    if (left > 0) this.before.set(name, left);
    else this.before.delete(name);
  }

  /** Call after each statement. */
  sent(): void {
    if (this.isOwn && this.before.size + this.during.size === 0) this.lap.stop();
    if (this.lap.isUnderWay) return;
    // The lap was at all keys: none of them takes the other slots.
    this.isOwn = false;
    this.before.clear();
  }
}
