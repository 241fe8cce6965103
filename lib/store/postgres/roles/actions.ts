import { PostgresRole } from './postgres-role.js';
import { listActionsBy, noteValues, recordAction } from '../statements/actions.js';
import type { ActionQuery, ActionRecord, ActionStore, NewAction } from '../../port/index.js';

/** Actions of people, on PostgreSQL. */
export class PostgresActionStore extends PostgresRole implements ActionStore {
  async record(action: NewAction): Promise<void> {
    const { subject, executionId } = action;
    await this.db.cold.run(recordAction, [...noteValues(action), subject, executionId]);
  }

  list({ subject, actor, before, limit }: ActionQuery): Promise<ActionRecord[]> {
    return this.db.cold.run(listActionsBy(subject, actor), [subject, actor, before, limit]);
  }
}
