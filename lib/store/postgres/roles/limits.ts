import { PostgresRole } from './postgres-role.js';
import {
  claimLimited,
  claimLimitedPastLocks,
  claimLimitedStrictly,
  claimLimitedStrictlyPastLocks,
} from '../statements/claim-limited.js';
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
import { limitedClaimsOf, limitedValues, strictValues } from '../statements/limited-rows.js';
import { pruneLimitKeys, prunedKeysOf, pruneValues } from '../statements/prune-limit-keys.js';
import { splitLimitKey, type LimitTable } from '../../../workflow/limit.js';
import { isMapLimit } from '../../../workflow/map-limit.js';
import type {
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
  ): Promise<string[]> {
    const values = [plainArray(definitions), after ?? '', count];
    return (await this.db.hot.run(readDueKeys, values)).map(({ limitKey }) => limitKey);
  }

  async claim(
    keys: readonly LimitRequest[],
    room: number,
    choice: LimitedChoice,
    lease: LeaseWrite,
  ): Promise<LimitedClaims> {
    await this.insertUnknown(keys);
    const batch = this.db.batches.open();
    const past = choice.pastLocks === true;
    const rows = keys.some(({ numbers }) => numbers.isStrict === true)
      ? await this.db.hot.run(
          past ? claimLimitedStrictlyPastLocks : claimLimitedStrictly,
          strictValues(keys, room, choice, lease, batch.no),
        )
      : await this.db.hot.run(
          past ? claimLimitedPastLocks : claimLimited,
          limitedValues(keys, room, choice, lease, batch.no),
        );
    const found = limitedClaimsOf(rows);
    const stored = batch.stored(found.claims.length);
    for (const { limitKey, fate } of found.keys) {
      if (fate === 'locked') this.db.tables.limits.doubt(limitKey);
    }
    return { ...found, claims: found.claims.map((claim) => ({ ...claim, batch: stored })) };
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
      wanted.add(limitKey);
      if (!isMapLimit(limitKey)) wanted.add(splitLimitKey(limitKey).name);
    }
    await insertSlots(this.db, [...wanted]);
  }
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
