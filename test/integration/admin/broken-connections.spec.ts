import { afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import type pg from 'pg';
import { CloacinaMigrator } from '../../../lib/tenants/migrations/cloacina-migrator.js';
import { waitFor } from '../../support/wait-for.js';
import { type AdminDatabase, createAdminDatabase } from './admin-database.js';

let database: AdminDatabase;
beforeAll(async () => {
  database = await createAdminDatabase();
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Without a listener, Node ends the process over a connection that breaks while no statement waits on it. */
it.each(['idle', 'checked out'] as const)(
  'createTenant() whose pooled connection breaks while it is %s ends no process',
  async (state) => {
    const ensure = Reflect.get(CloacinaMigrator.prototype, 'ensure');
    let broken = 0;
    jest.spyOn(CloacinaMigrator.prototype, 'ensure').mockImplementation(async function (
      this: CloacinaMigrator,
    ) {
      const { pool } = Reflect.get(this, 'settings') as { pool: pg.Pool };
      const client = await pool.connect();
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      // Not events.once(), which would listen for errors.
      const ended = new Promise((resolve) => void client.once('end', () => resolve(undefined)));
      if (state === 'idle') client.release();
      await database.owner.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await ended;
      if (state === 'checked out') client.release(true);
      else await waitFor(() => !Reflect.get(pool, '_clients').includes(client));
      broken++;
      // The data sources have listeners of their own; this is a connection that none has used.
      return ensure.call(this);
    });
    const made = await database.admin.createTenant(database.names());
    expect(broken).toBe(1);
    await database.connect(made.connectionString);
    await database.admin.removeTenant({ schema: made.schema });
  },
  30_000,
);
