import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { sqlState, SqlState } from '../store/postgres/sql-state.js';
import { OWN_TYPES } from '../store/postgres/connections/own-types.js';
import { quietPool } from '../store/postgres/connections/pools.js';
import { initializeOnPool } from '../store/postgres/connections/server-facts.js';
import { cloacinaMigrations } from '../store/postgres/migrations/index.js';
import { READ_ONLY } from '../store/postgres/read-only.js';
import { createMigrationDataSource } from '../tenants/migrations/migration-data-source.js';
import { quoteIdentifier } from '../tenants/quote-identifier.js';
import { CheckSkipped } from './check.js';
import { readShape, type ShapeLine } from './schema-shape.js';

/**
 * What migrations make on this server. They run in a schema of their own, in a transaction that is rolled back: the texts
 * of the catalog differ between versions of PostgreSQL, so a stored list would be wrong on some of them. Nothing of it can be
 * seen by other sessions.
 */
export class ExpectedShapes {
  private readonly known = new Map<string, Promise<readonly ShapeLine[]>>();

  constructor(private readonly config: pg.ClientConfig) {}

  /** @throws CheckSkipped if the login may not create a schema */
  of(applied: readonly string[]): Promise<readonly ShapeLine[]> {
    const key = applied.join(' ');
    let shape = this.known.get(key);
    if (shape === undefined) {
      shape = this.make(applied);
      // Each check that asks gets the failure; here it is only kept from being unhandled.
      shape.catch(() => undefined);
      this.known.set(key, shape);
    }
    return shape;
  }

  private async make(applied: readonly string[]): Promise<readonly ShapeLine[]> {
    const pool = quietPool({
      ...this.config,
      types: OWN_TYPES,
      application_name: 'cloacina-doctor',
      connectionTimeoutMillis: 10_000,
      max: 1,
    });
    const schema = `cloacina_doctor_${randomBytes(6).toString('hex')}`;
    const dataSource = createMigrationDataSource(pool, schema);
    try {
      await initializeOnPool(pool, dataSource);
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      try {
        await runner.query(
          `SET LOCAL statement_timeout TO '60s'; CREATE SCHEMA ${quoteIdentifier(schema)}`,
        );
        for (const Migration of cloacinaMigrations) {
          const migration = new Migration();
          if (applied.includes(migration.name)) await migration.up(runner);
        }
        await runner.query('SET LOCAL search_path TO pg_catalog');
        return await readShape((await runner.connect()) as pg.PoolClient, schema);
      } finally {
        await runner.rollbackTransaction();
        await runner.release();
      }
    } catch (error) {
      const code = sqlState(error);
      if (code === SqlState.insufficientPrivilege)
        throw new CheckSkipped(
          'The login may not create a schema, in which the migrations would show what they make. Use a login with CREATE on the database.',
        );
      if (code === READ_ONLY)
        throw new CheckSkipped('The server accepts no writes, so the migrations cannot run.');
      throw error;
    } finally {
      await pool.end();
    }
  }
}
