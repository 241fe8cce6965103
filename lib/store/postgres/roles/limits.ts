import { PostgresRole } from './postgres-role.js';
import {
  claimLimited,
  claimLimitedPastLocks,
  claimLimitedStrictly,
  claimLimitedStrictlyPastLocks,
} from '../statements/claim-limited.js';
import type { LimitedRow } from '../statements/limited-clauses.js';
import {
  claimLimitedItems,
  claimLimitedItemsPastLocks,
} from '../statements/claim-limited-items.js';
import { plainArray } from '../statements/encoding.js';
import {
  closeMapLimit,
  readDueKeys,
  readLimitKeys,
  readTheseLimitKeys,
  setLimit,
  setLimitKey,
} from '../statements/limit-keys.js';
import { insertSlots } from '../insert-slots.js';
import {
  itemValues,
  limitedClaimsOf,
  limitedValues,
  strictValues,
} from '../statements/limited-rows.js';
import { pruneLimitKeys, prunedKeysOf, pruneValues } from '../statements/prune-limit-keys.js';
import { mapKeyIn, slotKeyOf, splitLimitKey, type LimitTable } from '../../../workflow/limit.js';
import { isMapLimit } from '../../../workflow/map-limit.js';
import type {
  ClaimedKey,
  ClaimedTask,
  LeaseWrite,
  LimitChange,
  LimitedChoice,
  LimitedClaims,
  LimitKeyRow,
  LimitKeysPage,
  LimitRequest,
  LimitStore,
  MapKey,
  PrunedKeys,
} from '../../port/index.js';

/** Claims tasks with a limit, and reads and sets the numbers of limits, on PostgreSQL. */
export class PostgresLimitStore extends PostgresRole implements LimitStore {
  use(): void {
    this.db.tables.limits.tasks.noted();
  }

  async dueKeys(
    definitions: readonly string[],
    after: string | null,
    count: number,
    areFew = false,
  ): Promise<string[]> {
    const values = [plainArray(definitions), after ?? '', count, areFew];
    return (await this.db.hot.run(readDueKeys, values)).map(({ limitKey }) => limitKey);
  }

  async claim(
    keys: readonly LimitRequest[],
    room: number,
    choice: LimitedChoice,
    lease: LeaseWrite,
  ): Promise<LimitedClaims> {
    await this.insertUnknown(keys);
    const [first, second] = inKinds(keys);
    if (first === undefined || second === undefined) {
      return this.claimKind(keys, room, choice, lease);
    }
    const claims: ClaimedTask[] = [];
    const found = new Map<string, ClaimedKey>();
    const claimOf = async (kind: readonly LimitRequest[], share: number): Promise<void> => {
      if (share <= 0 || kind.length === 0) return;
      const claimed = await this.claimKind(kind, share, choice, lease);
      claims.push(...claimed.claims);
      for (const key of claimed.keys) {
        const before = found.get(key.limitKey)?.claimed ?? 0;
        found.set(key.limitKey, { ...key, claimed: before + key.claimed });
      }
    };
    // The kind of the first key goes first, so that the kinds take turns as the keys do. It leaves the other one its share.
    await claimOf(first, Math.max(1, Math.floor((room * first.length) / keys.length)));
    await claimOf(second, room - claims.length);
    const left = first.filter(({ limitKey }) => found.get(limitKey)?.fate === 'more');
    await claimOf(left, room - claims.length);
    return { claims, keys: keys.flatMap(({ limitKey }) => found.get(limitKey) ?? []) };
  }

  /** Claims for keys that are all joined with those of maps, or all are not. */
  private async claimKind(
    keys: readonly LimitRequest[],
    room: number,
    choice: LimitedChoice,
    lease: LeaseWrite,
  ): Promise<LimitedClaims> {
    const batch = this.db.batches.open();
    const past = choice.pastLocks === true;
    const rows = await this.rowsOf(keys, past, [keys, room, choice, lease, batch.no]);
    const found = limitedClaimsOf(rows, keys);
    const stored = batch.stored(found.claims.length);
    for (const { limitKey, fate } of found.keys) {
      if (fate === 'locked')
        for (const slot of slotsOf(limitKey)) this.db.tables.limits.doubt(slot);
    }
    return { ...found, claims: found.claims.map((claim) => ({ ...claim, batch: stored })) };
  }

