import { type DataSource, MigrationExecutor, type Migration, type QueryRunner } from 'typeorm';
import { MigrationError } from '../../errors/index.js';
import {
  CLOACINA_MIGRATIONS_TABLE,
  cloacinaMigrations,
  isExpansion,
} from '../../store/postgres/migrations/index.js';
import { assertOwnLogin, type SchemaHistory } from './migration-history.js';

/** The migrations that share a history table: the library's, or the application's. */
export interface MigrationSet {
  /** The history table. */
  readonly table: string;
  /** Names in the order of application. */
  readonly names: readonly string[];
  /** Migrations with `transaction = false`, whose statements PostgreSQL allows only outside of a transaction. */
  readonly outside?: ReadonlySet<string>;
}

export const cloacinaMigrationSet: MigrationSet = {
  table: CLOACINA_MIGRATIONS_TABLE,
  names: cloacinaMigrations.map((migration) => new migration().name),
};

/**
 * The migrations of a data source, initialized or not, by TypeORM's rules: their name is the `name` of the instance, else
 * that of the class, and they are ordered by the timestamp at its end.
 */
export function migrationSetOf(dataSource: DataSource, table: string): MigrationSet {
  const found = Object.values(dataSource.options.migrations ?? []).flatMap((migration: unknown) =>
    typeof migration === 'function' ? [describe(migration)] : [],
  );
  const names = found.map(({ name }) => name).sort((a, b) => timestampOf(a) - timestampOf(b));
  const outside = found.filter(({ isOutside }) => isOutside).map(({ name }) => name);
  return { table, names, outside: new Set(outside) };
}

// oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for a migration class
function describe(migration: Function): { readonly name: string; readonly isOutside: boolean } {
  const instance = Object(Reflect.construct(migration, [])) as object;
  const own: unknown = Reflect.get(instance, 'name');
  return {
    name: typeof own === 'string' && own !== '' ? own : migration.name,
    isOutside: Reflect.get(instance, 'transaction') === false,
  };
}

function timestampOf(name: string): number {
  return Number.parseInt(name.slice(-13), 10);
}

export function appliedOf(set: MigrationSet, history: SchemaHistory): readonly string[] {
  return history.applied.get(set.table) ?? [];
}

export function pendingOf(set: MigrationSet, history: SchemaHistory): string[] {
  const applied = new Set(appliedOf(set, history));
  return set.names.filter((name) => !applied.has(name));
}

/**
 * Rejects a schema that a newer version of the library has migrated in a way that this version can't work with.
 *
 * Newer migrations that only add to the schema are accepted: during a deploy, processes of the old version start after the
 * new version has migrated. They are rejected if this version has pending migrations too, because its migrations precede
 * the newer ones.
 *
 * Only the library's history is checked. Other applications may share the application's history table.
 */
export function assertUsable(schema: string, history: SchemaHistory): void {
  assertOwnLogin(schema, history);
  const unknown = unknownOf(history);
  if (unknown.length === 0) return;
  const isPending = pendingOf(cloacinaMigrationSet, history).length > 0;
  if (isPending || !unknown.every(isExpansion)) refuse(schema, unknown);
}

/** Rejects a schema with any migration that this version of the library doesn't know. */
export function assertNotAhead(schema: string, history: SchemaHistory): void {
  assertOwnLogin(schema, history);
  const unknown = unknownOf(history);
  if (unknown.length > 0) refuse(schema, unknown);
}

function unknownOf(history: SchemaHistory): string[] {
  const known = new Set(cloacinaMigrationSet.names);
  return appliedOf(cloacinaMigrationSet, history).filter((name) => !known.has(name));
}

function refuse(schema: string, unknown: readonly string[]): never {
  throw new MigrationError({
    schema,
    advice:
      `A newer version of nestjs-cloacina has migrated the schema to ${unknown.at(-1)}; this version knows the schema ` +
      `up to ${cloacinaMigrationSet.names.at(-1)}. Run the newer version here too, or let it revert its migrations.`,
  });
}

/** TypeORM's executor, which also records the applied migrations, because its errors do not name the failed one. */
export class ObservedMigrationExecutor extends MigrationExecutor {
  readonly applied: string[] = [];
  /** The migrations to apply or revert. Undefined: all of the data source. */
  only: ReadonlySet<string> | undefined;

  /**
   * Removes `transaction = true`, because inside of a transaction TypeORM rejects migrations that set it to any value.
   */
  protected override getMigrations(): Migration[] {
    const all = super.getMigrations();
    const { only } = this;
    if (only === undefined) return all;
    const some = all.filter(({ name }) => only.has(name));
    for (const { instance } of some) {
      if (instance?.transaction === true) Reflect.deleteProperty(instance, 'transaction');
    }
    return some;
  }

  protected override async insertExecutedMigration(
    queryRunner: QueryRunner,
    migration: Migration,
  ): Promise<void> {
    await super.insertExecutedMigration(queryRunner, migration);
    this.applied.push(migration.name);
  }
}
