import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { runCli, type CliInput, type CliOutput } from '../../support/run-cli.js';

let database: ScratchDatabase;
let folder = '';
const username = `cli_${randomBytes(5).toString('hex')}`;
const few = `few_${randomBytes(5).toString('hex')}`;
beforeAll(async () => {
  database = await createScratchDatabase();
  folder = await mkdtemp(path.join(tmpdir(), 'cloacina-cli-'));
});
afterAll(async () => {
  await database.admin.query(`DROP OWNED BY ${few}; DROP ROLE ${few}`);
  await database.drop();
  await rm(folder, { recursive: true });
});

const run = (line: string, input: CliInput = {}): Promise<CliOutput> =>
  runCli(line.split(' '), { env: { DATABASE_URL: database.url }, ...input });

describe('tenants', () => {
  it('list: a database without tenants', async () => {
    expect(await run('tenants list')).toMatchObject({ code: 0, stdout: 'No tenants.\n' });
    const { code, stderr } = await run('executions list');
    expect(code).toBe(2);
    expect(stderr).toContain('nestjs-cloacina tenants create SCHEMA');
  });

  it('create: a schema of this login, which can be repeated', async () => {
    expect(await run('tenants create acme')).toMatchObject({
      code: 0,
      stdout: 'Created tenant "acme".\n',
      stderr: '',
    });
    expect((await run('tenants create acme')).stdout).toContain('exists already');
    expect((await run('tenants create globex --json')).json()).toEqual({
      schema: 'globex',
      applied: [expect.stringMatching(/^Create/)],
    });
  });

  it('create: with a login of its own, whose password is in a file and nowhere else', async () => {
    const file = path.join(folder, 'initech.url');
    const created = await run(
      `tenants create initech --username ${username} --credentials ${file} --json`,
    );
    expect(created.code).toBe(0);
    expect(created.json()).toEqual({ schema: 'initech', username, credentials: file });
    const url = (await readFile(file, 'utf8')).trim();
    const { password } = new URL(url);
    expect(password).not.toBe('');
    expect(created.stdout + created.stderr).not.toContain(password);
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600);
    const listed = await run('executions list', { env: { DATABASE_URL: url } });
    expect(listed).toMatchObject({ code: 2 });
    expect(await run('executions list --schema initech', { env: { DATABASE_URL: url } })).toEqual(
      expect.objectContaining({ code: 0, stdout: 'No executions.\n' }),
    );
    const again = await run(`tenants create initech --username ${username} --credentials ${file}`);
    expect(again.code).toBe(2);
    expect((await readFile(file, 'utf8')).trim()).toBe(url);
  });

  it('create: leaves no file if there is no login to write of', async () => {
    const file = path.join(folder, 'refused.url');
    const refused = await run(`tenants create pg_x --username ${username}_2 --credentials ${file}`);
    expect(refused.code).toBe(2);
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  it('list: names and versions', async () => {
    await database.admin.query(
      `COMMENT ON TABLE globex.cloacina_migrations IS 'tenant: Globex Inc.'`,
    );
    const { tenants } = (await run('tenants list --json')).json<{ tenants: object[] }>();
    expect(tenants).toEqual([
      { tenant: 'acme', schema: 'acme', version: expect.stringMatching(/^Create/) },
      { tenant: 'Globex Inc.', schema: 'globex', version: expect.stringMatching(/^Create/) },
      { tenant: 'initech', schema: 'initech', version: expect.stringMatching(/^Create/) },
    ]);
    expect((await run('tenants list')).stdout).toMatch(/^Globex Inc\. +globex +Create/m);
  });

  it('--tenant finds by name, and refuses what is not clear', async () => {
    const named = ['executions', 'list', '--tenant', 'Globex Inc.'];
    const env = { DATABASE_URL: database.url };
    expect(await runCli(named, { env })).toMatchObject({ code: 0, stdout: 'No executions.\n' });
    const { code, stderr } = await run('executions list');
    expect(code).toBe(2);
    expect(stderr).toContain('Its tenants are acme, Globex Inc., initech.');
    const unknown = await run('executions list --tenant acmee');
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('named "acmee"') });
    await database.admin.query(`COMMENT ON TABLE globex.cloacina_migrations IS 'tenant: acme'`);
    const both = await run('executions list --tenant acme');
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('acme, globex') });
    expect(await run('executions list --tenant acme --schema globex')).toMatchObject({ code: 0 });
    await database.admin.query(`COMMENT ON TABLE globex.cloacina_migrations IS NULL`);
  });

  it("a tenant's own login is told to be used", async () => {
    const { code, stderr } = await run('executions list --schema initech');
    expect(code).toBe(1);
    expect(stderr).toContain('createTenant()');
  });
});

