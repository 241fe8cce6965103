import { LIVENESS_LOCK_CLASS } from './session-statements.js';
import { decodeClaims } from './statements/claim-tasks.js';
import { plainArray } from './statements/encoding.js';
import {
  decodeRecoveryEvents,
  decodeRecoveryStats,
  endLease,
  listBlocked,
  listRecoveryEvents,
  readOwners,
  readRecoveryStats,
  takeOrphans,
  takeOrphansValues,
} from './statements/recovery.js';
import type { StatementRunner } from './statements/statement.js';
import type {
  BlockedTaskRow,
  LeaseWrite,
  RecoveryEventFilterRow,
  RecoveryEventRow,
  RecoveryStatsRow,
  RecoveryStore,
  TakenOrphan,
  TakeOrphans,
} from './store.js';

/** What recovery asks of a tenant's schema, on PostgreSQL. */
export class PostgresRecoveryStore implements RecoveryStore {
  constructor(
    /** Taking orphans finds its rows by key, as other hot statements do. */
    private readonly hot: StatementRunner,
    private readonly cold: StatementRunner,
  ) {}

  async endLease(
    instanceId: string,
    { over, lockEpoch, lockKey }: Parameters<RecoveryStore['endLease']>[1],
  ): Promise<boolean> {
    const values = [instanceId, over, lockEpoch, LIVENESS_LOCK_CLASS, lockKey];
    return (await this.cold.run(endLease, values)).length === 1;
  }

  async takeOrphans(
    instanceId: string,
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]> {
    const values = takeOrphansValues(instanceId, how, lease.claimant, lease.write);
    const rows = await this.hot.run(takeOrphans, values);
    return decodeClaims(rows).map((claim, i) => ({ ...claim, abandoned: rows[i]?.[9] === '1' }));
  }

  async ownersOf(executionId: string, taskNo: number): Promise<string[]> {
    const rows = await this.cold.run(readOwners, [executionId, taskNo]);
    return rows.map((row) => row[0] ?? '');
  }

  async stats(since: Date | null): Promise<RecoveryStatsRow> {
    return decodeRecoveryStats(await this.cold.run(readRecoveryStats, [since]));
  }

  async events(filter: RecoveryEventFilterRow): Promise<RecoveryEventRow[]> {
    const { executionId, since, before, limit } = filter;
    return decodeRecoveryEvents(
      await this.cold.run(listRecoveryEvents, [executionId, since, before, limit]),
    );
  }

  async blocked(
    definitions: readonly number[],
    unknown: readonly (readonly [number, number])[],
  ): Promise<BlockedTaskRow[]> {
    const rows = await this.cold.run(listBlocked, [
      plainArray(definitions),
      plainArray(unknown.map(([definition]) => definition)),
      plainArray(unknown.map(([, task]) => task)),
    ]);
    return rows.map((row) => ({
      executionId: row[0] ?? '',
      taskNo: Number(row[1]),
      definitionId: Number(row[2]),
    }));
  }
}
