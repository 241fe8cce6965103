import type pg from 'pg';
import { tenantTables } from '../../store/postgres/statements/statement.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { copyRows } from './copy-rows.js';

/**
 * Copies the leases and the lists of claims of lost processes whose tasks nobody has recovered, which are Running. Recovery on the
 * target finds the tasks by them, as the leases have expired.
 */
export async function carryOrphans(
  source: pg.ClientBase,
  target: pg.ClientBase,
  schema: string,
): Promise<void> {
  const { task, lease, claimBatch } = tenantTables(quoteIdentifier(schema));
  for (const table of [lease, claimBatch]) {
    await target.query(`DELETE FROM ${table}`);
    await copyRows({
      from: source,
      query: `(SELECT x.* FROM ONLY ${table} x
                WHERE EXISTS (SELECT FROM ONLY ${task} t WHERE t.owner = x.instance_id AND t.status = 'Running'))`,
      to: target,
      into: table,
      isBinary: true,
    });
  }
}
