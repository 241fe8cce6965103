import { PostgresRole } from './postgres-role.js';
import { appendItems, appendValues } from '../statements/append-items.js';
import { cancelItems, cancelItemsValues } from '../statements/cancel-items.js';
import { mapStateOf, readItems, readMap, readResults } from '../statements/read-items.js';
import { taskKeyValues } from '../statements/statement.js';
import {
  RESULTS_PAGE,
  type AppendReply,
  type CancelledItems,
  type ItemAppend,
  type ItemCancel,
  type ItemResultRow,
  type ItemRow,
  type ItemStore,
  type MapKey,
  type MapState,
  type ResultsFilter,
  type TaskKey,
} from '../../port/index.js';

/** The items of maps, on PostgreSQL. */
export class PostgresItemStore extends PostgresRole implements ItemStore {
  read(tasks: readonly TaskKey[]): Promise<ItemRow[]> {
    return this.db.hot.run(readItems, taskKeyValues(tasks));
  }

  async state({ executionId, taskNo }: MapKey): Promise<MapState | undefined> {
    return mapStateOf(await this.db.hot.run(readMap, [executionId, taskNo]));
  }

  async append(append: ItemAppend): Promise<AppendReply | undefined> {
    const [reply] = await this.db.hot.run(appendItems, appendValues(append));
    return reply;
  }

  results(
    { executionId, taskNo }: MapKey,
    { status, after, limit }: ResultsFilter,
  ): Promise<ItemResultRow[]> {
    const page = Math.min(limit, RESULTS_PAGE);
    return this.db.cold.run(readResults, [executionId, taskNo, after, status ?? null, page]);
  }

  async cancel(cancel: ItemCancel): Promise<CancelledItems> {
    const [page] = await this.db.hot.run(cancelItems, cancelItemsValues(cancel));
    if (page === undefined) throw new Error('cancel_items returns one row.');
    return page;
  }
}
