import pg from 'pg';
import { tenantTables } from '../../store/postgres/statements/statement.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { copyRows } from './copy-rows.js';

/**
 * Copies the leases and the lists of claims of lost processes. Their tasks were not recovered, and are Running. Recovery on the
 * target finds the tasks by them: the leases end now by the clock of the target, which may be behind.
 */
export async function carryOrphans(
  source: pg.ClientBase,
  target: pg.ClientBase,
  schema: string,
): Promise<void> {
  const { task, lease, claimBatch, clock } = tenantTables(quoteIdentifier(schema));
  const [time] = await readRows<{ now: string }>(target, `SELECT ${clock.now}::text AS now`);
  if (time === undefined) throw new Error('The server returned no row.');
  const names = 'instance_id, process_id, name, lock_epoch, lock_session, login, created_at';
  const parts = [
    {
      table: lease,
      columns: `${names}, expires_at`,
      values: `${names}, ${pg.escapeLiteral(time.now)}::timestamptz`,
    },
    {
      table: claimBatch,
      columns: 'instance_id, no, execution_ids, task_nos, item_nos',
      values: 'instance_id, no, execution_ids, task_nos, item_nos',
    },
  ];
  for (const { table, columns, values } of parts) {
    await target.query(`DELETE FROM ${table}`);
    await copyRows({
      from: source,
      query: `(SELECT ${values} FROM ONLY ${table} x
                WHERE EXISTS (SELECT FROM ONLY ${task} t WHERE t.owner = x.instance_id AND t.status = 'Running'))`,
      to: target,
      into: `${table} (${columns})`,
      isBinary: true,
    });
  }
}
