import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { queryIn } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

/** Not the server's owner, whom no grant binds. */
const LOGIN = `recovers_${randomBytes(5).toString('hex')}`;
const LEASE_MS = 3_000;
const ALL_TABLES = ['task_execution', 'workflow_execution', 'runner_lease', 'recovery_event']
  .map((name) => `cloacina_${name}`)
  .join(', ');
let admin: Client;
const databaseUrlOfLogin = (): string => {
  const url = new URL(databaseUrl());
  [url.username, url.password] = [LOGIN, 'pw'];
  return url.href;
};

beforeAll(async () => {
  admin = await connectAdmin();
  const database = admin.escapeIdentifier(admin.database ?? '');
  await admin.query(`CREATE ROLE ${LOGIN} LOGIN PASSWORD 'pw'`);
  await admin.query(`GRANT CREATE ON DATABASE ${database} TO ${LOGIN}`);
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(async () => {
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [
    LOGIN,
  ]);
  await admin.query(`DROP OWNED BY ${LOGIN} CASCADE`);
  await admin.query(`DROP ROLE ${LOGIN}`);
  await admin.end();
});

/** What somebody does to a tenant's schema, and how it is put right. */
const BREAKS: Record<string, readonly [harm: string, heal: string]> = {
  'a table dropped': [
    'ALTER TABLE cloacina_runner_lease RENAME TO elsewhere',
    'ALTER TABLE elsewhere RENAME TO cloacina_runner_lease',
  ],
  'a column of another name': [
    'ALTER TABLE cloacina_recovery_event RENAME COLUMN cause TO why',
    'ALTER TABLE cloacina_recovery_event RENAME COLUMN why TO cause',
  ],
  'all grants revoked': [
    `REVOKE ALL ON ${ALL_TABLES} FROM ${LOGIN}`,
    `GRANT ALL ON ${ALL_TABLES} TO ${LOGIN}`,
  ],
  'one grant on one table revoked': [
    `REVOKE INSERT ON cloacina_recovery_event FROM ${LOGIN}`,
    `GRANT INSERT ON cloacina_recovery_event TO ${LOGIN}`,
  ],
};
const EACH = 2;

it("A tenant's recovery is its own: broken ones are reported once each, and hold up none of the others", async () => {
  const good = [freshSchema(), freshSchema()];
  const broken = new Map(Object.values(BREAKS).map((how) => [freshSchema(), how]));
  const schemas = [...good, ...broken.keys()];
  const workers = new Workers(schemas, {
    databaseUrl: databaseUrlOfLogin(),
    leaseDurationMs: LEASE_MS,
  });
  const errors = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
  // It knows of each tenant and has begun nothing, so all that is recovered is the victim's.
  const [survivor] = await workers.here({ claiming: false });
  const victim = await workers.child();
  for (const schema of schemas) await victim.start(waits(EACH, schema), schema);
  await workers.begun(EACH * schemas.length);
  for (const [schema, [harm]] of broken) await queryIn(schema, harm);
  await survivor!.host.startClaiming();
  await victim.process.kill();
  const begunOf = (only: readonly string[]): number =>
    workers.entries('begun').filter(({ name }) => only.some((schema) => name.startsWith(schema)))
      .length;
  await waitFor(() => begunOf(good) === 2 * EACH * good.length);
  const told = (): string[] =>
    errors.mock.calls
      .map(([message]) => String(message))
      .filter((text) => text.includes('recovery failed'));
  await waitFor(() => told().length >= broken.size);
  // Several passes more.
  for (let i = 0; i < 3; i++) await survivor!.host.recoverOnce();
  const reported = [...broken.keys()].map((schema) =>
    told().filter((text) => text.includes(`Tenant "${schema}"`)),
  );
  expect(reported.map((texts) => texts.length)).toEqual(reported.map(() => 1));
  expect(told()).toHaveLength(broken.size);
  // Who asks for that tenant alone is told which right is missing, and no secret.
  const denied = [...broken].find(([, [harm]]) => harm.startsWith('REVOKE ALL'))?.[0] ?? '';
  const { recovery } = survivor!.host.find(denied).tenant;
  const refusal = { code: 'PERMISSION', message: expect.stringContaining(`TO "${LOGIN}";`) };
  await expect(recovery.run()).rejects.toMatchObject(refusal);
  await expect(recovery.blocked()).rejects.toMatchObject(refusal);

  // The leases of the others are renewed: for longer than one lasts, nobody takes what this process runs.
  for (const schema of good) {
    await waitFor(async () => {
      const [row] = await queryIn<{ renewed: boolean | null }>(
        schema,
        `SELECT bool_and(expires_at > created_at + $1 * interval '1 ms') AS renewed FROM cloacina_runner_lease`,
        [2 * LEASE_MS],
      );
      return row?.renewed;
    });
    expect(await queryIn(schema, 'SELECT FROM cloacina_recovery_event')).toHaveLength(EACH);
  }

  for (const [schema, [, heal]] of broken) await queryIn(schema, heal);
  await workers.begun(2 * EACH * schemas.length);
  for (const schema of schemas) {
    expect(await illegalHistories((sql) => queryIn(schema, sql))).toEqual([]);
    expect(await queryIn(schema, 'SELECT FROM cloacina_recovery_event')).toHaveLength(EACH);
  }
  workers.release();
});
