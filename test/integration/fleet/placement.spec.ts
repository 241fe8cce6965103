import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DuplicateSchemaError } from '../../../lib/errors/index.js';
import { inAdminSession, lockTenant } from '../../../lib/tenants/admin/admin-session.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { SecondServer } from '../../support/second-server.js';
import { waitFor } from '../../support/wait-for.js';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';

let home = '';
let us: SecondServer;
beforeAll(async () => {
  [home, us] = await Promise.all([scratchDatabase(), SecondServer.connect()]);
}, 120_000);
afterAll(() => us.close());

function admin(more: Record<string, { databaseUrl: string }> = {}): CloacinaAdmin {
  return new CloacinaAdmin({
    servers: { ...more, home: { databaseUrl: home }, us: { databaseUrl: us.url } },
  });
}

/** Repeated calls succeed with the same password, if the tenant is on their server. */
function newTenant(): { schema: string; username: string; password: string } {
  const schema = freshSchema('placed');
  return { schema, username: `login_${schema}`, password: 'pass word' };
}

/** The number of calls that wait for a lock of another one, on the server "home". */
function waiting(): Promise<number> {
  return inAdminSession({ databaseUrl: home }, async ({ client }) => {
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity WHERE application_name = 'cloacina-admin'
          AND datname = current_database() AND wait_event = 'advisory'`,
    );
    return rowCount ?? 0;
  });
}

describe('calls that name a server for one tenant', () => {
  it.each([
    ['all servers answer', {}],
    // Its name is the first, and with it its lock.
    ['another server is away', { away: { databaseUrl: NOWHERE } }],
  ])('are refused, if another call places it on another server first; %s', async (_, more) => {
    const names = newTenant();
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let hold: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      hold = resolve;
    });
    // Holds the first call after it has seen that no server has the schema.
    const holder = inAdminSession({ databaseUrl: home }, async (session) => {
      await lockTenant(session, names);
      hold();
      await released;
    });
    await held;
    const calls = { ...names, othersMayBeAway: true };
    const first = admin(more).createTenant({ ...calls, server: 'home' });
    await waitFor(async () => (await waiting()) === 1, { what: 'the first call' });

    let isOver = false;
    const second = Promise.allSettled([
      admin(more).createTenant({ ...calls, server: 'us' }),
    ]).finally(() => {
      isOver = true;
    });
    await waitFor(async () => isOver || (await waiting()) === 2, { what: 'the second call' });
    release();
    await holder;
    expect(await first).toMatchObject({ server: 'home' });
    expect(await second).toEqual([
      { status: 'rejected', reason: new DuplicateSchemaError(names.schema, ['home', 'us']) },
    ]);
    await admin().removeTenant({ schema: names.schema });
  });

  it('place nothing, if they reach no server in common', async () => {
    const names = newTenant();
    const reachable = { home: { databaseUrl: home }, us: { databaseUrl: us.url } };
    const made = await Promise.allSettled(
      (['home', 'us'] as const).map((server) =>
        new CloacinaAdmin({
          servers: {
            home: { databaseUrl: NOWHERE },
            us: { databaseUrl: NOWHERE },
            [server]: reachable[server],
          },
        }).createTenant({ ...names, server }),
      ),
    );
    expect(made.map((one): unknown => one.status === 'rejected' && one.reason)).toMatchObject([
      { code: 'DATABASE_UNAVAILABLE', message: expect.stringContaining('server "us"') },
      { code: 'DATABASE_UNAVAILABLE', message: expect.stringContaining('server "home"') },
    ]);
    const listed = await admin().listTenants();
    expect(listed.filter(({ schema }) => schema === names.schema)).toEqual([]);
  });

  it('make one tenant, however many they are', async () => {
    const names = newTenant();
    const made = await Promise.allSettled(
      ['home', 'us', 'home', 'us'].map((server) => admin().createTenant({ ...names, server })),
    );
    const servers = made.flatMap((one) =>
      one.status === 'fulfilled' ? (one.value.server ?? '') : [],
    );
    expect(servers).toHaveLength(2);
    expect(new Set(servers).size).toBe(1);
    const refusals = made.flatMap((one): unknown[] =>
      one.status === 'rejected' ? [one.reason] : [],
    );
    expect(refusals).toMatchObject([{ code: 'DUPLICATE_SCHEMA' }, { code: 'DUPLICATE_SCHEMA' }]);
    await admin().removeTenant({ schema: names.schema });
  });
});
