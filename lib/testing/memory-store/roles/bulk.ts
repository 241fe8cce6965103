import type {
  BulkAction,
  BulkCount,
  BulkDeletion,
  BulkFilter,
  BulkPosition,
  BulkReply,
  BulkReset,
  BulkStore,
} from '../../../store/port/index.js';
import { controlMany, deleteMany, findMany, micros } from '../memory-bulk.js';
import { resetMany } from '../memory-resets.js';
import { MemoryRole } from './memory-role.js';

const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Operations on many executions, in memory. */
export class MemoryBulkStore extends MemoryRole implements BulkStore {
  now(): Promise<BulkPosition> {
    return this.run((tables) => ({ createdAtMicros: micros(tables.now()), id: NO_ID }));
  }

  find(filter: BulkFilter, after: BulkPosition, limit: number): Promise<BulkPosition[]> {
    return this.run((tables) => findMany(tables, filter, after).slice(0, limit));
  }

  count(filter: BulkFilter, after: BulkPosition): Promise<number> {
    return this.run((tables) => findMany(tables, filter, after).length);
  }

  async countWithin(
    filter: BulkFilter,
    after: BulkPosition,
    { cap }: { readonly cap: number },
  ): Promise<BulkCount> {
    const count = await this.count(filter, after);
    return { count: Math.min(count, cap), isCapped: count > cap };
  }

  control(
    action: BulkAction,
    ids: readonly string[],
    reason: string | null,
    actor: string | null = null,
  ): Promise<BulkReply> {
    return this.run((tables) => controlMany(tables, action, ids, reason, actor));
  }

  delete(ids: readonly string[]): Promise<BulkDeletion> {
    return this.run((tables) => deleteMany(tables, ids));
  }

  reset(ids: readonly string[], decide: Parameters<BulkStore['reset']>[1]): Promise<BulkReset> {
    return resetMany(this.tables, ids, decide);
  }
}
