import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';
import pg from 'pg';

/**
 * Drops the schemas that a test file named with `freshSchema`, after the file's last `afterAll`: jest runs those in
 * the order in which they were written, so a drop in one of them would come before the application closed.
 */
export default class TestEnvironment extends NodeEnvironment {
  async teardown() {
    const names = this.global[Symbol.for('cloacina.test.schemas')];
    if (names?.size > 0) await dropSchemas(process.env.DATABASE_URL, [...names]);
    await super.teardown();
  }
}

async function dropSchemas(url, names) {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'cloacina-test-cleanup',
  });
  await client.connect();
  try {
    // Whatever a failed test left open would hold up the drop, and hide the failure behind a timeout.
    await client.query(
      `SELECT pg_terminate_backend(l.pid)
         FROM pg_locks l
         JOIN pg_class c ON c.oid = l.relation
         JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY($1)
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.pid <> pg_backend_pid()`,
      [names],
    );
    for (const name of names) {
      await client.query(`DROP SCHEMA IF EXISTS ${client.escapeIdentifier(name)} CASCADE`);
    }
  } finally {
    await client.end();
  }
}
