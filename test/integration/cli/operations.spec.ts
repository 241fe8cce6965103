import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { runCli } from '../../support/run-cli.js';

const totals = defineWorkflow('totals')
  .task('add', () => undefined)
  .build();
/** The server of tests has fsync off. */
const IGNORED = ['--ignore', 'durability'];

let app: OpenTenant;
beforeAll(async () => {
  app = await openTenant([totals], { schema: freshSchema('cli') });
  await app.runner.schedules.create('nightly', totals, { cron: '0 3 * * *', timezone: 'UTC' });
  await app.runner.schedules.create('hourly', totals, { every: '1h' });
});

const run = (line: string, ...more: string[]) => runCli([...line.split(' '), ...more]);

describe('schedules', () => {
  it('list', async () => {
    const { code, stdout } = await run('schedules list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^hourly +totals +active +every 1h /m);
    expect(stdout).toMatch(/^nightly +totals +active +0 3 \* \* \* UTC +\d{4}-/m);
    const json = await run('schedules list --state active --workflow totals --json');
    expect(json.json()).toEqual({
      schedules: [
        expect.objectContaining({ name: 'hourly', state: 'active' }),
        expect.objectContaining({ name: 'nightly', workflow: 'totals' }),
      ],
    });
    expect((await run('schedules list --state broken')).stdout).toBe('No schedules.\n');
  });

  it('pause and resume', async () => {
    const paused = await run('schedules pause nightly --json', '--reason', 'audit');
    expect(paused.json()).toEqual({
      schedule: expect.objectContaining({ name: 'nightly', state: 'paused', reason: 'audit' }),
    });
    const resumed = await run('schedules resume nightly --catch-up once');
    expect(resumed).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Schedule "nightly" is active\. Next: \d/),
    });
  });

  it('run', async () => {
    const { id } = (await run('schedules run hourly --json')).json<{ id: string }>();
    await app.runner.handle(id).result();
    const { stdout } = await run('schedules run hourly --overlap allow');
    expect(stdout).toMatch(/^Started execution \S+ of schedule "hourly"\.\n$/);
  });

  it('preview', async () => {
    const { stdout } = await run('schedules preview nightly --count 3');
    expect(stdout).toMatch(/^(\d{4}-\d\d-\d\d 03:00:00Z\n){3}$/);
    const { times } = (await run('schedules preview nightly --count 2 --json')).json<{
      times: string[];
    }>();
    expect(times).toEqual(Array(2).fill(expect.stringMatching(/T03:00:00\.000Z$/)));
  });

  it.each(['pause', 'resume', 'run', 'preview'])('%s: an unknown one', async (command) => {
    const { code, stdout, stderr } = await run(`schedules ${command} weekly`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('weekly');
  });
});

describe('recovery', () => {
  it('status: of a tenant without losses', async () => {
    const { code, stdout } = await run('recovery status --since 1h');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^0 tasks recovered, 0 abandoned\.$/m);
    expect(stdout).toContain('No task waits for recovery.');
  });

  it('status finds a task without a process, and run recovers it', async () => {
    const { lost, id } = await lostTask();
    const before = await run(`recovery status --schema ${lost.schema} --json`);
    expect(before.code).toBe(1);
    expect(
      before.json<{ findings: { check: string }[] }>().findings.map((each) => each.check),
    ).toEqual(['orphans']);
    const recovered = await run(`recovery run --schema ${lost.schema} --json`);
    expect(recovered.code).toBe(0);
    expect(recovered.json()).toEqual({
      schema: lost.schema,
      recovered: 1,
      abandoned: 0,
      findings: [],
    });
    const after = await run(`recovery status --schema ${lost.schema}`);
    expect(after.code).toBe(0);
    expect(after.stdout).toMatch(/^1 task recovered/);
    expect(after.stdout).toMatch(new RegExp(`${id} +add +recovered`));
  });
});

