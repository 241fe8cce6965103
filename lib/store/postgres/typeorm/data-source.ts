import type pg from 'pg';
import {
  DataSource,
  type DataSourceOptions,
  type EntityManager,
  type EntitySchema,
  type MigrationInterface,
} from 'typeorm';
import { runWithin } from '../connections/connection-limit.js';
import { askServerFacts } from '../connections/server-facts.js';
import { cloacinaEntities } from '../entities/index.js';
import { APPLICATION_MIGRATIONS_TABLE } from '../migrations/index.js';
import { NO_NATIVE_DRIVER, sharedPoolDriver } from './shared-pool-driver.js';
import { placeOf, type TenantRole } from '../connections/user-connection.js';

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/**
 * TypeORM's options that an application may set for its tenants' data sources. The others concern the connection, which
 * the pool provides, or would harm the library's tables: `synchronize` and `dropSchema` change them without a migration,
 * `entityPrefix` renames them, `parseInt8` and `useUTC` change the whole process.
 */
const TENANT_DATA_SOURCE_OPTIONS = [
  'entitySkipConstructor',
  'invalidWhereValuesBehavior',
  'isolateWhereStatements',
  'logger',
  'logging',
  'maxQueryExecutionTime',
  'metadataTableName',
  'namingStrategy',
  'relationLoadStrategy',
  'subscribers',
  'uuidExtension',
] as const satisfies readonly (keyof PostgresOptions)[];

export type TenantDataSourceOptions = Partial<
  Pick<PostgresOptions, (typeof TENANT_DATA_SOURCE_OPTIONS)[number]>
>;

export interface CreateTenantDataSource {
  /** The pool that all tenants on one login share. Its creator ends it. */
  readonly pool: pg.Pool;
  readonly schema: string;
  /** Whether to add the library's tables as entities, which takes 1 ms and 40 KB. Default: true. */
  readonly libraryEntities?: boolean;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
  readonly entities?: readonly (Function | EntitySchema)[];
  /** The application's own migrations, which CloacinaMigrator runs under its lock. */
  readonly migrations?: readonly (new () => MigrationInterface)[];
  readonly migrationsTableName?: string;
  /** The role of the data source's users. Default: the login's own rights. */
  readonly role?: TenantRole | undefined;
  /** Schemas behind the tenant's own in the `search_path`. Default: those of the login's path, see `pathOf`. */
  readonly searchPath?: readonly string[] | undefined;
  /** Options that are not in {@link TENANT_DATA_SOURCE_OPTIONS} are ignored. */
  readonly options?: TenantDataSourceOptions;
}

/**
 * An uninitialized data source for one tenant. It uses the shared pool, so it needs no connection of its own, and
 * `destroy()` closes none.
 *
 * Repositories and query builders qualify tables with the tenant's schema. Raw SQL runs with a `search_path` that begins
 * with that schema, on every connection.
 */
export function createTenantDataSource(settings: CreateTenantDataSource): DataSource {
  const { pool, schema, entities = [], migrations = [], libraryEntities = true } = settings;
  const dataSource = new DataSource({
    ...permittedOptions(settings.options ?? {}),
    type: 'postgres',
    schema,
    driver: sharedPoolDriver(pool, settings),
    nativeDriver: NO_NATIVE_DRIVER,
    entities: [...(libraryEntities ? cloacinaEntities : []), ...entities],
    migrations: [...migrations],
    migrationsTableName: settings.migrationsTableName ?? APPLICATION_MIGRATIONS_TABLE,
    installExtensions: false,
    synchronize: false,
    dropSchema: false,
    migrationsRun: false,
  });
  tellTransactionsApart(dataSource);
  // TypeORM's accessors throw for PostgreSQL, even if another module only walks its providers.
  return Object.defineProperties(dataSource, {
    mongoManager: { value: undefined },
    sqljsManager: { value: undefined },
  });
}

/**
 * Has an uninitialized or initialized data source use the pool of another server, on which the schema is the same. Connections
 * that are checked out stay with their users.
 */
export async function moveDataSource(
  dataSource: DataSource,
  settings: Pick<CreateTenantDataSource, 'pool' | 'schema' | 'role' | 'searchPath'>,
): Promise<void> {
  const facts = await askServerFacts(settings.pool);
  const { driver } = dataSource;
  const shared = sharedPoolDriver(settings.pool, settings);
  for (const [name, value] of facts) Reflect.set(driver, name, value);
  Reflect.set(driver, 'postgres', shared);
  if (dataSource.isInitialized) Reflect.set(driver, 'master', new shared.Pool());
}

/** Marks code in a transaction as having a connection, for requests of a second one (see `ConnectionLimit`). */
function tellTransactionsApart({ manager }: DataSource): void {
  const transaction = manager.transaction.bind(manager) as (...args: unknown[]) => Promise<unknown>;
  const wrapped = (work: unknown): unknown =>
    typeof work !== 'function'
      ? work
      : async (inner: EntityManager): Promise<unknown> => {
          const client = (await inner.queryRunner?.connect()) as pg.ClientBase | undefined;
          const place = client === undefined ? undefined : placeOf(client);
          return runWithin(place, () => work(inner) as unknown);
        };
  const within = (...args: unknown[]): Promise<unknown> => transaction(...args.map(wrapped));
  Reflect.set(manager, 'transaction', within);
}

function permittedOptions(options: TenantDataSourceOptions): TenantDataSourceOptions {
  const names: ReadonlySet<string> = new Set(TENANT_DATA_SOURCE_OPTIONS);
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.has(name)));
}
