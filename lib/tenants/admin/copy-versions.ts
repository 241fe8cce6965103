import { EventEmitter } from 'node:events';
import pg from 'pg';
import { sendInHalves } from '../../runtime/in-halves.js';
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
export function copyVersions(
  client: pg.Client,
  schemas: readonly string[],
): Promise<(string | undefined)[]> {
  return copyEach(
    client,
    schemas,
    { table: CLOACINA_MIGRATIONS_TABLE, columns: 'id, name' },
    newest,
  );
}

/** A table that each schema has, and the columns to read. */
interface CopiedTable {
  readonly table: string;
  readonly columns: string;
}

/** Reads a table of each schema as {@link copyVersions} does. `read` gets the lines of COPY. */
export async function copyEach<T>(
  client: pg.Client,
  schemas: readonly string[],
  source: CopiedTable,
  read: (rows: readonly string[]) => T | undefined,
): Promise<(T | undefined)[]> {
  await client.query(
    `SET row_security TO off; SET DateStyle TO ISO; SET timezone TO 'UTC'; SET lock_timeout TO ${LOCK_TIMEOUT_MS}; SET statement_timeout TO ${STATEMENT_TIMEOUT_MS}`,
  );
  const results: (T | undefined)[] = [];
  for (let start = 0; start < schemas.length; start += CHUNK) {
    const part = schemas.slice(start, start + CHUNK);
    const each = (some: readonly string[]): Promise<(T | undefined)[]> =>
      copy(client, some, source, read);
    results.push(...(await sendInHalves(part, each, isAway)));
  }
  return results;
}

async function copy<T>(
  client: pg.Client,
  schemas: readonly string[],
  { table, columns }: CopiedTable,
  read: (rows: readonly string[]) => T | undefined,
): Promise<(T | undefined)[]> {
  const text = schemas
    .map((schema) => `COPY ${pg.escapeIdentifier(schema)}.${table} (${columns}) TO STDOUT`)
    .join('; ');
  const { rows, result } = await collectRows(client, () => client.query(text));
  const results = Array.isArray(result) ? (result as pg.QueryResult[]) : [result];
  return results.map(({ rowCount }) => read(rows.splice(0, rowCount ?? 0)));
}

/**
 * The columns of a table of one schema, in the same way. Undefined without a relation of that name.
 *
 * @throws Error if the relation is not a table
 */
export async function copyOne(
  client: pg.Client,
  schema: string,
  { table, columns }: CopiedTable,
): Promise<(string | undefined)[][] | undefined> {
  const { rows: found } = await client.query<{ kind: string }>(
    `SELECT c.relkind AS kind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1::text AND c.relname = $2::text`,
    [schema, table],
  );
  if (found[0] === undefined) return undefined;
  if (found[0].kind !== 'r') throw new Error(`"${schema}"."${table}" is not a table.`);
  const text = `SET row_security TO off; COPY ${pg.escapeIdentifier(schema)}.${table} (${columns}) TO STDOUT`;
  const { rows } = await collectRows(client, () => client.query(text));
  return rows.map((row) => row.split('\t').map(valueOf));
}

/** A value in the text format of COPY. */
function valueOf(text: string): string | undefined {
  return text === String.raw`\N` ? undefined : text.replaceAll(/\\(.)/g, '$1');
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
    if (bytes > MAX_BYTES) throw new Error('A table of the library is too long to read.');
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
