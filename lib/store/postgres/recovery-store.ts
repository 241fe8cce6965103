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
  takeUnowned,
} from './statements/recovery.js';
import type { StatementRunner } from './statements/statement.js';
import {
  listBlocked,
  listStranded,
  withoutHandlerValues,
} from './statements/tasks-without-handler.js';
import type {
  BlockedTaskRow,
  ClaimKey,
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
} from '../port/index.js';

const FORMER: JudgedLease = { over: false, lockEpoch: null, lockSession: null };

/** Recovery's operations on a tenant's schema, on PostgreSQL. */
export class PostgresRecoveryStore implements RecoveryStore {
  constructor(
    /** For taking orphans, which finds its rows by key as other hot statements do. */
    private readonly hot: StatementRunner,
    private readonly cold: StatementRunner,
  ) {}

  async endLease(instanceId: string, judged: JudgedLease | 'former'): Promise<boolean> {
    const isFormer = judged === 'former';
    const { over, lockEpoch, lockSession } = isFormer ? FORMER : judged;
    const values = [instanceId, over, lockEpoch, lockSession, isFormer];
    return (await this.cold.run(endLease, values)).length === 1;
  }

  async takeOrphans(
    instanceId: string | null,
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]> {
    const values = takeOrphansValues(instanceId, how, lease.claimant, lease.write);
    return this.hot.run(instanceId === null ? takeUnowned : takeOrphans, values);
  }

  async takeUnknown(
    claims: readonly ClaimKey[],
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]> {
    const { claimant, write } = lease;
    const values = takeOrphansValues(claimant.instanceId, how, claimant, write);
    return this.hot.run(takeUnknown, [...values, ...claimKeyValues(claims)]);
  }

  async ownersOf({ executionId, taskNo, itemNo }: TaskKey): Promise<string[]> {
    const rows = await this.cold.run(readOwners, [executionId, taskNo, itemNo]);
    return rows.map(({ owner }) => owner ?? '');
  }

  async stats(since: Date | null): Promise<RecoveryStatsRow> {
    const [row] = await this.cold.run(readRecoveryStats, [since]);
    return statsOf(row ?? { recovered: 0, abandoned: 0, median: 0, p95: 0 });
  }

  async events(filter: RecoveryEventFilterRow): Promise<RecoveryEventRow[]> {
    const { executionId, since, before, limit } = filter;
    return this.cold.run(listRecoveryEvents, [executionId, since, before, limit]);
  }

  async stranded(
    definitions: readonly string[],
    unknown: readonly (readonly [string, number])[],
  ): Promise<StrandedTaskRow[]> {
    return this.cold.run(listStranded, withoutHandlerValues(definitions, unknown));
  }

  async blocked(
    definitions: readonly string[],
    unknown: readonly (readonly [string, number])[],
  ): Promise<BlockedTaskRow[]> {
    return this.cold.run(listBlocked, withoutHandlerValues(definitions, unknown));
  }
}
