import { PostgresRole } from './postgres-role.js';
import { plainArray } from '../statements/encoding.js';
import {
  groupsOf,
  readChildren,
  readListening,
  readOpenItems,
  readPausedBy,
} from '../statements/explanations.js';
import { itemsOf, readItemDetails } from '../statements/read-details.js';
import { taskKeyValues } from '../statements/statement.js';
import type {
  AwaitedChild,
  ExplanationStore,
  ListeningWait,
  OpenItems,
  TaskKey,
  TaskRow,
} from '../../port/index.js';

/** Reads for explanations, on PostgreSQL. */
export class PostgresExplanationStore extends PostgresRole implements ExplanationStore {
  async openItems(
    executionId: string,
    maps: readonly number[],
    atEach: number,
  ): Promise<OpenItems[]> {
    const values = [executionId, plainArray(maps), atEach];
    return groupsOf(await this.db.cold.run(readOpenItems, values));
  }

  async items(keys: readonly TaskKey[]): Promise<TaskRow[]> {
    return itemsOf(await this.db.cold.run(readItemDetails, taskKeyValues(keys)));
  }

  listening(tasks: readonly TaskKey[]): Promise<ListeningWait[]> {
    return this.db.cold.run(readListening, taskKeyValues(tasks));
  }

  children(ids: readonly string[]): Promise<AwaitedChild[]> {
    return this.db.cold.run(readChildren, [plainArray(ids)]);
  }

  async pausedBy(executionId: string): Promise<string | undefined> {
    const [pause] = await this.db.cold.run(readPausedBy, [executionId]);
    return pause?.actor ?? undefined;
  }
}
