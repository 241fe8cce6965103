import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { MovePhase } from '../../../lib/tenants/moving/move-options.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { runCli } from '../../support/run-cli.js';
import { acceptsWrites, contentsOf, expectSame, onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import {
  CreateShop1700000000000,
  LIBRARY_CHANGES,
  LIBRARY_ROWS,
  SHOP_CHANGES,
  SHOP_ROWS,
} from './shop.js';
import { twoServers, type TwoServers } from './two-servers.js';

let [eu, us] = ['', ''];
let servers: TwoServers;
let admin: CloacinaAdmin;
beforeAll(async () => {
  servers = await twoServers();
  [eu, us, admin] = [servers.eu.url, servers.us.url, servers.admin];
}, 120_000);
afterAll(() => servers.us.close());

const migrations = [CreateShop1700000000000];

const run = (schema: string, sql: string, url = eu): Promise<unknown> =>
  onDatabase(url, schema, (client) => client.query(sql));

describe('a move', () => {
  it('carries everything: rows, changes and deletions of its time, sequences, views', async () => {
    const schema = await makeTenant(eu, migrations);
    await run(schema, SHOP_ROWS);
    await run(schema, LIBRARY_ROWS);
    await run(schema, `COMMENT ON TABLE cloacina_migrations IS 'tenant: Acme Ltd.'`);
    const empty = Object.entries((await contentsOf(eu, schema)).rows).filter(
      ([, rows]) => rows.length === 0,
    );
    expect(empty).toEqual([]);
    const phases: MovePhase[] = [];
    let changing: Promise<unknown> = Promise.resolve();
    // Without a write, so the snapshot does not begin with it. The old server accepts writes until it is released.
    const holder = await connectAdmin(eu);
    await holder.query(`BEGIN; LOCK TABLE ${schema}.line IN ROW EXCLUSIVE MODE`);
    const report = await admin.moveTenant({
      schema,
      to: 'us',
      migrations,
      onProgress: ({ phase }) => {
        if (phases.at(-1) === phase) return;
        phases.push(phase);
        if (phase === 'catchingUp')
          changing = run(schema, SHOP_CHANGES)
            .then(() => run(schema, LIBRARY_CHANGES))
            .finally(() => void holder.end());
      },
    });
    await changing;
    expect(phases).toEqual([
      'preparing',
      'copying',
      'catchingUp',
      'stopping',
      'carrying',
      'switching',
      'validating',
    ]);
    expect(report).toMatchObject({ schema, from: 'eu', to: 'us', notes: [] });
    expect(report.rows).toBeGreaterThan(2_000);
    expect(report.bytes).toBeGreaterThan(5_000_000);

    expectSame(await contentsOf(us, schema), await contentsOf(eu, schema));
    expect(await stateOf(eu, schema)).toBe('moved');
    expect(await stateOf(us, schema)).toBe('live');
    expect(await acceptsWrites(eu, schema)).toBe(false);
    expect(await acceptsWrites(us, schema)).toBe(true);
    expect(await admin.listTenants()).toContainEqual(
      expect.objectContaining({ schema, tenant: 'Acme Ltd.', server: 'us' }),
    );
    await expectWhole(schema);

    expect(await admin.finishMove({ schema })).toEqual({
      schema,
      dropped: [`schema "${schema}" on server "eu"`],
    });
    expect(await stateOf(eu, schema)).toBeUndefined();
    expect(await admin.finishMove({ schema })).toEqual({ schema, dropped: [] });
  }, 120_000);

  /** The rules of the application hold on the new server. */
  async function expectWhole(schema: string): Promise<void> {
    await onDatabase(us, schema, async (client) => {
      const { rows } = await client.query(
        `SELECT conname FROM pg_constraint WHERE connamespace = $1::regnamespace AND NOT convalidated`,
        [schema],
      );
      expect(rows).toEqual([]);
      await expect(
        client.query('INSERT INTO purchase (customer_id) VALUES (-1)'),
      ).rejects.toMatchObject({ code: '23503' });
      const count = `SELECT purchases FROM customer WHERE name = 'large'`;
      const before = (await client.query<{ purchases: number }>(count)).rows[0]?.purchases ?? -1;
      await client.query(
        `INSERT INTO purchase (customer_id, note) SELECT id, 'new' FROM customer WHERE name = 'large'`,
      );
      const after = (await client.query<{ purchases: number }>(count)).rows[0]?.purchases;
      expect(after).toBe(before + 1);
    });
  }

  it('there and back again, and a second call has nothing to do', async () => {
    const schema = await makeTenant(eu, migrations);
    await run(schema, SHOP_ROWS);
    const before = await contentsOf(eu, schema);
    await admin.moveTenant({ schema, to: 'us', migrations });
    expect(await admin.moveTenant({ schema, to: 'us', migrations })).toMatchObject({
      from: 'eu',
      to: 'us',
      rows: 0,
      tables: 0,
    });
    await expect(admin.moveTenant({ schema, to: 'eu', migrations })).rejects.toMatchObject({
      code: 'MOVE_NOT_POSSIBLE',
      problems: [expect.stringContaining('finishMove()')],
    });
    await admin.finishMove({ schema });
    await admin.moveTenant({ schema, to: 'eu', migrations });
    expectSame(await contentsOf(eu, schema), before);
    expect(await stateOf(us, schema)).toBe('moved');
    expect(await stateOf(eu, schema)).toBe('live');
  }, 120_000);

  it('carries a tenant with a login of its own, whose password works on the new server', async () => {
    const schema = freshSchema('login');
    const username = `login_${schema}`;
    const { connectionString } = await admin.createTenant({ schema, username, server: 'eu' });
    await run(schema, LIBRARY_ROWS, connectionString);
    const before = await contentsOf(eu, schema);
    expect(await admin.moveTenant({ schema, to: 'us' })).toMatchObject({ notes: [] });
    const url = new URL(us);
    url.username = username;
    url.password = new URL(connectionString).password;
    expectSame(await contentsOf(url.href, schema), before);
    expect(await acceptsWrites(url.href, schema)).toBe(true);
    const { dropped } = await admin.finishMove({ schema });
    expect(dropped).toEqual([
      `schema "${schema}" on server "eu"`,
      `role "${username}" on server "eu"`,
    ]);
    expect((await admin.rotatePassword({ schema, username })).server).toBe('us');
    await admin.moveTenant({ schema, to: 'eu' });
    await expect(admin.removeTenant({ schema, username })).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
    });
    // Of what the second move has left too.
    expect(await admin.removeTenant({ schema, username, duringMove: true })).toEqual({
      dropped: [
        `schema "${schema}"`,
        `role "${username}"`,
        `schema "${schema}" on server "us"`,
        `role "${username}" on server "us"`,
      ],
    });
    expect(await stateOf(us, schema)).toBeUndefined();
  }, 120_000);

  it('is undone if a task does not end in time, and names it', async () => {
    const schema = await makeTenant(eu, migrations);
    await run(schema, LIBRARY_ROWS);
    await run(
      schema,
      `INSERT INTO cloacina_runner_lease (instance_id, process_id, name, expires_at)
         VALUES (md5('owner')::uuid, md5('process')::uuid, 'host 7', '2100-01-01Z');
       UPDATE cloacina_task_execution SET status = 'Running', owner = md5('owner')::uuid
        WHERE execution_id = md5('5')::uuid AND task_no = 0`,
    );
    const failure: unknown = await admin
      .moveTenant({ schema, to: 'us', migrations, drainTimeout: '300ms' })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'MOVE_FAILED',
      isUndone: true,
      message: expect.stringContaining('(host 7)'),
    });
    expect(await stateOf(eu, schema)).toBe('live');
    expect(await acceptsWrites(eu, schema)).toBe(true);
    expect(await stateOf(us, schema)).toBeUndefined();

    // A process that is lost holds nothing up: its tasks are recovered on the new server.
    await run(schema, `UPDATE cloacina_runner_lease SET expires_at = '2020-01-01Z'`);
    await admin.moveTenant({ schema, to: 'us', migrations });
    const { rows } = await onDatabase(us, schema, (client) =>
      client.query(
        `SELECT name FROM cloacina_runner_lease JOIN cloacina_task_execution ON owner = instance_id WHERE status = 'Running'`,
      ),
    );
    expect(rows).toEqual([{ name: 'host 7' }]);
  }, 120_000);

  it('is undone if a transaction of the application does not end, and waits for one that does', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, async (client) => {
      await client.query('BEGIN');
      await client.query(`INSERT INTO line VALUES ('open')`);
      await expect(
        admin.moveTenant({ schema, to: 'us', migrations, drainTimeout: '100ms' }),
      ).rejects.toMatchObject({ code: 'MOVE_FAILED', isUndone: true });
      const moving = admin.moveTenant({
        schema,
        to: 'us',
        migrations,
        onProgress: ({ phase }) => {
          if (phase === 'stopping') void client.query('COMMIT');
        },
      });
      await moving;
    });
    const { rows } = await contentsOf(us, schema);
    expect(rows['line']).toEqual(['(open,)']);
  }, 120_000);

  it('is refused for a tenant that another process moves', async () => {
    const schema = await makeTenant(eu, migrations);
    let other: Promise<unknown> | undefined;
    await admin.moveTenant({
      schema,
      to: 'us',
      migrations,
      onProgress: ({ phase }) => {
        if (phase !== 'copying') return;
        other ??= admin
          .moveTenant({ schema, to: 'us', migrations })
          .catch((error: unknown) => error);
      },
    });
    expect(await other).toMatchObject({ code: 'MOVE_NOT_POSSIBLE' });
  }, 120_000);
});

