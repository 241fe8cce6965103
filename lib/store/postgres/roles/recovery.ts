import { PostgresRole } from './postgres-role.js';
import type { OpenBatch } from '../claim-batches.js';
import { forgetBatches } from '../statements/claim-batch.js';
import {
  claimKeyValues,
  endLease,
  listRecoveryEvents,
  readOwners,
  readRecoveryStats,
  statsOf,
  takeOrphans,
  takeOrphansValues,
  takeUnknown,
} from '../statements/recovery.js';
import { relistClaims, relistValues, searchOf } from '../statements/relist-claims.js';
import {
  listBlocked,
  listStranded,
  withoutHandlerValues,
} from '../statements/tasks-without-handler.js';
import type {
  BlockedTaskRow,
  ClaimKey,
  ClaimSearch,
  ClaimSearchPosition,
  JudgedLease,
  LeaseWrite,
  RecoveryEventFilterRow,
  RecoveryEventRow,
  RecoveryStatsRow,
  RecoveryStore,
  StrandedTaskRow,
  TakeOrphans,
  TakenOrphan,
  TaskKey,
} from '../../port/index.js';

const FORMER: JudgedLease = { over: false, lockEpoch: null, lockSession: null };

/** Recovery's operations on a tenant's schema, on PostgreSQL. */
export class PostgresRecoveryStore extends PostgresRole implements RecoveryStore {
  async endLease(instanceId: string, judged: JudgedLease | 'former'): Promise<boolean> {
    const isFormer = judged === 'former';
    const { over, lockEpoch, lockSession } = isFormer ? FORMER : judged;
    const values = [instanceId, over, lockEpoch, lockSession, isFormer];
    return (await this.db.cold.run(endLease, values)).length === 1;
  }

  async takeOrphans(
    instanceId: string,
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]> {
    const open = this.db.batches.open();
    const values = takeOrphansValues(instanceId, how, lease.claimant, lease.write, open.no);
    const taken = await this.db.hot.run(takeOrphans, values);
    // So the next statement does not read the lists whose claims are taken.
    await this.db.hot.run(forgetBatches, [instanceId]);
    return inBatch(taken, open);
  }

  async takeUnknown(
    claims: readonly ClaimKey[],
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]> {
    const { claimant, write } = lease;
    const open = this.db.batches.open();
    const values = takeOrphansValues(claimant.instanceId, how, claimant, write, open.no);
    return inBatch(
      await this.db.hot.run(takeUnknown, [...values, ...claimKeyValues(claims)]),
      open,
    );
  }

  async relistClaims(after?: ClaimSearchPosition): Promise<ClaimSearch> {
    return searchOf(await this.db.hot.run(relistClaims, relistValues(after)));
  }

  async ownersOf({ executionId, taskNo, itemNo }: TaskKey): Promise<string[]> {
    const rows = await this.db.cold.run(readOwners, [executionId, taskNo, itemNo]);
    return rows.map(({ owner }) => owner ?? '');
  }

  async stats(since: Date | null, cap: number | null = null): Promise<RecoveryStatsRow> {
    const [row] = await this.db.cold.run(readRecoveryStats, [since, cap]);
    return statsOf(row ?? { recovered: 0, abandoned: 0, median: 0, p95: 0 });
  }

  async events(filter: RecoveryEventFilterRow): Promise<RecoveryEventRow[]> {
    const { executionId, since, before, limit } = filter;
    return this.db.cold.run(listRecoveryEvents, [executionId, since, before, limit]);
  }

  async stranded(
    definitions: readonly string[],
    unknown: readonly (readonly [string, number])[],
  ): Promise<StrandedTaskRow[]> {
    return this.db.cold.run(listStranded, withoutHandlerValues(definitions, unknown));
  }

  async blocked(
    definitions: readonly string[],
    unknown: readonly (readonly [string, number])[],
  ): Promise<BlockedTaskRow[]> {
    return this.db.cold.run(listBlocked, withoutHandlerValues(definitions, unknown));
  }
}

/** Abandoned orphans are claims of this process. */
function inBatch(taken: readonly TakenOrphan[], open: OpenBatch): TakenOrphan[] {
  const batch = open.stored(taken.filter(({ abandoned }) => abandoned).length);
  return taken.map((orphan) => (orphan.abandoned ? { ...orphan, batch } : orphan));
}
