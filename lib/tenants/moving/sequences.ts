import pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';

/** Sets the sequences of the target's schema to the values of the source, also those of identity columns. */
export async function carrySequences(
  source: pg.ClientBase,
  target: pg.ClientBase,
  schema: string,
): Promise<void> {
  const sequences = await readRows<{ name: string }>(
    source,
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'S' ORDER BY c.relname`,
    [schema],
  );
  if (sequences.length === 0) return;
  const pathOf = (name: string): string =>
    `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
  const reads = sequences.map(
    ({ name }, n) =>
      `SELECT ${n} AS n, last_value::text AS last, is_called AS called FROM ${pathOf(name)}`,
  );
  const values = await readRows<{ n: number; last: string; called: boolean }>(
    source,
    reads.join(' UNION ALL '),
  );
  const sets = values.map(({ n, last, called }) => {
    const path = pg.escapeLiteral(pathOf(sequences[n]?.name ?? ''));
    return `setval(${path}::regclass, ${last}, ${called})`;
  });
  await target.query(`SELECT ${sets.join(', ')}`);
}
