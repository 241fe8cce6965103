import { PostgresRole } from './postgres-role.js';
import { ageTasks, ageValues, countPending } from '../statements/queues.js';
import type { AgingDefinition, QueueStore } from '../../port/index.js';

/** Executions and tasks that wait for their begin, on PostgreSQL. */
export class PostgresQueueStore extends PostgresRole implements QueueStore {
  async pending(workflow: string, most: number): Promise<number> {
    // With the plans of hot statements: others could read the whole table, on which few executions have not begun.
    const [row] = await this.db.hot.run(countPending, [workflow, most]);
    return row?.pending ?? 0;
  }

  async age(definitions: readonly AgingDefinition[]): Promise<number | undefined> {
    const [row] = await this.db.hot.run(ageTasks, ageValues(definitions, this.db.schema));
    return row?.hasTicket === true ? row.aged : undefined;
  }
}
