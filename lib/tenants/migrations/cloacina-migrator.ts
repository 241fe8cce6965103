import { Logger } from '@nestjs/common';
import { untraced } from '../../runtime/untraced.js';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { InvalidArgumentError, MigrationError, NotAllowedError } from '../../errors/index.js';
import { APPLICATION_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { initializeOnPool } from '../../store/postgres/connections/server-facts.js';
import { createMigrationDataSource } from './migration-data-source.js';
import { explainFailure } from './migration-failure.js';
import {
  assertOwnLogin,
  type HistoryRequest,
  readHistories,
  type SchemaHistory,
} from './migration-history.js';
import { applyPending, type MigrationRun, revertLast } from './migration-run.js';
import {
  appliedOf,
  assertNotAhead,
  assertUsable,
  cloacinaMigrationSet,
  type MigrationSet,
  migrationSetOf,
  pendingOf,
} from './migration-set.js';
import { moveSchema } from './move-schema.js';
import { assertSchemaName } from '../../options/schema-name.js';

export interface MigratorSettings {
  /** The tenant's name, for messages. */
  readonly tenant: string;
  readonly schema: string;
  /** The pool that `dataSource` is on. */
  readonly pool: pg.Pool;
  /** The tenant's data source, with the application's migrations. */
  readonly dataSource: DataSource;
  /** Initializes `dataSource`. Called at most once, and only if migrations of the application have to run. */
  readonly initialize?: () => Promise<unknown>;
  /** Whether a missing schema is created. If false, it is an error. Default: true. */
  readonly mayCreate?: boolean;
  /** Whether a boot creates and migrates. If false, it only checks that nothing is pending. Default: true. */
  readonly mayMigrateAtBoot?: boolean;
  /** Whether this process starts and claims work in the schema. Default: it doesn't. */
  readonly isServed?: () => boolean;
  /** How long to wait for another process that migrates the schema before logging it, in milliseconds. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for that process in total, in milliseconds. */
  readonly giveUpAfterMs?: number;
}

/** The result of {@link CloacinaMigrator.ensure}. */
export interface MigrationResult {
  /** Whether this call created the schema. */
  schemaCreated: boolean;
  /** The migrations that this call applied, the library's first. */
  applied: string[];
}

/**
 * Creates and migrates the schema of one tenant. The boot of the application calls {@link ensure}. Use the other methods
 * in deployments that migrate in a separate step, and to inspect a schema.
 *
 * The library and the application each have a history table (`cloacina_migrations`, `migrations`). All pending migrations
 * of the library are applied in one transaction, which commits first; those of the application follow in another one. A
 * migration of the application with `transaction = false`, which `CREATE INDEX CONCURRENTLY` requires, runs outside of the
 * transaction, under the same lock and between its neighbors.
 *
 * All methods are safe to call from several processes at once.
 */
export class CloacinaMigrator {
  private readonly logger = new Logger('CloacinaMigrator');

  /** @internal Applications inject it. */
  constructor(private readonly settings: MigratorSettings) {
    assertSchemaName(settings.schema);
  }

  /** @internal */
  get tenant(): string {
    return this.settings.tenant;
  }

  /** @internal */
  get mayMigrateAtBoot(): boolean {
    return this.settings.mayMigrateAtBoot ?? true;
  }

  /** @internal Histories of tenants on one pool are read together. */
  get pool(): pg.Pool {
    return this.settings.pool;
  }

  /**
   * Creates the schema if it doesn't exist, and applies pending migrations. If nothing is pending, it takes two short
   * statements and no lock.
   *
   * @throws PermissionError if the login lacks a right; the message contains the missing GRANT
   * @throws MigrationError if a migration fails, or if a newer version of the library has migrated the schema so that this
   * version cannot work with it
   */
  async ensure(): Promise<MigrationResult> {
    return this.ensureFrom(await this.readHistory());
  }

  /** The applied and the pending migrations, the library's first. Changes nothing. */
  async status(): Promise<{ applied: string[]; pending: string[] }> {
    const history = await this.readHistory();
    return {
      applied: this.sets().flatMap((set) => appliedOf(set, history)),
      pending: this.sets().flatMap((set) => pendingOf(set, history)),
    };
  }

  /** The migrations that {@link run} would apply. */
  async pending(): Promise<string[]> {
    return (await this.status()).pending;
  }

  /** Applies pending migrations and returns their names. Like {@link ensure}, it creates a missing schema. */
  async run(): Promise<string[]> {
    return (await this.ensure()).applied;
  }

  /**
   * Reverts one migration and returns its name, or null if none is applied. It reverts the last one of the application, or
   * the last one of the library if the application has none. Tables that the migration created are dropped with their
   * data.
   */
  async revert(): Promise<string | null> {
    const history = await this.readHistory();
    assertNotAhead(this.settings.schema, history);
    const application = this.applicationSet();
    // Another application may use the same history table, so only migrations in this application's code are reverted.
    const reverted = appliedOf(application, history).some((name) =>
      application.names.includes(name),
    )
      ? await this.withApplication((run) => revertLast(run))
      : await this.withLibrary((run) => revertLast(run));
    if (reverted !== null) {
      this.logger.log(`Schema "${this.settings.schema}": reverted ${reverted}.`);
    }
    return reverted;
  }

  /**
   * Moves the library's tables with their rows and their history into another schema, which is created if it doesn't
   * exist. Use it for a tenant that outgrows `public`, or to rename a tenant's schema. The move is one transaction. The
   * application's own tables and their history stay where they are.
   *
   * No process may serve the tenant during the move. First shut down the tenant's runner in this process, and stop the
   * other processes. After the move remove the tenant and add it with its new schema, where waiting executions continue. A
   * process that was not stopped gets errors for later starts, and stores nothing.
   *
   * @param schema - the target, by the same rules as the option `schema`
   * @throws SchemaNameError, InvalidArgumentError if the target is invalid
   * @throws NotAllowedError if the tenant's runner serves in this process, if another process has claims there, if the
   * target has tables of the library, or if this schema has none
   * @throws PermissionError, MigrationError as {@link ensure}
   */
  async moveTo(schema: string): Promise<void> {
    assertSchemaName(schema);
    const own = this.settings.schema;
    if (schema === own) {
      throw new InvalidArgumentError('schema', "must differ from the tenant's current schema");
    }
    if (this.settings.isServed?.() === true) {
      throw new NotAllowedError(
        `Moving schema "${own}" to "${schema}"`,
        'this process serves the tenant',
        'Call runner.shutdown() of the tenant first.',
      );
    }
    await this.withLibrary((run) => moveSchema(run, schema));
    this.logger.log(`Schema "${own}": moved the library's tables to "${schema}".`);
  }

  /** @internal The history tables to read, so that one statement can read those of many tenants. */
  historyRequest(): HistoryRequest {
    return { schema: this.settings.schema, tables: this.sets().map((set) => set.table) };
  }

  /**
   * @internal What a boot with `migrate: false` runs.
   * @throws MigrationError that lists pending migrations
   */
  async check(known?: SchemaHistory): Promise<void> {
    const { schema } = this.settings;
    const history = known ?? (await this.readHistory());
    assertUsable(schema, history);
    const pending = this.sets().flatMap((set) => pendingOf(set, history));
    if (history.schemaExists && pending.length === 0) return;
    throw new MigrationError({ schema, pending, isMissing: !history.schemaExists });
  }

  /** @internal {@link ensure} for callers that have read the history already. */
  async ensureFrom(history: SchemaHistory): Promise<MigrationResult> {
    const { schema } = this.settings;
    assertUsable(schema, history);
    const began = performance.now();
    const applied: string[] = [];
    let schemaCreated = false;
    if (!history.schemaExists || pendingOf(cloacinaMigrationSet, history).length > 0) {
      const result = await this.withLibrary((run) => applyPending(run));
      schemaCreated = result.schemaCreated;
      applied.push(...result.applied);
    }
    const application = this.applicationSet();
    if (pendingOf(application, history).length > 0) {
      applied.push(...(await this.withApplication((run) => applyPending(run))).applied);
    }
    if (applied.length > 0) {
      const took = Math.round(performance.now() - began);
      this.logger.log(
        `Schema "${schema}"${schemaCreated ? ' created' : ''}: applied ${applied.join(', ')} in ${took} ms.`,
      );
    }
    return { schemaCreated, applied };
  }

  private async readHistory(): Promise<SchemaHistory> {
    const [history] = await this.explaining(() =>
      readHistories(this.settings.pool, [this.historyRequest()]),
    );
    if (history !== undefined) assertOwnLogin(this.settings.schema, history);
    return history ?? { schemaExists: false, applied: new Map() };
  }

  private applicationSet(): MigrationSet {
    const { dataSource } = this.settings;
    return migrationSetOf(
      dataSource,
      dataSource.options.migrationsTableName ?? APPLICATION_MIGRATIONS_TABLE,
    );
  }

  /** Without migrations of the application, a table with the name of its history may belong to other software. */
  private sets(): MigrationSet[] {
    const application = this.applicationSet();
    return [cloacinaMigrationSet, ...(application.names.length > 0 ? [application] : [])];
  }

  private runOf(dataSource: DataSource, set: MigrationSet): MigrationRun {
    return { ...this.settings, dataSource, set, warn: (message) => this.logger.warn(message) };
  }

  private async withApplication<T>(work: (run: MigrationRun) => Promise<T>): Promise<T> {
    const { dataSource, initialize } = this.settings;
    if (!dataSource.isInitialized) {
      await this.explaining(() => initialize?.() ?? dataSource.initialize());
    }
    return untraced(() => work(this.runOf(dataSource, this.applicationSet())));
  }

  /** Runs `work` on a data source with the library's migrations. The tenant's own has those of the application. */
  private async withLibrary<T>(work: (run: MigrationRun) => Promise<T>): Promise<T> {
    const dataSource = createMigrationDataSource(this.settings.pool, this.settings.schema);
    await this.explaining(() => initializeOnPool(this.settings.pool, dataSource));
    try {
      return await untraced(() => work(this.runOf(dataSource, cloacinaMigrationSet)));
    } finally {
      await dataSource.destroy();
    }
  }

  private async explaining<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await untraced(work);
    } catch (error) {
      throw await explainFailure(error, { ...this.settings, began });
    }
  }
}