describe('migrate', () => {
  it('--all: migrates what it may, and says what it leaves to others', async () => {
    await database.admin.query('CREATE SCHEMA umbrella');
    const { code, json, stderr } = await run('migrate --all --json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(json()).toEqual({
      tenants: [
        { tenant: 'acme', schema: 'acme', applied: [] },
        { tenant: 'globex', schema: 'globex', applied: [] },
        { tenant: 'initech', schema: 'initech', skipped: expect.stringContaining('own') },
      ],
    });
  });

  it('--all: shows on a terminal how far it is, beside the result', async () => {
    const { code, stdout, stderr } = await run('migrate --all', { keys: '' });
    expect(code).toBe(0);
    expect(stderr).toContain('Migrating (3 of 3)');
    expect(stdout).toMatch(/^acme +acme +up to date$/m);
    expect(stdout).toMatch(/2 tenants migrated, 1 left out\.\n$/);
  });

  it('without a name: says that there is --all', async () => {
    const { code, stderr } = await run('migrate');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Name a tenant with --tenant or --schema, or give --all\. /);
  });

  it('--status and --dry-run change nothing', async () => {
    const status = await run('migrate --status --schema umbrella --json');
    expect(status.code).toBe(1);
    expect(status.json()).toEqual({
      tenants: [
        {
          tenant: 'umbrella',
          schema: 'umbrella',
          applied: [],
          pending: [expect.stringMatching(/^Create/)],
        },
      ],
    });
    const dry = await run('migrate --dry-run --schema umbrella');
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(/^umbrella +umbrella +would apply Create/m);
    const { rows } = await database.admin.query(
      `SELECT FROM information_schema.tables WHERE table_schema = 'umbrella'`,
    );
    expect(rows).toEqual([]);
    expect((await run('migrate --status --schema acme')).code).toBe(0);
  });

  it('--schema: creates it', async () => {
    const { code, stdout } = await run('migrate --schema umbrella');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^umbrella +umbrella +applied Create/m);
    expect(stdout).toContain('1 tenant migrated.');
  });

  it('as a login that may not: exit code 1, and the GRANT', async () => {
    await database.admin.query(`CREATE ROLE ${few} LOGIN PASSWORD 'few-rights'`);
    const env = { DATABASE_URL: database.urlOf(few, 'few-rights') };
    const { code, json } = await run('migrate --schema stark --json', { env });
    expect(code).toBe(1);
    expect(json()).toEqual({
      tenants: [
        {
          tenant: 'stark',
          schema: 'stark',
          error: { code: 'PERMISSION', message: expect.stringContaining('GRANT CREATE') },
        },
      ],
    });
    const { stderr } = await run('migrate --schema 1bad', { env });
    expect(stderr + (await run('migrate --schema 1bad')).stderr).toContain('1bad');
  });

  it('a login that may only read can look, and is told which right a start needs', async () => {
    await database.admin.query(
      `GRANT USAGE ON SCHEMA globex TO ${few}; GRANT SELECT ON ALL TABLES IN SCHEMA globex TO ${few}`,
    );
    const env = { DATABASE_URL: database.urlOf(few, 'few-rights') };
    for (const line of ['executions list', 'schedules list', 'recovery status', 'tenants list'])
      expect(await run(`${line} --schema globex`, { env })).toMatchObject({ code: 0, stderr: '' });
    await database.admin.query(
      `INSERT INTO globex.cloacina_schedule (name, workflow, spec, origin, state)
       VALUES ('nightly', 'totals', '{"cron":["0 3 * * *"],"timezone":"UTC"}', 'api', 'active')`,
    );
    const { code, stderr } = await run('schedules pause nightly --schema globex', { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/permission denied/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('a login with the rights to start needs no more', async () => {
    await database.admin.query(
      `GRANT USAGE ON SCHEMA acme TO ${few};
       GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA acme TO ${few}`,
    );
    const env = { DATABASE_URL: database.urlOf(few, 'few-rights') };
    expect(await run('executions list --schema acme', { env })).toMatchObject({
      code: 0,
      stdout: 'No executions.\n',
    });
    const { code, stderr } = await run('executions start ship --schema acme', { env });
    expect(code).toBe(1);
    expect(stderr).toContain('ship');
  });
});

describe('tenants remove', () => {
  it('drops the schema and the login', async () => {
    const { code, json } = await run('tenants remove initech --yes --json');
    expect(code).toBe(0);
    expect(json()).toEqual({
      schema: 'initech',
      dropped: expect.arrayContaining(['schema "initech"', `role "${username}"`]),
    });
    const again = await run('tenants remove initech --yes');
    expect(again).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('Nothing to remove: the database has no schema "initech"'),
    });
  });

  it('refuses a schema that is no tenant', async () => {
    await database.admin.query('CREATE SCHEMA other; CREATE TABLE other.t (id integer)');
    const { code, stderr } = await run('tenants remove other --yes');
    expect(code).toBe(1);
    expect(stderr).toContain('other');
    expect((await run('tenants remove acme --yes --drain soon')).code).toBe(2);
  });
});
