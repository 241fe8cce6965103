import { expect } from '@jest/globals';
import type pg from 'pg';
import { CLOACINA_TABLES_OF_PROCESSES } from '../../../lib/tenants/moving/tables-of-processes.js';
import { connectAdmin } from '../../support/postgres.js';

/** All that a schema has: the rows of each table as texts, sorted, and the sequences. */
export interface Contents {
  readonly rows: Readonly<Record<string, readonly string[]>>;
  readonly sequences: Readonly<Record<string, string>>;
}

/** Runs `work` on a connection to a database, with the schema first in its path. */
export async function onDatabase<T>(
  url: string,
  schema: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectAdmin(url);
  try {
    await client.query(`SET search_path TO ${schema}, public; SET extra_float_digits TO 3`);
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Reads everything. The tables of processes are left out, because their rows belong to a server. */
export function contentsOf(url: string, schema: string): Promise<Contents> {
  return onDatabase(url, schema, async (client) => {
    const { rows: objects } = await client.query<{ name: string; kind: string }>(
      `SELECT relname AS name, relkind AS kind FROM pg_class
        WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'S', 'm') ORDER BY relname`,
      [schema],
    );
    const rows: Record<string, string[]> = {};
    const sequences: Record<string, string> = {};
    for (const { name, kind } of objects) {
      if (CLOACINA_TABLES_OF_PROCESSES.includes(name)) continue;
      const path = client.escapeIdentifier(name);
      // Its rows have the ids of transactions of their server.
      const isStamped = name === 'cloacina_execution_event';
      if (kind === 'S') {
        const { rows: found } = await client.query<{ value: string }>(
          `SELECT last_value || ' ' || is_called AS value FROM ${path}`,
        );
        sequences[name] = found[0]?.value ?? '';
      } else {
        const { rows: found } = await client.query<{ row: string }>(
          `SELECT CASE WHEN length(t.row) > 10000 THEN md5(t.row) ELSE t.row END AS row
             FROM (SELECT ${isStamped ? "(to_jsonb(t) - 'xid')" : 't'}::text AS row FROM ${path} t) t ORDER BY t.row`,
        );
        rows[name] = found.map(({ row }) => row);
      }
    }
    return { rows, sequences };
  });
}

/** Fails unless the target has exactly what the source had. */
export function expectSame(target: Contents, source: Contents): void {
  expect(Object.keys(target.rows)).toEqual(Object.keys(source.rows));
  for (const [table, rows] of Object.entries(source.rows)) {
    expect({ table, rows: target.rows[table] }).toEqual({ table, rows });
  }
  expect(target.sequences).toEqual(source.sequences);
}

/** The row of the tenant; undefined without a schema. */
export async function stateOf(url: string, schema: string): Promise<string | undefined> {
  return onDatabase(url, 'pg_catalog', async (client) => {
    const there = await client.query(`SELECT to_regclass($1) IS NOT NULL AS found`, [
      `${schema}.cloacina_tenant`,
    ]);
    if (Reflect.get(Object(there.rows[0]), 'found') !== true) return undefined;
    const { rows } = await client.query<{ state: string }>(
      `SELECT state FROM ${schema}.cloacina_tenant`,
    );
    return rows[0]?.state;
  });
}

/** Whether the schema accepts a write. */
export async function acceptsWrites(url: string, schema: string): Promise<boolean> {
  return onDatabase(url, schema, (client) =>
    client.query(`UPDATE cloacina_state SET name = name`).then(
      () => true,
      (error: unknown) => {
        if (Reflect.get(Object(error), 'code') === 'CLMOV') return false;
        throw error;
      },
    ),
  );
}
