import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { Client } from 'pg';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { generatePassword, scramVerifier } from '../../../lib/tenants/admin/scram-verifier.js';
import { startChild, type TestChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';
import { interrupted } from './interruptions.js';

// Every tenant that is made is logged.
Logger.overrideLogger(false);

interface Started {
  readonly url: string;
  readonly log: string;
  /** Whether pg_stat_statements is there. */
  readonly counts: boolean;
}

let child: TestChild;
let server: Started;
let owner: Client;
beforeAll(async () => {
  child = startChild(new URL('runs-a-talkative-server.mjs', import.meta.url));
  server = await child.message<Started>(() => true);
  owner = new Client({ connectionString: server.url });
  // A test that fails must not be hidden by what its open connections meet when the server stops.
  owner.on('error', () => undefined);
  await owner.connect();
  if (server.counts) await owner.query('CREATE EXTENSION pg_stat_statements');
});
afterAll(async () => {
  await owner.end();
  child.send({});
  await child.exit;
});

/** Everything that the server tells of what it was sent. */
async function toldByServer(): Promise<string> {
  const activity = await owner.query<{ query: string }>('SELECT query FROM pg_stat_activity');
  const counted = server.counts
    ? await owner.query<{ query: string }>('SELECT query FROM pg_stat_statements')
    : { rows: [] };
  const log = readFileSync(server.log, 'utf8');
  return [...activity.rows, ...counted.rows].map(({ query }) => query).join('\n') + log;
}

/** Waits until the log has what was sent last, so that nothing before it is still to come. */
async function untilLogged(): Promise<void> {
  const mark = `mark_${generatePassword()}`;
  await owner.query(`SELECT '${mark}'`);
  await waitFor(() => readFileSync(server.log, 'utf8').includes(mark));
}

const admin = (): CloacinaAdmin => new CloacinaAdmin({ databaseUrl: server.url });

describe('a password', () => {
  it.each([
    ['that was generated', undefined],
    ['that was given', `gi'ven pass"word\\ 4711`],
  ])('%s is in nothing that the server tells, nor anything like it', async (what, password) => {
    const names = what.includes('given')
      ? { schema: 'tenant_given', username: 'given' }
      : { schema: 'tenant_generated', username: 'generated' };
    const made = await admin().createTenant({
      ...names,
      ...(password === undefined ? {} : { password }),
    });
    const rotated = await admin().rotatePassword(names);
    const login = new Client({ connectionString: rotated.connectionString });
    login.on('error', () => undefined);
    await login.connect();
    await untilLogged();
    const told = await toldByServer();
    await login.end();

    expect(told).toContain(`CREATE ROLE "${names.username}"`);
    expect(told).toContain('SCRAM-SHA-256$4096:');
    for (const secret of [made.password, rotated.password]) {
      for (const form of [
        secret,
        encodeURIComponent(secret),
        Buffer.from(secret).toString('base64'),
      ]) {
        expect(told).not.toContain(form);
      }
    }
  });

  it('in clear would be found', async () => {
    const password = generatePassword();
    await owner.query(`CREATE ROLE careless LOGIN PASSWORD '${password}'`);
    await untilLogged();
    expect(await toldByServer()).toContain(password);
    await owner.query('DROP ROLE careless');
  });

  it('is in no error, wherever the call fails', async () => {
    const names = { schema: 'tenant_failing', username: 'failing' };
    const password = 'a password to look for';
    const failures: string[] = [];
    for (let statements = 0; ; statements++) {
      const killed = await interrupted(
        { at: (_text, index) => index === statements, when: 'before' },
        () =>
          admin()
            .createTenant({ ...names, password })
            .catch((error: unknown) => {
              failures.push(inspect(error, { depth: 10, showHidden: true }));
              throw error;
            }),
      );
      if (killed === undefined) break;
    }
    expect(failures.length).toBeGreaterThan(15);
    expect(failures.filter((text) => text.includes(password) || text.includes('SCRAM'))).toEqual(
      [],
    );
  });
});

describe('the verifier', () => {
  it('is the one that the server makes of the same password and salt', async () => {
    const password = `all of it: "'\\ ~`;
    await owner.query(`SET password_encryption TO 'scram-sha-256'`);
    await owner.query(`CREATE ROLE reference PASSWORD '${password.replaceAll("'", "''")}'`);
    const { rows } = await owner.query<{ verifier: string }>(
      `SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = 'reference'`,
    );
    const verifier = rows[0]?.verifier ?? '';
    const salt = Buffer.from(verifier.split(/[:$]/)[2] ?? '', 'base64');
    expect(salt).toHaveLength(16);

    expect(await scramVerifier(password, salt)).toBe(verifier);
    expect(await scramVerifier(`${password} `, salt)).not.toBe(verifier);
    expect(await scramVerifier(password)).not.toBe(await scramVerifier(password));
    await owner.query('DROP ROLE reference');
  });
});
