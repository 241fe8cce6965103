import { countWithin } from '../bounded-list.js';
import { inPoolTransaction } from '../connections/pool-transaction.js';
import { listSourceOf } from '../list-source.js';
import { resetOn } from '../reset-on.js';
import { PostgresRole } from './postgres-role.js';
import { bulkFinding, readNow } from '../statements/bulk-finding.js';
import { bulkReplyOf, controlExecutions } from '../statements/control-executions.js';
import { deleteExecutions, deletionOf } from '../statements/delete-executions.js';
import { plainArray } from '../statements/encoding.js';
import { lockForResets } from '../statements/lock-for-resets.js';
import type {
  BulkAction,
  BulkCount,
  BulkDeletion,
  BulkFilter,
  BulkPosition,
  BulkReply,
  BulkReset,
  BulkStore,
  ExecutionReset,
  LockedForRetry,
  ResetDecision,
} from '../../port/index.js';

/** No execution has this id: it comes before all others of the same instant. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Operations on many executions, on PostgreSQL. */
export class PostgresBulkStore extends PostgresRole implements BulkStore {
  async now(): Promise<BulkPosition> {
    const [row] = await this.db.cold.run(readNow, []);
    return { createdAtMicros: row?.createdAtMicros ?? '0', id: NO_ID };
  }

  async find(filter: BulkFilter, after: BulkPosition, limit: number): Promise<BulkPosition[]> {
    const { source, values } = listSourceOf({ ...filter, after, limit });
    return this.db.cold.run(bulkFinding(source, filter.isTop).find, values);
  }

  async count(filter: BulkFilter, after: BulkPosition): Promise<number> {
    const { source, values } = listSourceOf({ ...filter, after, limit: null });
    const [row] = await this.db.cold.run(bulkFinding(source, filter.isTop).count, values);
    return row?.count ?? 0;
  }

  countWithin(
    filter: BulkFilter,
    after: BulkPosition,
    bounds: { readonly cap: number; readonly maxRead: number },
  ): Promise<BulkCount> {
    return countWithin(this.db.cold, { ...filter, after }, bounds);
  }

  async control(
    action: BulkAction,
    ids: readonly string[],
    reason: string | null,
    actor: string | null = null,
  ): Promise<BulkReply> {
    const values = [plainArray(ids), reason, actor];
    return bulkReplyOf(await this.db.hot.run(controlExecutions[action], values));
  }

  async delete(ids: readonly string[]): Promise<BulkDeletion> {
    return deletionOf(await this.db.hot.run(deleteExecutions, [plainArray(ids)]));
  }

  async reset(
    ids: readonly string[],
    decide: (execution: LockedForRetry) => Promise<ResetDecision | null>,
  ): Promise<BulkReset> {
    return inPoolTransaction(this.db.pools.general, async (client) => {
      const runner = this.db.on(client);
      const resets: ExecutionReset[] = [];
      const left: string[] = [];
      for (const { isLeft, definitionId, ...row } of await runner.run(lockForResets, [
        plainArray(ids),
      ])) {
        const decision =
          isLeft || definitionId === null ? null : await decide({ ...row, definitionId });
        if (isLeft) left.push(row.id);
        else if (decision !== null) resets.push({ id: row.id, ...decision });
      }
      return { reset: await resetOn(runner, resets), left };
    });
  }
}
