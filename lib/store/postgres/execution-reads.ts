import { plainArray } from './statements/encoding.js';
import {
  countExecutions,
  countUnfinished,
  listExecutions,
  listUnfinished,
} from './statements/execution-list.js';
import { readExecutions, readTasks } from './statements/execution-rows.js';
import { readInputs, readOutcomes, readOutcomesValues } from './statements/read-outcomes.js';
import type { StatementRunner } from './statements/statement.js';
import type {
  ExecutionCount,
  ExecutionCountFilter,
  ExecutionInput,
  ExecutionListFilter,
  ExecutionRow,
  ListedExecution,
  RecordedOutcome,
  TaskRow,
} from '../port/index.js';

/** What is read of executions and their tasks, for those who go on with them and for those who look. */
export class ExecutionReads {
  constructor(
    protected readonly hot: StatementRunner,
    protected readonly cold: StatementRunner,
  ) {}

  async outcomes(
    tasks: readonly { readonly executionId: string; readonly taskNo: number }[],
  ): Promise<RecordedOutcome[]> {
    return this.hot.run(readOutcomes, readOutcomesValues(tasks));
  }

  async inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>> {
    const rows = await this.hot.run(readInputs, [plainArray(ids)]);
    return new Map(rows.map(({ id, ...input }) => [id, input]));
  }

  async executions(ids: readonly string[]): Promise<ExecutionRow[]> {
    return this.hot.run(readExecutions, [plainArray(ids)]);
  }

  async tasks(ids: readonly string[]): Promise<TaskRow[]> {
    return this.hot.run(readTasks, [plainArray(ids)]);
  }

  async list(filter: ExecutionListFilter): Promise<ListedExecution[]> {
    const { statuses } = filter;
    return this.cold.run(isUnfinished(filter) ? listUnfinished : listExecutions, [
      filter.workflow ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      filter.after?.id ?? null,
      filter.after?.createdAtMicros ?? null,
      statuses === undefined ? null : plainArray(statuses),
      filter.limit,
    ]);
  }

  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]> {
    const { statuses } = filter;
    return this.cold.run(isUnfinished(filter) ? countUnfinished : countExecutions, [
      filter.workflow ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      statuses === undefined ? null : plainArray(statuses),
    ]);
  }
}

/** Whether only statuses are asked for that the partial index has. */
function isUnfinished({ statuses }: Pick<ExecutionListFilter, 'statuses'>): boolean {
  return statuses !== undefined && !statuses.includes('Completed');
}
