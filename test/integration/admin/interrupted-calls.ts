import { cloacinaEntities } from '../../../lib/store/postgres/entities/index.js';
import { expect } from '@jest/globals';
import { TenantExistsError } from '../../../lib/errors/index.js';
import { cloacinaMigrationSet } from '../../../lib/tenants/migrations/migration-set.js';
import { waitFor } from '../../support/wait-for.js';
import { type AdminDatabase, rowsOf } from './admin-database.js';
import { interrupted, type Interruption } from './interruptions.js';

/** What is asked of each point at which a call can end: few points in `npm test`, all in the fault tests. */

/** Interrupts calls of createTenant() at those points, until one comes to its end; the next call completes each. */
export async function interruptCreateTenant(
  database: AdminDatabase,
  interruptions: Iterable<Interruption>,
): Promise<{ texts: string[]; complete: number }> {
  let complete = 0;
  const texts = await atEach(interruptions, async (interruption) => {
    const names = database.names();
    const text = await interrupted(interruption, () => database.admin.createTenant(names));
    if (text === undefined) return undefined;
    await untilConnectionsAreGone(database);

    const made = await database.admin.createTenant(names).catch((error: unknown) => {
      if (!(error instanceof TenantExistsError)) throw error;
      complete++;
      return database.admin.rotatePassword(names);
    });

    expect(await canLogIn(database, made.connectionString)).toBe(true);
    expect(await database.admin.listTenants()).toContainEqual({
      schema: names.schema,
      tenant: names.schema,
      version: cloacinaMigrationSet.names.at(-1),
    });
    return text;
  });
  return { texts, complete };
}

/** The same of removeTenant(). Returns the statements. */
export async function interruptRemoveTenant(
  database: AdminDatabase,
  interruptions: Iterable<Interruption>,
): Promise<string[]> {
  return atEach(interruptions, async (interruption) => {
    const names = database.names();
    await database.admin.createTenant(names);
    const text = await interrupted(interruption, () =>
      database.admin.removeTenant({ ...names, drain: '5s' }),
    );
    if (text === undefined) return undefined;
    await untilConnectionsAreGone(database);
    const isThere = await tenantIsThere(database, names);

    const { dropped } = await database.admin.removeTenant({ schema: names.schema, drain: '5s' });

    expect(dropped).toEqual(
      isThere ? [`schema "${names.schema}"`, `role "${names.username}"`] : [],
    );
    expect(await tenantIsThere(database, names)).toBe(false);
    return text;
  });
}

/** Before, or after, every statement; without end. */
export function* everyInterruption(when: Interruption['when']): Generator<Interruption> {
  for (let nth = 0; ; nth++) yield { when, at: (_text, index) => index === nth };
}

export function interruptedAt(when: Interruption['when'], part: string): Interruption {
  return { when, at: (text) => text.includes(part) };
}

async function atEach(
  interruptions: Iterable<Interruption>,
  call: (interruption: Interruption) => Promise<string | undefined>,
): Promise<string[]> {
  const texts: string[] = [];
  for (const each of interruptions) {
    const text = await call(each);
    if (text === undefined) break;
    texts.push(text);
  }
  return texts;
}

/** The next call must find the locks of the killed one gone. */
async function untilConnectionsAreGone({ owner }: AdminDatabase): Promise<void> {
  await waitFor(async () => {
    const rows = await rowsOf(
      owner,
      `SELECT FROM pg_stat_activity WHERE application_name = 'cloacina-admin' AND datname = current_database()`,
    );
    return rows.length === 0;
  });
}

async function canLogIn(database: AdminDatabase, connectionString: string): Promise<boolean> {
  return database.connect(connectionString).then(
    () => true,
    () => false,
  );
}

/** All of it or nothing: a schema without its role, or the other way round, is neither. */
async function tenantIsThere(
  { owner }: AdminDatabase,
  names: { schema: string; username: string },
): Promise<boolean> {
  const [found] = await rowsOf<{ schemas: number; roles: number; tables: number }>(
    owner,
    `SELECT (SELECT count(*)::integer FROM pg_namespace WHERE nspname = $1) AS schemas,
            (SELECT count(*)::integer FROM pg_roles WHERE rolname = $2) AS roles,
            (SELECT count(*)::integer FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r') AS tables`,
    [names.schema, names.username],
  );
  const isThere = found?.schemas === 1;
  // One more table than entities: the history of the migrations.
  const tables = cloacinaEntities.length + 1;
  expect(found).toEqual(
    isThere ? { schemas: 1, roles: 1, tables } : { schemas: 0, roles: 0, tables: 0 },
  );
  return isThere;
}
