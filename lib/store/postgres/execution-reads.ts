import type { Clock } from '../../runtime/clock.js';
import { ProgressReads } from './progress-reads.js';
import { plainArray } from './statements/encoding.js';
import { countExecutions, countTagged, countUnfinished } from './statements/execution-counts.js';
import {
  listByKey,
  listChildren,
  listExecutions,
  listTagged,
  listUnfinished,
  listWaiting,
} from './statements/execution-list.js';
import { readExecutions, readStatuses } from './statements/execution-rows.js';
import { detailsOf, readDetails, readStandbyDetails } from './statements/read-details.js';
import { readHistory } from './statements/read-history.js';
import { readInputs, readOutcomes } from './statements/read-outcomes.js';
import { taskKeyValues, type StatementRunner } from './statements/statement.js';
import type {
  ExecutionCount,
  ExecutionCountFilter,
  ExecutionDetails,
  ExecutionInput,
  ExecutionListFilter,
  ExecutionRow,
  HistoryRow,
  ListedExecution,
  RecordedOutcome,
  StepDetail,
  TaskKey,
} from '../port/index.js';

/** Reads executions and their tasks, for the engine and for the public API. */
export class ExecutionReads {
  private readonly progressReads: ProgressReads;

  constructor(
    protected readonly hot: StatementRunner,
    protected readonly cold: StatementRunner,
    clock: Pick<Clock, 'now'>,
  ) {
    this.progressReads = new ProgressReads(clock);
  }

  async outcomes(tasks: readonly TaskKey[]): Promise<RecordedOutcome[]> {
    return this.hot.run(readOutcomes, taskKeyValues(tasks));
  }

  async inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>> {
    const rows = await this.hot.run(readInputs, [plainArray(ids)]);
    return new Map(rows.map(({ id, ...input }) => [id, input]));
  }

  async executions(ids: readonly string[]): Promise<ExecutionRow[]> {
    return this.hot.run(readExecutions, [plainArray(ids)]);
  }

  async details(
    ids: readonly string[],
    contexts = true,
    steps: StepDetail = 'none',
  ): Promise<ExecutionDetails[]> {
    const values = [plainArray(ids), contexts, ['none', 'listed', 'results'].indexOf(steps)];
    return detailsOf(
      await this.progressReads.run((isReadable) =>
        this.hot.run(isReadable ? readDetails : readStandbyDetails, values),
      ),
    );
  }

  async statuses(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.hot.run(readStatuses, [plainArray(ids)]);
    return new Map(rows.map(({ id, status }) => [id, status]));
  }

  async history(id: string): Promise<HistoryRow | undefined> {
    return (await this.cold.run(readHistory, [id]))[0];
  }

  async list(filter: ExecutionListFilter): Promise<ListedExecution[]> {
    const { statuses, tags, idempotencyKey, waitingFor } = filter;
    const values = [
      filter.workflow ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      filter.after?.id ?? null,
      filter.after?.createdAtMicros ?? null,
      statuses === undefined ? null : plainArray(statuses),
      filter.limit,
    ];
    const { parent = null, root = null } = filter;
    if (parent !== null || root !== null) {
      const more = [parent, root, tags ?? null, idempotencyKey ?? null, waitingFor ?? null];
      return this.cold.run(listChildren, [...values, ...more]);
    }
    if (waitingFor !== undefined) {
      const more = [waitingFor, idempotencyKey ?? null, tags ?? null];
      return this.cold.run(listWaiting, [...values, ...more]);
    }
    if (idempotencyKey !== undefined) {
      return this.cold.run(listByKey, [...values, idempotencyKey, tags ?? null]);
    }
    if (tags !== undefined) return this.cold.run(listTagged, [...values, tags]);
    return this.cold.run(isUnfinished(filter) ? listUnfinished : listExecutions, values);
  }

  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]> {
    const { statuses, tags } = filter;
    const values = [
      filter.workflow ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      statuses === undefined ? null : plainArray(statuses),
    ];
    if (tags !== undefined) return this.cold.run(countTagged, [...values, tags]);
    return this.cold.run(isUnfinished(filter) ? countUnfinished : countExecutions, values);
  }
}

/** Whether the filter contains only statuses of the partial index. */
function isUnfinished({ statuses }: Pick<ExecutionListFilter, 'statuses'>): boolean {
  return statuses !== undefined && !statuses.includes('Completed');
}
