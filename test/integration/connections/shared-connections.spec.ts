import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { systemClock } from '../../../lib/runtime/clock.js';
import { createPools, type LoginPools } from '../../../lib/store/postgres/connections/pools.js';
import { openTenant, poolsOf, type OpenTenant } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const NAME = 'shared connections';

let pools: LoginPools;
let admin: pg.Client;
beforeEach(async () => {
  admin = await connectAdmin();
});
afterEach(() => admin.end());

async function connections(name: string): Promise<number> {
  const { rows } = await admin.query<{ count: number }>(
    'SELECT count(*)::integer AS count FROM pg_stat_activity WHERE application_name = $1',
    [name],
  );
  return rows[0]!.count;
}

const sizeOf = ({ statements, general }: LoginPools): number =>
  [...statements, general].reduce((sum, pool) => sum + pool.options.max, 0);

describe('Pools that are made smaller', () => {
  beforeEach(() => {
    pools = createPools({
      clock: systemClock,
      connection: { connectionString: databaseUrl() },
      poolSize: 10,
      applicationName: NAME,
    });
  });
  afterEach(() => pools.end());

  const all = (): Promise<pg.PoolClient[]> =>
    Promise.all([
      ...pools.statements.map((pool) => pool.connect()),
      ...Array.from({ length: pools.general.options.max }, () => pools.general.connect()),
    ]);

  it('close idle connections at once', async () => {
    for (const client of await all()) client.release();
    expect(await connections(NAME)).toBe(10);
    pools.share(4);
    expect(sizeOf(pools)).toBe(4);
    await waitFor(async () => (await connections(NAME)) === 4, { what: 'six to close' });
    // All that are left can be used.
    const turns = pools.turns.statements;
    const select = (client: pg.PoolClient): Promise<unknown> => client.query('SELECT 1');
    await Promise.all(Array.from({ length: 20 }, () => turns.withConnection({}, select)));
    expect(await connections(NAME)).toBe(4);
  });

  it('close connections in use when they are given back, and leave them until then', async () => {
    const clients = await all();
    pools.share(3);
    for (const client of clients) await client.query('SELECT 1');
    for (const client of clients) client.release();
    await waitFor(async () => (await connections(NAME)) === 3, { what: 'seven to close' });
  });

  it('have at least three connections, and grow again', async () => {
    pools.share(-1);
    expect(sizeOf(pools)).toBe(3);
    pools.share(100);
    expect(sizeOf(pools)).toBe(10);
    for (const client of await all()) client.release();
    expect(await connections(NAME)).toBe(10);
    pools.share(5);
    pools.grow(20);
    expect(sizeOf(pools)).toBe(5);
    pools.share(Infinity);
    expect(sizeOf(pools)).toBe(20);
  });
});

describe('Processes', () => {
  const isSmall = (tenant: OpenTenant): boolean => sizeOf(poolsOf(tenant)) < 10;

  it('share the connections of the server, unless a pool size is set', async () => {
    const { rows } = await admin.query<{ max: number }>(
      "SELECT current_setting('max_connections')::integer AS max",
    );
    const schema = freshSchema();
    const first = await openTenant([], { schema, poolSizeIsDefault: true });
    const fixed = await openTenant([], { schema });
    expect([first, fixed].map((tenant) => sizeOf(poolsOf(tenant)))).toEqual([10, 10]);
    // As many processes as it takes are stood for by their locks.
    const locks: pg.Client[] = [];
    try {
      for (let key = 1; key <= Math.ceil(rows[0]!.max / 10); key++) {
        const client = await connectAdmin();
        locks.push(client);
        await client.query('SELECT pg_advisory_lock(1129072451, $1)', [key]);
      }
      await admin.query("NOTIFY cloacina, 'h'");
      await waitFor(() => isSmall(first), { what: 'the pool to become smaller' });
      expect(isSmall(fixed)).toBe(false);
    } finally {
      await Promise.all(locks.map((client) => client.end()));
    }
    await waitFor(() => !isSmall(first), { what: 'the pool to grow again' });
  });
});
