import { MemoryRole } from './memory-role.js';
import { count, list } from '../memory-list.js';
import * as reads from '../memory-reads.js';
import { readHistory } from '../memory-history.js';
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
} from '../../../store/port/index.js';

/** Reads executions and their tasks, in memory. */
export class MemoryExecutionStore extends MemoryRole implements ExecutionStore {
  executions(ids: readonly string[]): Promise<ExecutionRow[]> {
    return this.run((tables) => reads.readExecutions(tables, ids));
  }

  statuses(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.run((tables) => reads.statusesOf(tables, ids));
  }

  details(
    ids: readonly string[],
    contexts = true,
    steps: StepDetail = 'none',
  ): Promise<ExecutionDetails[]> {
    return this.run((tables) => reads.readDetails(tables, ids, contexts, steps));
  }

  history(id: string): Promise<HistoryRow | undefined> {
    return this.run((tables) => readHistory(tables, id));
  }

  list(filter: ExecutionListFilter): Promise<ListedExecution[]> {
    return this.run((tables) => list(tables, filter));
  }

  async listWithin(filter: ExecutionListFilter): Promise<ListedPage> {
    return { rows: await this.list(filter), end: null };
  }

  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]> {
    return this.run((tables) => count(tables, filter));
  }

  async await(id: string): Promise<string | undefined> {
    return (await this.awaitUnlocked([id])).get(id);
  }

  awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.run((tables) => reads.awaitEnds(tables, ids));
  }
}
