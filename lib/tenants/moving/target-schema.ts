import pg from 'pg';
import type { MigrationInterface } from 'typeorm';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { quietPool } from '../../store/postgres/connections/pools.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { initializeOnPool } from '../../store/postgres/connections/server-facts.js';
import { createTenantDataSource } from '../../store/postgres/typeorm/data-source.js';
import { CloacinaMigrator } from '../migrations/cloacina-migrator.js';
import { quoteIdentifier } from '../quote-identifier.js';
import type { MoveSide } from './move-side.js';
import { inMoveTransaction, type Move } from './move-transaction.js';
import { hasSchema } from './tenant-places.js';
import { renameFence } from './write-fence.js';

/** The migrations of the application. */
export interface ApplicationMigrations {
  readonly migrations?: readonly (new () => MigrationInterface)[] | undefined;
  readonly migrationsTableName?: string | undefined;
  /** Schemas behind the tenant's own in the `search_path` of its migrations. */
  readonly searchPath?: readonly string[] | undefined;
}

/**
 * Makes the schema on the target by the migrations. No process takes it for a new tenant at any time: the schema is made together with
 * the comment that says what it is, and its row of the tenant is `arriving` from the first commit on, because the connections name
 * the move.
 */
export async function makeTargetSchema(
  side: MoveSide,
  move: Move,
  { migrations = [], migrationsTableName, searchPath }: ApplicationMigrations,
): Promise<void> {
  const { schema } = move;
  const client = await side.connect();
  await inMoveTransaction(client, move.moveId, async () => {
    if (!(await hasSchema(client, schema)))
      await client.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
    await renameFence(client, move, 'arriving');
  });
  const pool = quietPool({ ...side.migrationConfig(), max: 2 });
  const named = migrationsTableName === undefined ? {} : { migrationsTableName };
  const dataSource = createTenantDataSource({
    pool,
    schema,
    libraryEntities: false,
    migrations,
    searchPath,
    ...named,
  });
  try {
    await new CloacinaMigrator({
      tenant: schema,
      schema,
      pool,
      dataSource,
      initialize: () => initializeOnPool(pool, dataSource),
    }).ensure();
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
    await pool.end();
  }
}

/** What is not there while the rows arrive. */
export interface Suspended {
  readonly foreignKeys: readonly {
    readonly table: string;
    readonly name: string;
    readonly definition: string;
  }[];
  readonly triggers: readonly {
    readonly table: string;
    readonly name: string;
    readonly enabled: string;
  }[];
}

/**
 * Drops the foreign keys and disables the triggers of the application: the rows are copied table by table, and what a trigger does
 * has been done. Triggers of views stay: no row is copied into a view. The owner of the tables may do this;
 * `session_replication_role` would need more rights.
 */
export async function suspendRules(
  client: pg.ClientBase,
  move: Move,
  fenceTrigger: string,
): Promise<Suspended> {
  const foreignKeys = await readRows<Suspended['foreignKeys'][number]>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, quote_ident(k.conname) AS name,
            regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') AS definition
       FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND k.contype = 'f' ORDER BY 1, 2`,
    [move.schema],
  );
  const triggers = await readRows<Suspended['triggers'][number]>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, quote_ident(g.tgname) AS name, g.tgenabled::text AS enabled
       FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r' AND NOT g.tgisinternal AND g.tgname <> $2 AND g.tgenabled <> 'D' ORDER BY 1, 2`,
    [move.schema, fenceTrigger],
  );
  await inMoveTransaction(client, move.moveId, async () => {
    for (const { table, name } of foreignKeys)
      await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
    for (const { table, name } of triggers)
      await client.query(`ALTER TABLE ${table} DISABLE TRIGGER ${name}`);
  });
  return { foreignKeys, triggers };
}

const ENABLE: Readonly<Record<string, string>> = {
  O: 'ENABLE',
  R: 'ENABLE REPLICA',
  A: 'ENABLE ALWAYS',
};

/**
 * Brings back what {@link suspendRules} took away. Foreign keys hold for new rows at once. The copied rows satisfy them, because
 * those of the source do; {@link validateForeignKeys} notes that after the switch, as it reads whole tables.
 */
export async function resumeRules(
  client: pg.ClientBase,
  { moveId }: Move,
  { foreignKeys, triggers }: Suspended,
): Promise<void> {
  await inMoveTransaction(client, moveId, async () => {
    for (const { table, name, definition } of foreignKeys)
      await client.query(`ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition} NOT VALID`);
    for (const { table, name, enabled } of triggers)
      await client.query(`ALTER TABLE ${table} ${ENABLE[enabled] ?? 'ENABLE'} TRIGGER ${name}`);
  });
}

/**
 * Validates the foreign keys of the moved schema that are valid on the source, which is there until the move is finished. It delays
 * no reader and no writer.
 */
export async function validateForeignKeys(
  source: pg.ClientBase,
  target: pg.ClientBase,
  schema: string,
): Promise<void> {
  const valid = await foreignKeysOf(source, schema, true);
  const names = new Set(valid.map(({ table, name }) => `${table} ${name}`));
  for (const { table, name } of await foreignKeysOf(target, schema, false)) {
    if (names.has(`${table} ${name}`))
      await target.query(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`);
  }
}

function foreignKeysOf(
  client: pg.ClientBase,
  schema: string,
  isValid: boolean,
): Promise<{ table: string; name: string }[]> {
  return readRows(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, quote_ident(k.conname) AS name
       FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND k.contype = 'f' AND k.convalidated = $2 ORDER BY 1, 2`,
    [schema, isValid],
  );
}

/** Fills the materialized views of the target, in the order in which they were made. */
export async function refreshViews(
  source: pg.ClientBase,
  target: pg.ClientBase,
  schema: string,
): Promise<void> {
  const views = await readRows<{ path: string }>(
    source,
    `SELECT format('%I.%I', n.nspname, c.relname) AS path
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'm' AND c.relispopulated ORDER BY c.oid`,
    [schema],
  );
  for (const { path } of views) await target.query(`REFRESH MATERIALIZED VIEW ${path}`);
}

/** Copies the comment that has the name of the tenant. */
export async function copyTenantName(
  source: pg.ClientBase,
  target: pg.ClientBase,
  schema: string,
): Promise<void> {
  const table = `${pg.escapeIdentifier(schema)}.${CLOACINA_MIGRATIONS_TABLE}`;
  const [row] = await readRows<{ comment: string | null }>(
    source,
    `SELECT obj_description(to_regclass($1), 'pg_class') AS comment`,
    [table],
  );
  const comment = row?.comment ?? null;
  await target.query(
    `COMMENT ON TABLE ${table} IS ${comment === null ? 'NULL' : pg.escapeLiteral(comment)}`,
  );
}