  private rowsOf(
    keys: readonly LimitRequest[],
    past: boolean,
    values: Parameters<typeof limitedValues>,
  ): Promise<LimitedRow[]> {
    const { hot } = this.db;
    if (keys[0]?.mapConcurrency !== undefined) {
      return hot.run(past ? claimLimitedItemsPastLocks : claimLimitedItems, itemValues(...values));
    }
    if (keys.some(({ numbers }) => numbers.isStrict === true)) {
      const statement = past ? claimLimitedStrictlyPastLocks : claimLimitedStrictly;
      return hot.run(statement, strictValues(...values));
    }
    return hot.run(past ? claimLimitedPastLocks : claimLimited, limitedValues(...values));
  }

  async setLimit(name: string, change: LimitChange): Promise<void> {
    await this.db.hot.run(setLimit, changeValues(name, change, change.total));
  }

  async setKey(limitKey: string, change: LimitChange): Promise<void> {
    await this.db.hot.run(setLimitKey, changeValues(limitKey, change, change.weight));
  }

  async keysOf(
    limitKeys: readonly string[],
    strict: readonly string[] = [],
  ): Promise<LimitKeyRow[]> {
    return this.db.cold.run(readTheseLimitKeys, [strict, JSON.stringify(limitKeys)]);
  }

  async keys({ name, after, count, strict = [] }: LimitKeysPage): Promise<LimitKeyRow[]> {
    return this.db.cold.run(readLimitKeys, [strict, name, after ?? '', count]);
  }

  async prune(limits: LimitTable, idleMs: number, after: string | null): Promise<PrunedKeys> {
    return prunedKeysOf(await this.db.hot.run(pruneLimitKeys, pruneValues(limits, idleMs, after)));
  }

  async closeMap({ executionId, taskNo }: MapKey, limitKey: string): Promise<void> {
    await this.db.hot.run(closeMapLimit, [limitKey, executionId, taskNo]);
    this.db.tables.limits.doubt(limitKey);
  }

  /** Inserts the rows of keys, and of their limits, that this process has not seen. The limit of a map has no total. */
  private async insertUnknown(keys: readonly LimitRequest[]): Promise<void> {
    const wanted = new Set<string>();
    for (const { limitKey } of keys) {
      for (const slot of slotsOf(limitKey)) wanted.add(slot);
      if (!isMapLimit(limitKey)) wanted.add(splitLimitKey(limitKey).name);
    }
    await insertSlots(this.db, [...wanted]);
  }
}

/** The keys of the rows whose slots a task with the key takes, without that of a total. */
function slotsOf(limitKey: string): string[] {
  const mapKey = mapKeyIn(limitKey);
  return mapKey === undefined ? [limitKey] : [slotKeyOf(limitKey), mapKey];
}

/** Parts requests by the statement that claims for them, in the order of the first ones. */
function inKinds(keys: readonly LimitRequest[]): LimitRequest[][] {
  const kinds = new Map<boolean, LimitRequest[]>();
  for (const key of keys) {
    const isJoined = key.mapConcurrency !== undefined;
    const kind = kinds.get(isJoined);
    if (kind === undefined) kinds.set(isJoined, [key]);
    else kind.push(key);
  }
  return [...kinds.values()];
}

/** The parameters of a statement that sets numbers. `last` is the number that only a limit, or only a key, has. */
function changeValues(
  target: string,
  { concurrency, rate }: LimitChange,
  last: number | null | undefined,
): unknown[] {
  const isSet = [concurrency, rate, rate, rate, last].map((number) => number !== undefined);
  const values = [concurrency, rate?.limit, rate?.perMs, rate?.burst, last];
  return [target, plainArray(isSet), plainArray(values)];
}
