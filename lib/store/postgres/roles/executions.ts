import { PostgresRole } from './postgres-role.js';
import { listWithin } from '../bounded-list.js';
import { isUnfinished, listSourceOf } from '../list-source.js';
import { plainArray } from '../statements/encoding.js';
import { countExecutions, countTagged, countUnfinished } from '../statements/execution-counts.js';
import { listAllUnfinished, LISTS } from '../statements/execution-list.js';
import {
  awaitExecution,
  awaitUnlockedExecutions,
  readExecutions,
  readStatuses,
} from '../statements/execution-rows.js';
import { detailsOf, readDetails, readStandbyDetails } from '../statements/read-details.js';
import { readHistory } from '../statements/read-history.js';
import type {
  ExecutionCount,
  ExecutionCountFilter,
  ExecutionDetails,
  ExecutionListFilter,
  ExecutionRow,
  ExecutionStore,
  HistoryRow,
  ListedExecution,
  ListedPage,
  StepDetail,
} from '../../port/index.js';

/** Reads executions and their tasks, for the engine and for the public API, on PostgreSQL. */
export class PostgresExecutionStore extends PostgresRole implements ExecutionStore {
  async executions(ids: readonly string[]): Promise<ExecutionRow[]> {
    return this.db.hot.run(readExecutions, [plainArray(ids)]);
  }

  async details(
    ids: readonly string[],
    contexts = true,
    steps: StepDetail = 'none',
  ): Promise<ExecutionDetails[]> {
    const values = [plainArray(ids), contexts, ['none', 'listed', 'results'].indexOf(steps)];
    return detailsOf(
      await this.db.progressReads.run((isReadable) =>
        this.db.hot.run(isReadable ? readDetails : readStandbyDetails, values),
      ),
    );
  }

  async statuses(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.db.hot.run(readStatuses, [plainArray(ids)]);
    return new Map(rows.map(({ id, status }) => [id, status]));
  }

  async history(id: string): Promise<HistoryRow | undefined> {
    return (await this.db.cold.run(readHistory, [id]))[0];
  }

  async list(filter: ExecutionListFilter): Promise<ListedExecution[]> {
    const { source, values } = listSourceOf(filter);
    const isForAll = filter.withBuiltIns === true && source === 'unfinished';
    return this.db.cold.run(isForAll ? listAllUnfinished : LISTS[source], values);
  }

  listWithin(filter: ExecutionListFilter, maxRead: number): Promise<ListedPage> {
    return listWithin(this.db.cold, filter, maxRead);
  }

  async await(id: string): Promise<string | undefined> {
    return (await this.db.hot.run(awaitExecution, [id]))[0]?.status;
  }

  async awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.db.hot.run(awaitUnlockedExecutions, [`{${ids.join()}}`]);
    return new Map(rows.map(({ id, status }) => [id, status]));
  }

  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]> {
    const { statuses, tags } = filter;
    const values = [
      filter.workflow ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      statuses === undefined ? null : plainArray(statuses),
    ];
    if (tags !== undefined) return this.db.cold.run(countTagged, [...values, tags]);
    return this.db.cold.run(isUnfinished(filter) ? countUnfinished : countExecutions, values);
  }
}
