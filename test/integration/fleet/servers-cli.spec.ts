import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCli } from '../../support/run-cli.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { SecondServer } from '../../support/second-server.js';

let home = '';
let us: SecondServer;
beforeAll(async () => {
  [home, us] = await Promise.all([scratchDatabase(), SecondServer.connect()]);
}, 120_000);
afterAll(() => us.close());

describe('the command line with CLOACINA_SERVERS', () => {
  const run = (line: string): ReturnType<typeof runCli> =>
    runCli(line.split(' '), { env: { CLOACINA_SERVERS: `home=${home},us=${us.url}` } });

  it('lists servers and tenants, finds a tenant, and examines all', async () => {
    const schema = freshSchema('cli');
    const unclear = await run(`tenants create ${schema}`);
    expect(unclear).toMatchObject({ code: 2 });
    expect(unclear.stderr).toContain('Name a server with --server. The servers are home, us.');
    expect(await run(`tenants create ${schema} --server us`)).toMatchObject({ code: 0 });
    expect((await run(`tenants create ${schema} --server home`)).stderr).toContain('on server us');
    expect((await run(`migrate --schema ${schema} --server home`)).stderr).toContain(
      'on server us',
    );
    const credentials = path.join(tmpdir(), `${schema}.url`);
    const withLogin = `tenants create ${schema} --server home --username login_${schema}`;
    expect((await run(`${withLogin} --credentials ${credentials}`)).stderr).toContain(
      'on the servers "us" and "home"',
    );
    const listed = (await run('tenants list --json')).json<{ tenants: object[] }>();
    expect(listed.tenants).toContainEqual(expect.objectContaining({ schema, server: 'us' }));
    // Without --server: found by its schema.
    expect(await run(`executions list --schema ${schema} --json`)).toMatchObject({ code: 0 });
    const migrated = (await run('migrate --all --status --json')).json<{ tenants: object[] }>();
    expect(migrated.tenants).toContainEqual(
      expect.objectContaining({ schema, server: 'us', pending: [] }),
    );
    const servers = await run('servers list --json');
    expect(servers.code).toBe(0);
    expect(servers.json()).toMatchObject({
      servers: [
        { server: 'home', isUp: true },
        { server: 'us', isUp: true, tenants: expect.any(Number) },
      ],
    });

    await us.query(`CREATE SCHEMA IF NOT EXISTS twice_by_cli`);
    for (const server of ['home', 'us'])
      await runCli(['tenants', 'create', 'twice_by_cli'], {
        env: { DATABASE_URL: server === 'us' ? us.url : home },
      });
    const examined = (await run('doctor --check orphans --json')).json();
    expect(examined).toMatchObject({
      servers: [{ server: 'home' }, { server: 'us' }],
      findings: [
        expect.objectContaining({ check: 'duplicate-schema', facts: { servers: ['home', 'us'] } }),
      ],
    });
  }, 120_000);

  it('shows on a terminal how far the examination of each server is', async () => {
    const { stderr } = await runCli(['doctor', '--check', 'orphans'], {
      env: { CLOACINA_SERVERS: `home=${home},us=${us.url}` },
      keys: '',
    });
    // The terminal is drawn anew at times, so it may have shown only the last one.
    expect(stderr).toMatch(/Examining (home|us) \((\d+) of \2\)/);
  }, 120_000);

  describe('while a server is away', () => {
    const here = freshSchema('here');
    const there = freshSchema('there');
    beforeAll(async () => {
      for (const [schema, server] of [
        [here, 'home'],
        [there, 'us'],
      ])
        expect(await run(`tenants create ${schema} --server ${server}`)).toMatchObject({ code: 0 });
      await us.refuse();
    }, 60_000);
    afterAll(() => us.listen());
    const away = [{ server: 'us', error: { code: 'DATABASE_UNAVAILABLE' } }];

    it('lists the servers', async () => {
      const listed = await run('servers list');
      expect(listed.code).toBe(1);
      expect(listed.stdout).toMatch(/us +127\.0\.0\.1:\d+\/second_\w+ +away/);
    });

    it.each(['tenants list', 'migrate --all', 'migrate --all --status'])(
      'shows what it can of the others, says that it is incomplete, and names the server: %s',
      async (line) => {
        const { code, stdout, stderr } = await run(line);
        expect({ code, stdout, stderr }).toEqual({
          code: 3,
          stdout: expect.stringContaining(here),
          stderr: expect.stringMatching(/^Server us could not be reached and is left out: .*\n$/),
        });
        const document = (await run(`${line} --json`)).json<{ tenants: object[] }>();
        expect(document).toMatchObject({ away });
        expect(document.tenants).toContainEqual(
          expect.objectContaining({ schema: here, server: 'home' }),
        );
      },
    );

    it('works on a tenant of another server, and does nothing for one that it does not find', async () => {
      const found = await run(`executions list --schema ${here}`);
      expect(found).toMatchObject({ code: 0 });
      expect(found.stderr).toContain('Server us could not be reached');
      for (const which of [`--schema ${there}`, `--tenant ${there}`, '']) {
        const lost = await run(`executions list ${which}`.trim());
        expect(lost).toMatchObject({ code: 3, stdout: '' });
        expect(lost.stderr).toContain('The server us could not be reached and may have others.');
      }
      const lost = await run(`executions list --schema ${there} --json`);
      expect(lost.json()).toMatchObject({ error: { code: 'INCOMPLETE' } });
      expect(await run(`executions list --schema ${there} --server us`)).toMatchObject({ code: 1 });
      expect(await run(`executions list --schema ${here} --server home`)).toMatchObject({
        code: 0,
        stderr: '',
      });
    });

    it('creates and removes a tenant on a named server', async () => {
      const schema = freshSchema('made');
      const refused = await run(`tenants create ${schema} --server home`);
      expect(refused).toMatchObject({ code: 3, stdout: '' });
      expect(refused.stderr).toContain('us could not be reached and may have it.');
      expect(
        await run(`tenants create ${schema} --server home --others-may-be-away`),
      ).toMatchObject({ code: 0 });
      // It is there.
      expect(await run(`tenants create ${schema} --server home`)).toMatchObject({ code: 0 });
      expect(await run(`tenants remove ${schema} --yes`)).toMatchObject({ code: 1 });
      expect(await run(`tenants remove ${schema} --yes --server home`)).toMatchObject({ code: 0 });
    });

    it('examines the others, and finds the server', async () => {
      const examined = await run('doctor --check orphans --json');
      expect(examined.code).toBe(1);
      expect(examined.json()).toMatchObject({
        servers: [{ server: 'home', findings: [] }, away[0]],
        findings: expect.arrayContaining([
          expect.objectContaining({ check: 'server-away', server: 'us' }),
        ]),
      });
      expect((await run('doctor --check orphans')).stdout).toContain('Server "us":');
      expect(await run('doctor --check nonsense')).toMatchObject({ code: 2 });
    });

    it('fails if no server answers', async () => {
      const nowhere = 'postgres://nobody@127.0.0.1:1/nothing';
      const env = { CLOACINA_SERVERS: `eu=${nowhere},us=${us.url}` };
      expect(await runCli(['tenants', 'list'], { env })).toMatchObject({ code: 1, stdout: '' });
    });
  });
});
