import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { DueKeys } from './due-keys.js';
import type { KeyLap } from './key-lap.js';

/** Maximum number of keys in one statement. */
const MAX_KEYS = 64;
/**
 * Minimum number of keys that are read at a time, however little room there is: some of them may be full.
 */
const FEW_KEYS = 8;
/** Maximum number of keys that are known to be ready. A lap finds the others. */
const MAX_KNOWN = 10_000;

export interface ClaimKeysParts {
  readonly catalog: Pick<DefinitionCatalog, 'claimable'>;
  readonly queue: Pick<TenantQueue, 'capacity'>;
  readonly due: Pick<DueKeys, 'beginClaim'>;
  readonly lap: Pick<KeyLap, 'isUnderWay' | 'number' | 'position' | 'take'>;
}

/** The keys of one claiming statement. */
export interface ChosenKeys {
  /** In their order. */
  readonly keys: readonly string[];
  /** Those whose turn it is: of the lap, without those that come first because they are known to be ready. */
  readonly inTurn: readonly string[];
  /** The key before those of the lap. Undefined without such keys. */
  readonly from: string | undefined;
  /** Whether the lap was asked for keys. */
  readonly usesLap: boolean;
}

/** Chooses the keys of the next claim: those that are known to be ready, and those of the lap. */
export class ClaimKeys {
  private readonly known = new Set<string>();
  /** Whether the next statement with keys of both kinds begins with one of the lap. */
  private lapIsNext = false;

  constructor(private readonly parts: ClaimKeysParts) {}

  /** Call when tasks of the key may be ready. Returns false if too many keys are known: a lap must find this one. */
  add(limitKey: string): boolean {
    if (this.known.size < MAX_KNOWN) this.known.add(limitKey);
    return this.known.has(limitKey);
  }

  get areSome(): boolean {
    return this.known.size > 0 || this.parts.lap.isUnderWay;
  }

  /**
   * Takes the next keys.
   *
   * @param lapFirst - whether the keys of the lap come before those that are known to be ready
   * @param isContended - whether there is more work than room, so that the keys of the lap get their turn too
   */
  async choose(lapFirst: boolean, isContended: boolean): Promise<ChosenKeys> {
    const known = this.takeKnown();
    const usesLap = lapFirst || isContended || known.length === 0;
    const lap = usesLap ? await this.takeOfLap(MAX_KEYS - known.length) : NO_KEYS;
    const all = lapFirst ? [...lap.keys, ...known] : this.alternate(known, lap.keys);
    return {
      keys: [...new Set(all)],
      inTurn: lapFirst ? lap.keys : lap.keys.filter((key) => !known.includes(key)),
      from: lap.from,
      usesLap,
    };
  }

  /**
   * A known key, one of the lap, the next known one, and so on, in the next statement the other way round. The first keys get
   * the room if there is little. So while tasks of new keys are started all the time, those of older ones begin too.
   */
  private alternate(known: readonly string[], lap: readonly string[]): string[] {
    const [first, second] = this.lapIsNext ? [lap, known] : [known, lap];
    if (first.length > 0 && second.length > 0) this.lapIsNext = !this.lapIsNext;
    const pairs = Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [
      ...first.slice(i, i + 1),
      ...second.slice(i, i + 1),
    ]);
    return pairs.flat();
  }

  /** Keys that are known to be ready. They leave room for those of a lap. */
  private takeKnown(): string[] {
    const most = this.parts.lap.isUnderWay ? MAX_KEYS / 2 : MAX_KEYS;
    const keys = [...this.known].slice(0, most);
    for (const key of keys) this.known.delete(key);
    return keys;
  }

  /** The next keys of the lap, and the key before them. */
  private async takeOfLap(most: number): Promise<KeysOfLap> {
    const { catalog, due, lap, queue } = this.parts;
    const from = lap.position ?? '';
    const count = Math.min(most, Math.max(FEW_KEYS, queue.capacity));
    due.beginClaim(lap.number);
    const keys = await lap.take(catalog.claimable.limitedIds, count);
    return keys.length === 0 ? NO_KEYS : { keys, from };
  }
}

interface KeysOfLap {
  readonly keys: readonly string[];
  readonly from: string | undefined;
}

const NO_KEYS: KeysOfLap = { keys: [], from: undefined };
