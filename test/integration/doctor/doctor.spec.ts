import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Client } from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { oldTransactionsOf } from '../../../lib/doctor/checks/old-transactions.js';
import type { DoctorFinding, DoctorOptions } from '../../../lib/doctor/doctor-types.js';
import { DOCTOR_CHECKS, runDoctor } from '../../../lib/doctor/run-doctor.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { startPoolerLikeProxy } from './pooler-like-proxy.js';
import { TENANT_FAULTS } from './plant-faults.js';

const waiting = defineWorkflow('waiting')
  .task('only', () => undefined)
  .build();
/** The server of tests has fsync off, as no server of an application may have. */
const OF_THE_TEST_SERVER = ['durability'];
const role = `doctor_${randomBytes(5).toString('hex')}`;
let admin: Client;
let healthy: OpenTenant;

beforeAll(async () => {
  admin = await connectAdmin();
  healthy = await openTenant([waiting]);
  (await healthy.runner.execute(waiting)).orThrow();
  await healthy.runner.schedules.create('hourly', waiting, { every: '1h' });
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'doctor-pw'`);
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(async () => {
  await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await admin.end();
});

async function findings(options: DoctorOptions = {}): Promise<readonly DoctorFinding[]> {
  const { findings: found, skipped } = await runDoctor({ ignore: OF_THE_TEST_SERVER, ...options });
  expect(skipped).toEqual([]);
  return found;
}
const idsOf = (found: readonly DoctorFinding[]): string[] =>
  [...new Set(found.map(({ check }) => check))].sort();

it('finds nothing on a healthy database, and says what it examined', async () => {
  const report = await runDoctor({ ignore: OF_THE_TEST_SERVER });
  expect(report).toEqual({
    database: expect.objectContaining({ login: expect.any(String), host: expect.any(String) }),
    at: expect.any(Date),
    schemas: [healthy.schema],
    findings: [],
    skipped: [],
  });
});

describe('A tenant with faults', () => {
  const faults = Object.entries(TENANT_FAULTS);
  let sick: OpenTenant;
  let found: readonly DoctorFinding[];

  beforeAll(async () => {
    sick = await openTenant([waiting], { claiming: false, schema: freshSchema('sick') });
    await admin.query(
      `GRANT USAGE ON SCHEMA ${sick.schema} TO ${role};
       GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${sick.schema} TO ${role}`,
    );
    // A schema with migrations of a newer version is not compared: it has a test of its own.
    for (const [id, plant] of faults)
      if (id !== 'pending-migrations') await plant(admin, sick, role);
    found = await findings({ role, schemas: [sick.schema] });
  });
  const of = (check: string): DoctorFinding => {
    const one = found.find((finding) => finding.check === check);
    if (one === undefined) throw new Error(`No finding of ${check}.`);
    return one;
  };

  it.each(faults.map(([id]) => id).filter((id) => id !== 'pending-migrations'))('%s', (id) => {
    const { schema, detail, advice, title } = of(id);
    expect(schema).toBe(sick.schema);
    expect(detail).toContain(sick.schema);
    for (const text of [detail, advice]) expect(text).toMatch(/[.;]$/);
    expect(title).not.toBe('');
  });

  it('has no other finding than the planted ones', () => {
    expect(idsOf(found)).toEqual(
      faults
        .map(([id]) => id)
        .filter((id) => id !== 'pending-migrations')
        .sort(),
    );
  });

  it('is told by name what is missing, changed and too much', () => {
    const drift = found.filter(({ check }) => check === 'schema-drift');
    expect(drift.map(({ facts, severity }) => [facts['objects'], severity])).toEqual([
      [['index cloacina_task_execution_due_idx of cloacina_task_execution'], 'error'],
      [['column payload of cloacina_signal'], 'error'],
      [['index of_an_operator of cloacina_task_execution'], 'warning'],
    ]);
    // What an operator needs to make it again.
    expect(drift[0]?.detail).toMatch(/\(made as "CREATE INDEX cloacina_task_execution_due_idx ON /);
  });

  it('groups failures by cause, whatever the numbers in their messages', () => {
    const failed = found.filter(({ check }) => check === 'failed-executions');
    expect(failed.map(({ facts }) => facts)).toEqual([
      expect.objectContaining({
        workflow: 'waiting',
        task: 'only',
        executions: 2,
        message: 'connect ECONNREFUSED db:#',
      }),
    ]);
  });

  it('names the schema in the commands that it advises', () => {
    for (const check of ['blocked-tasks', 'failed-executions', 'orphans', 'stuck-leases'])
      expect(of(check).advice).toContain(`--schema ${sick.schema}"`);
    expect(of('ended-executions').advice).toContain('retention');
  });

  it('gives a GRANT that helps', async () => {
    await admin.query(String(of('missing-grants').facts['grant']));
    expect(await findings({ role, schemas: [sick.schema], checks: ['missing-grants'] })).toEqual(
      [],
    );
  });
});