it('recovery run: exit code 1 if the login may not recover', async () => {
  const { lost } = await lostTask();
  const admin = await connectAdmin();
  const role = `looks_${randomBytes(5).toString('hex')}`;
  await admin.query(
    `CREATE ROLE ${role} LOGIN PASSWORD 'looks-pw';
     GRANT USAGE ON SCHEMA ${lost.schema} TO ${role};
     GRANT SELECT ON ALL TABLES IN SCHEMA ${lost.schema} TO ${role}`,
  );
  try {
    const url = new URL(databaseUrl());
    [url.username, url.password] = [role, 'looks-pw'];
    const { code, stderr, json } = await runCli(
      ['recovery', 'run', '--schema', lost.schema, '--json'],
      { env: { DATABASE_URL: url.href } },
    );
    expect(code).toBe(1);
    expect(json()).toMatchObject({ recovered: 0, findings: [{ check: 'orphans' }] });
    expect(stderr).toContain('GRANT SELECT, INSERT, UPDATE, DELETE');
  } finally {
    await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await admin.end();
  }
});

/** A task that runs in a process without a lease. */
async function lostTask(): Promise<{ lost: OpenTenant; id: string }> {
  const lost = await openTenant([totals], { schema: freshSchema('lost'), claiming: false });
  const { id } = await lost.runner.start(totals);
  // It would recover the task itself.
  await lost.close();
  await lost.query(
    `WITH task AS (
       UPDATE cloacina_task_execution SET status = 'Running', owner = $2, run_at = NULL, started_at = now()
        WHERE execution_id = $1),
     batch AS (
       INSERT INTO cloacina_claim_batch VALUES ($2, 1, ARRAY[$1::uuid], '{0}', '{0}'))
     UPDATE cloacina_workflow_execution SET status = 'Running', started_at = now() WHERE id = $1`,
    [id, '0190d5a0-0000-4000-8000-000000000001'],
  );
  return { lost, id };
}

it('recovery status: names of processes have no control characters', async () => {
  const lost = await openTenant([totals], { schema: freshSchema('lost'), claiming: false });
  await lost.close();
  await lost.query(
    `INSERT INTO cloacina_runner_lease (instance_id, process_id, name, expires_at)
      VALUES (gen_random_uuid(), gen_random_uuid(), E'gone\\x1b[31m.example', now() - interval '1 hour')`,
  );
  const { code, stdout } = await run(`recovery status --schema ${lost.schema}`);
  expect(code).toBe(1);
  expect(stdout).toContain('the lease of process gone [31m.example expired');
});

describe('doctor', () => {
  it('exit code 0 without findings', async () => {
    const { code, stdout, stderr } = await run(`doctor --schema ${app.schema}`, ...IGNORED);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^PostgreSQL \d+.*: 1 tenant\.$/m);
    expect(stdout).toContain('No findings.');
  });

  it('exit code 1 with findings, and what to do', async () => {
    const sick = await openTenant([totals], { schema: freshSchema('sick'), claiming: false });
    await sick.query('DROP INDEX cloacina_task_execution_due_idx');
    const { code, stdout } = await run(`doctor --check schema-drift`);
    expect(code).toBe(1);
    expect(stdout).toContain('error The tables are not what the migrations make (schema-drift)');
    expect(stdout).toMatch(/^ {2}→ /m);
    expect(stdout).toMatch(/1 finding\.\n$/);
    const json = await run(`doctor --schema ${sick.schema} --check schema-drift --json`);
    expect(json.json()).toEqual({
      database: expect.objectContaining({ version: expect.any(String) }),
      at: expect.any(String),
      schemas: [sick.schema],
      findings: [
        {
          check: 'schema-drift',
          severity: 'error',
          title: expect.any(String),
          schema: sick.schema,
          detail: expect.any(String),
          advice: expect.any(String),
          facts: expect.any(Object),
        },
      ],
      skipped: [],
    });
  });

  it('an unknown check', async () => {
    const { code, stderr } = await run('doctor --check orfans');
    expect(code).toBe(2);
    expect(stderr).toContain('Did you mean "orphans"?');
  });
});
