import { EventEmitter } from 'node:events';
import pg from 'pg';
import { isAway } from '../../store/postgres/classify-failure.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';

/** Maximum number of tables per message. */
const CHUNK = 100;
/** Maximum size of all histories in one message, in bytes. A history has some hundred bytes per migration. */
const MAX_BYTES = 1_000_000;
/** How long to wait for a table's lock, and for a message, in milliseconds. */
const LOCK_TIMEOUT_MS = 200;
const STATEMENT_TIMEOUT_MS = 10_000;
const NAME = /^\w{1,255}$/;

/**
 * The newest migration in each schema's history; undefined if it can't be read.
 *
 * The tables belong to tenants, and this session has more rights than they have. A query would run code that a tenant has
 * put there: a cast of its own type, a view, a policy. COPY reads the rows of a table as they are stored, and refuses
 * everything that is not a plain table. The server's own functions format the types that a tenant can create.
 */
export async function copyVersions(
  client: pg.Client,
  schemas: readonly string[],
): Promise<(string | undefined)[]> {
  await client.query(
    `SET row_security TO off; SET lock_timeout TO ${LOCK_TIMEOUT_MS}; SET statement_timeout TO ${STATEMENT_TIMEOUT_MS}`,
  );
  const versions: (string | undefined)[] = [];
  for (let start = 0; start < schemas.length; start += CHUNK) {
    versions.push(...(await orInHalves(client, schemas.slice(start, start + CHUNK))));
  }
  return versions;
}

async function orInHalves(
  client: pg.Client,
  schemas: readonly string[],
): Promise<(string | undefined)[]> {
  try {
    return await copy(client, schemas);
  } catch (error) {
    if (isAway(error)) throw error;
    if (schemas.length === 1) return [undefined];
    const middle = schemas.length >> 1;
    const first = await orInHalves(client, schemas.slice(0, middle));
    return [...first, ...(await orInHalves(client, schemas.slice(middle)))];
  }
}

async function copy(
  client: pg.Client,
  schemas: readonly string[],
): Promise<(string | undefined)[]> {
  const text = schemas
    .map((schema) => {
      const table = `${pg.escapeIdentifier(schema)}.${CLOACINA_MIGRATIONS_TABLE}`;
      return `COPY ${table} (id, name) TO STDOUT`;
    })
    .join('; ');
  const { rows, result } = await collectRows(client, () => client.query(text));
  const results = Array.isArray(result) ? (result as pg.QueryResult[]) : [result];
  return results.map(({ rowCount }) => newest(rows.splice(0, rowCount ?? 0)));
}

/**
 * Collects the rows of COPY. The driver reports only their count, and drops the rows, which arrive in separate
 * messages.
 */
async function collectRows<T>(
  client: pg.Client,
  work: () => Promise<T>,
): Promise<{ rows: string[]; result: T }> {
  const connection: unknown = Reflect.get(client, 'connection');
  if (!(connection instanceof EventEmitter)) throw new Error('The driver has no connection.');
  const rows: string[] = [];
  let bytes = 0;
  const add = ({ chunk }: { readonly chunk: Buffer }): void => {
    bytes += chunk.length;
    if (bytes <= MAX_BYTES) rows.push(chunk.toString('utf8').trimEnd());
  };
  connection.on('copyData', add);
  try {
    const result = await work();
    if (bytes > MAX_BYTES) throw new Error('A history of migrations is too long to read.');
    return { rows, result };
  } finally {
    connection.off('copyData', add);
  }
}

function newest(rows: readonly string[]): string | undefined {
  const migrations = rows
    .map((row) => row.split('\t'))
    .map(([id, name]) => ({ id: Number(id), name }));
  const last = migrations.toSorted((a, b) => a.id - b.id).at(-1)?.name;
  return last !== undefined && NAME.test(last) ? last : undefined;
}