describe('the command line', () => {
  const cli = (line: string): ReturnType<typeof runCli> =>
    runCli(line.split(' '), { env: { CLOACINA_SERVERS: `eu=${eu},us=${us}` } });

  it('moves a tenant, by its name, and finishes the move', async () => {
    const schema = freshSchema('cli');
    await cli(`tenants create ${schema} --server eu`);
    await run(schema, LIBRARY_ROWS);
    await run(schema, `COMMENT ON TABLE cloacina_migrations IS 'tenant: name_of_${schema}'`);
    const before = await contentsOf(eu, schema);
    const dry = await cli(`tenants move name_of_${schema} --to us --dry-run`);
    expect(dry).toMatchObject({ code: 0, stderr: 'Preparing\n' });
    expect(dry.stdout).toContain(`Schema "${schema}" can be moved from server "eu" to "us"`);
    expect(await stateOf(us, schema)).toBeUndefined();
    const moved = await cli(`tenants move ${schema} --to us --json`);
    expect(moved).toMatchObject({ code: 0 });
    expect(moved.json()).toMatchObject({ schema, from: 'eu', to: 'us', notes: [] });
    expectSame(await contentsOf(us, schema), before);
    const finished = await cli(`tenants move ${schema} --finish --yes --json`);
    expect(finished.json()).toEqual({ schema, dropped: [`schema "${schema}" on server "eu"`] });
    expect(await cli(`tenants move ${schema} --finish --yes`)).toMatchObject({ code: 1 });
  }, 120_000);

  it('says what is wrong with the call, and what prevents the move', async () => {
    const schema = await makeTenant(eu, migrations);
    expect(await cli(`tenants move ${schema}`)).toMatchObject({ code: 2 });
    expect(await cli(`tenants move ${schema} --to mars`)).toMatchObject({ code: 2 });
    expect(await cli(`tenants move unknown --to us`)).toMatchObject({ code: 2 });
    expect(await cli(`tenants move ${schema} --to us --finish`)).toMatchObject({ code: 2 });
    expect(await cli(`tenants move ${schema} --to us --drain soon`)).toMatchObject({ code: 2 });
    const { code, stderr } = await cli(`tenants move ${schema} --to us`);
    expect(code).toBe(1);
    expect(stderr).toContain('No migration makes the table "customer"');
    expect(await stateOf(us, schema)).toBeUndefined();
  }, 120_000);
});