it('finds migrations that are missing, and those of a newer version', async () => {
  const { schema } = await openTenant([], { claiming: false });
  await TENANT_FAULTS['pending-migrations']!(admin, { schema } as OpenTenant, role);
  const found = await runDoctor({
    schemas: [schema],
    checks: ['pending-migrations', 'schema-drift'],
  });
  expect(found.findings.map(({ severity, facts }) => [severity, facts])).toEqual([
    ['error', { pending: [expect.stringMatching(/^Create/)], unknown: [] }],
    ['warning', { pending: [], unknown: ['FromTheFuture1999999999999'] }],
  ]);
  expect(found.skipped).toEqual([
    { check: 'schema-drift', schema, reason: expect.stringContaining('newer version') },
  ]);
  await admin.query(`DROP SCHEMA ${schema} CASCADE`);
});

it('examines what a move has left for its move only', async () => {
  const { schema, runner } = await openTenant([waiting], { claiming: false });
  const left = { schema, runner } as OpenTenant;
  for (const id of ['schedules', 'blocked-tasks', 'failed-executions'])
    await TENANT_FAULTS[id]!(admin, left, role);
  await admin.query(
    `UPDATE ${schema}.cloacina_tenant SET state = 'moved', move_id = gen_random_uuid(), peer = 'us'`,
  );
  expect(idsOf(await findings({ schemas: [schema] }))).toEqual(['unfinished-move']);
  await admin.query(`DROP SCHEMA ${schema} CASCADE`);
});

describe('A database with faults', () => {
  const database = ['clock-skew', 'pooler-mode', 'settings', 'durability', 'old-transactions'];

  it('clock-skew', async () => {
    const ahead = Date.now() + 3_600_000;
    jest.spyOn(Date, 'now').mockReturnValue(ahead);
    const [finding] = await findings({ checks: database, schemas: [] });
    expect(finding?.check).toBe('clock-skew');
    expect(finding?.facts['skewMs']).toBeLessThan(-1_000_000);
  });

  it('pooler-mode', async () => {
    const proxy = await startPoolerLikeProxy(databaseUrl());
    try {
      const found = await findings({ databaseUrl: proxy.url, schemas: [] });
      expect(idsOf(found)).toEqual(['pooler-mode']);
      expect(found[0]?.advice).toContain('controlUrl');
    } finally {
      await proxy.stop();
    }
  });

  it('settings', async () => {
    const name = new URL(databaseUrl()).pathname.slice(1);
    await admin.query(`ALTER DATABASE ${name} SET synchronous_commit TO off`);
    try {
      const found = await findings({ schemas: [] });
      expect(found.map(({ check, facts }) => [check, facts])).toEqual([
        ['settings', { setting: 'synchronous_commit', value: 'off', source: 'database' }],
      ]);
    } finally {
      await admin.query(`ALTER DATABASE ${name} RESET synchronous_commit`);
    }
  });

  it('durability', async () => {
    const { rows } = await admin.query<{ fsync: string }>('SHOW fsync');
    const found = await findings({ checks: ['durability'], ignore: [], schemas: [] });
    expect(idsOf(found)).toEqual(rows[0]?.fsync === 'off' ? ['durability'] : []);
  });

  it('old-transactions', async () => {
    const holder = await connectAdmin();
    await holder.query('BEGIN');
    const examination = { client: admin, config: {}, role, now: Date.now };
    // No test waits ten minutes, so the transaction is older than none.
    const found = await oldTransactionsOf(0).find(examination);
    expect(found.map(({ detail }) => detail)).toContainEqual(
      expect.stringContaining('cloacina-test-admin'),
    );
    await holder.query('ROLLBACK');
    await holder.end();
  });
});

