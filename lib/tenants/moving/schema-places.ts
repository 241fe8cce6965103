import type pg from 'pg';
import type { MoveRefusal } from '../../errors/index.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { FENCE_FUNCTION } from './write-fence.js';

/** What a server has of a tenant. */
export interface SchemaPlace {
  /** Whether the schema has the library's history table, so it is a tenant's. */
  readonly isTenant: boolean;
  /** What the schema says that refuses writes. Undefined if it accepts them. */
  readonly refusal: MoveRefusal | undefined;
}

/** An SQL expression for the comment of the fence of a schema, which is null while the schema accepts writes. */
export function fenceComment(namespace: string): string {
  return `(SELECT pg_catalog.obj_description(p.oid, 'pg_proc') FROM pg_catalog.pg_proc p
       WHERE p.pronamespace = ${namespace} AND p.proname = '${FENCE_FUNCTION}' AND p.pronargs = 0)`;
}

/** What the comment of a fence says. */
export function refusalIn(comment: string | null): MoveRefusal | undefined {
  if (comment === null) return undefined;
  try {
    return JSON.parse(comment) as MoveRefusal;
  } catch {
    return undefined;
  }
}

/** Looks for schemas in the catalog of a server, which every login may read. One statement has any number. */
export async function findPlaces(
  client: pg.ClientBase | pg.Pool,
  schemas: readonly string[],
): Promise<SchemaPlace[]> {
  const rows = await readRows<{ schema: string; comment: string | null }>(
    client,
    `SELECT n.nspname AS schema, ${fenceComment('n.oid')} AS comment
       FROM pg_catalog.pg_namespace n
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $1 AND c.relkind IN ('r', 'p')
      WHERE n.nspname = ANY ($2::text[])`,
    [CLOACINA_MIGRATIONS_TABLE, [...schemas]],
  );
  const found = new Map(rows.map(({ schema, comment }) => [schema, refusalIn(comment)]));
  return schemas.map((schema) => ({ isTenant: found.has(schema), refusal: found.get(schema) }));
}

/** What a schema says that refuses writes, whether it has the tables already or not. Undefined if it accepts them. */
export async function readRefusal(
  client: pg.ClientBase | pg.Pool,
  schema: string,
): Promise<MoveRefusal | undefined> {
  const rows = await readRows<{ comment: string | null }>(
    client,
    `SELECT ${fenceComment('n.oid')} AS comment FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`,
    [schema],
  );
  return refusalIn(rows[0]?.comment ?? null);
}
