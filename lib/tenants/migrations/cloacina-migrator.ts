import { Logger } from '@nestjs/common';
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
  /** The tenant's data source; its migrations are the application's. */
  readonly dataSource: DataSource;
  /** Initializes `dataSource`, once; called only when migrations of the application have to be run. */
  readonly initialize?: () => Promise<unknown>;
  /** False: a schema that isn't there is an error. Default: it is created. */
  readonly mayCreate?: boolean;
  /** False: a boot only checks that nothing is pending. Default: it creates and migrates. */
  readonly mayMigrateAtBoot?: boolean;
  /** Whether this process starts and claims there. Default: it doesn't. */
  readonly isServed?: () => boolean;
  /** How long one wait for another process that migrates the schema takes before it is logged, in milliseconds. */
  readonly lockTimeoutMs?: number;
  /** How long to wait in all for that process, in milliseconds. */
  readonly giveUpAfterMs?: number;
}

export interface MigrationResult {
  schemaCreated: boolean;
  /** The migrations that this call applied, the library's first. */
  applied: string[];
}

/**
 * Creates and migrates the schema of one tenant. The application's boot calls {@link ensure}; the rest is for
 * deployments that migrate in a step of their own, and for looking.
 *
 * The library's migrations and the application's have histories of their own (`cloacina_migrations`, `migrations`)
 * and transactions of their own: the library's are committed first. Within either, all pending migrations are applied
 * together or not at all. A migration of the application that says `transaction = false`, as one with
 * `CREATE INDEX CONCURRENTLY` must, is applied by itself under the same lock, between those before and after it.
 *
 * Any number of processes may call any of it at once.
 */
export class CloacinaMigrator {
  private readonly logger = new Logger('CloacinaMigrator');

  /** @internal Applications get theirs by injection. */
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

  /** @internal Tenants on one pool are looked at together. */
  get pool(): pg.Pool {
    return this.settings.pool;
  }

  /**
   * Creates the schema if it doesn't exist, and applies what is pending. When nothing is, that takes two short
   * statements and no lock.
   *
   * @throws PermissionError when the login may not; its message has the missing GRANT
   * @throws MigrationError when a migration fails, or when a newer version of the library has migrated the schema in a way
   * that this one can't work with
   */
  async ensure(): Promise<MigrationResult> {
    return this.ensureFrom(await this.readHistory());
  }

  /** What has been applied and what would be, the library's migrations first. Changes nothing. */
  async status(): Promise<{ applied: string[]; pending: string[] }> {
    const history = await this.readHistory();
    return {
      applied: this.sets().flatMap((set) => appliedOf(set, history)),
      pending: this.sets().flatMap((set) => pendingOf(set, history)),
    };
  }

  /** What {@link run} would apply. */
  async pending(): Promise<string[]> {
    return (await this.status()).pending;
  }

  /** Applies what is pending and returns the names; as {@link ensure}, it creates the schema if need be. */
  async run(): Promise<string[]> {
    return (await this.ensure()).applied;
  }

  /**
   * Reverts one migration and returns its name, or null when none is applied: the application's last, and when the
   * application has none, the library's last. What a migration created is dropped with its data.
   */
  async revert(): Promise<string | null> {
    const history = await this.readHistory();
    assertNotAhead(this.settings.schema, history);
    const application = this.applicationSet();
    // Others may keep their history in the same table; only what the application's code has can be reverted.
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
   * Moves the library's tables with all that is in them, their history included, into another schema, which is created
   * if need be; for a tenant that outgrows `public`, and for one whose schema gets another name. It is done at once or
   * not at all. The application's own tables and their history of migrations stay where they are.
   *
   * Nothing may be served there during the move: shut down the tenant's runner here first, and stop the other processes. Then
   * remove the tenant, and add it with its new schema: what waited goes on there. A process that was not stopped gets
   * errors for what it starts from then on, and stores nothing.
   *
   * @param schema - where to, by the same rules as the option `schema`
   * @throws SchemaNameError, InvalidArgumentError when that is no schema to move to
   * @throws NotAllowedError while the tenant's runner serves here or another process holds claims there; when the other
   * schema has tables of the library, or this one has none
   * @throws PermissionError, MigrationError as {@link ensure}
   */
  async moveTo(schema: string): Promise<void> {
    assertSchemaName(schema);
    const own = this.settings.schema;
    if (schema === own) {
      throw new InvalidArgumentError('schema', 'must be another one than that of the tenant');
    }
    if (this.settings.isServed?.() === true) {
      throw new NotAllowedError(
        `Moving schema "${own}" to "${schema}"`,
        'this process serves the tenant',
        'Call runner.shutdown() of the tenant before.',
      );
    }
    await this.withLibrary((run) => moveSchema(run, schema));
    this.logger.log(`Schema "${own}": moved the library's tables to "${schema}".`);
  }

  /** @internal What to read to know whether there is anything to do, for many tenants in one go. */
  historyRequest(): HistoryRequest {
    return { schema: this.settings.schema, tables: this.sets().map((set) => set.table) };
  }

  /**
   * @internal What a boot does with `migrate: false`.
   * @throws MigrationError with what is pending
   */
  async check(known?: SchemaHistory): Promise<void> {
    const { schema } = this.settings;
    const history = known ?? (await this.readHistory());
    assertUsable(schema, history);
    const pending = this.sets().flatMap((set) => pendingOf(set, history));
    if (history.schemaExists && pending.length === 0) return;
    throw new MigrationError({ schema, pending, isMissing: !history.schemaExists });
  }

  /** @internal The rest of {@link ensure}, for who has read the history already. */
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

  /** An application without migrations of its own may still have a table of that name, which is not the library's. */
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
    return work(this.runOf(dataSource, this.applicationSet()));
  }

  /** The tenant's data source has the application's migrations, so the library's are run on one of their own. */
  private async withLibrary<T>(work: (run: MigrationRun) => Promise<T>): Promise<T> {
    const dataSource = createMigrationDataSource(this.settings.pool, this.settings.schema);
    await this.explaining(() => initializeOnPool(this.settings.pool, dataSource));
    try {
      return await work(this.runOf(dataSource, cloacinaMigrationSet));
    } finally {
      await dataSource.destroy();
    }
  }

  private async explaining<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } catch (error) {
      throw await explainFailure(error, { ...this.settings, began });
    }
  }
}
