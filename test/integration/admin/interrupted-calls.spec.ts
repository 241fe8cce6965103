import { beforeAll, expect, it } from '@jest/globals';
import { TenantExistsError } from '../../../lib/errors/index.js';
import { cloacinaMigrationSet } from '../../../lib/tenants/migration-set.js';
import { waitFor } from '../../support/wait-for.js';
import { type AdminDatabase, createAdminDatabase, rowsOf } from './admin-database.js';
import { interrupted, type Interruption } from './interruptions.js';

let database: AdminDatabase;
beforeAll(async () => {
  database = await createAdminDatabase();
});

/** The next call must find the locks of the killed one gone. */
async function untilConnectionsAreGone(): Promise<void> {
  await waitFor(async () => {
    const rows = await rowsOf(
      database.owner,
      `SELECT FROM pg_stat_activity WHERE application_name = 'cloacina-admin' AND datname = current_database()`,
    );
    return rows.length === 0;
  });
}

async function canLogIn(connectionString: string): Promise<boolean> {
  return database.connect(connectionString).then(
    () => true,
    () => false,
  );
}

/** Calls `at` for each statement, until one call comes to its end; returns the texts of the statements. */
async function atEachStatement(
  when: Interruption['when'],
  at: (interruption: Interruption) => Promise<string | undefined>,
): Promise<string[]> {
  const texts: string[] = [];
  for (let statements = 0; ; statements++) {
    const text = await at({ statements, when });
    if (text === undefined) return texts;
    texts.push(text);
  }
}

it.each(['before', 'after'] as const)(
  'createTenant() that is killed %s any statement is completed by the next call',
  async (when) => {
    let complete = 0;
    const texts = await atEachStatement(when, async (interruption) => {
      const names = database.names();
      const text = await interrupted(interruption, () => database.admin.createTenant(names));
      if (text === undefined) return undefined;
      await untilConnectionsAreGone();

      const made = await database.admin.createTenant(names).catch((error: unknown) => {
        if (!(error instanceof TenantExistsError)) throw error;
        complete++;
        return database.admin.rotatePassword(names);
      });

      expect(await canLogIn(made.connectionString)).toBe(true);
      expect(await database.admin.listTenants()).toContainEqual({
        schema: names.schema,
        version: cloacinaMigrationSet.names.at(-1),
      });
      return text;
    });
    const indexOf = (part: string): number => texts.findIndex((text) => text.includes(part));
    const order = ['CREATE ROLE', 'CREATE SCHEMA', 'cloacina_task_execution', 'LOGIN PASSWORD'];
    const places = order.map(indexOf);
    expect(places[0]).toBeGreaterThan(0);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    // Only when the very last commit is done, and nobody heard of it, the tenant is complete.
    expect(complete).toBe(when === 'after' ? 1 : 0);
  },
  300_000,
);

it.each(['before', 'after'] as const)(
  'removeTenant() that is killed %s any statement is completed by the next call',
  async (when) => {
    const texts = await atEachStatement(when, async (interruption) => {
      const names = database.names();
      await database.admin.createTenant(names);
      const text = await interrupted(interruption, () =>
        database.admin.removeTenant({ ...names, drain: '5s' }),
      );
      if (text === undefined) return undefined;
      await untilConnectionsAreGone();
      const isThere = await tenantIsThere(names);

      const { dropped } = await database.admin.removeTenant({ schema: names.schema, drain: '5s' });

      expect(dropped).toEqual(
        isThere ? [`schema "${names.schema}"`, `role "${names.username}"`] : [],
      );
      expect(await tenantIsThere(names)).toBe(false);
      return text;
    });
    const drop = texts.findIndex((text) => text.startsWith('DROP SCHEMA'));
    expect(drop).toBeGreaterThan(0);
    expect(texts.findIndex((text) => text.startsWith('DROP ROLE'))).toBeGreaterThan(drop);
  },
  300_000,
);

/** All of it or nothing: a schema without its role, or the other way round, is neither. */
async function tenantIsThere(names: { schema: string; username: string }): Promise<boolean> {
  const [found] = await rowsOf<{ schemas: number; roles: number; tables: number }>(
    database.owner,
    `SELECT (SELECT count(*)::integer FROM pg_namespace WHERE nspname = $1) AS schemas,
            (SELECT count(*)::integer FROM pg_roles WHERE rolname = $2) AS roles,
            (SELECT count(*)::integer FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r') AS tables`,
    [names.schema, names.username],
  );
  const isThere = found?.schemas === 1;
  expect(found).toEqual(
    isThere ? { schemas: 1, roles: 1, tables: 7 } : { schemas: 0, roles: 0, tables: 0 },
  );
  return isThere;
}