describe('As a login with few rights', () => {
  const urlOf = (): string => {
    const url = new URL(databaseUrl());
    url.username = role;
    url.password = 'doctor-pw';
    return url.href;
  };

  const grants = (): string => `GRANT USAGE ON SCHEMA ${healthy.schema} TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${healthy.schema} TO ${role}`;

  it('says which rights are missing, and skips what it may not see', async () => {
    const { findings: found, skipped } = await runDoctor({
      databaseUrl: urlOf(),
      schemas: [healthy.schema],
      ignore: OF_THE_TEST_SERVER,
    });
    expect(found.map(({ check, facts }) => [check, facts['missing']])).toEqual([
      ['missing-grants', ['USAGE']],
      ['missing-grants', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']],
    ]);
    expect(skipped).toContainEqual({
      check: 'orphans',
      schema: healthy.schema,
      reason: `The login may not read schema "${healthy.schema}".`,
    });
  });

  it('skips the comparison that needs to create a schema', async () => {
    await admin.query(grants());
    const { findings: found, skipped } = await runDoctor({
      databaseUrl: urlOf(),
      schemas: [healthy.schema],
      ignore: OF_THE_TEST_SERVER,
    });
    expect(found).toEqual([]);
    expect(skipped.map(({ check, reason }) => [check, reason])).toEqual([
      ['schema-drift', expect.stringContaining('CREATE on the database')],
    ]);
  });

  it('runs no policy of a table', async () => {
    const table = `${healthy.schema}.cloacina_schedule`;
    await admin.query(`${grants()}; ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
      CREATE POLICY waits ON ${table} USING (pg_sleep(3600) IS NULL)`);
    const { skipped } = await runDoctor({
      databaseUrl: urlOf(),
      schemas: [healthy.schema],
      checks: ['schedules'],
    });
    expect(skipped.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('row-level security'),
    ]);
    await admin.query(
      `DROP POLICY waits ON ${table}; ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`,
    );
  });

  it('runs no code of a table that is none', async () => {
    const { schema } = await openTenant([], { claiming: false });
    await admin.query(`DROP TABLE ${schema}.cloacina_schedule;
      CREATE VIEW ${schema}.cloacina_schedule AS SELECT pg_sleep(3600)::text AS name`);
    const { skipped } = await runDoctor({ schemas: [schema], checks: ['schedules'] });
    expect(skipped).toEqual([
      {
        check: 'schedules',
        schema,
        reason: expect.stringContaining('cloacina_schedule of schema'),
      },
    ]);
    await admin.query(`DROP SCHEMA ${schema} CASCADE`);
  });
});

it('refuses what does not exist', async () => {
  await expect(runDoctor({ checks: ['orfans'] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('Did you mean "orphans"?'),
  });
  await expect(runDoctor({ schemas: ['nowhere'] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  await expect(runDoctor({ role: 'nobody_at_all' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  const wrong = new URL(databaseUrl());
  wrong.pathname = '/no_such_database';
  await expect(runDoctor({ databaseUrl: wrong.href })).rejects.toMatchObject({
    code: 'DATABASE_CONNECTION',
    message: expect.not.stringContaining(wrong.password || '\0'),
  });
  expect(DOCTOR_CHECKS.length).toBeGreaterThanOrEqual(16);
});
