import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { startChild, type TestChild } from '../../support/child-process.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import type { BootMessage } from './boot-process.js';
import { type Catalog, historyOf, shapeOf } from './catalog.js';
import { withTenant } from './open-tenant.js';
import { createScratchDatabase, type ScratchDatabase } from './scratch-database.js';
import { backendsOf, letRun } from './stepwise.js';

const FIRST = 'CreateCloacinaTables1735689600000';
const SCRIPT = new URL('boot-process.ts', import.meta.url);

let admin: Client;
let reference: Catalog;
beforeAll(async () => {
  admin = await connectAdmin();
  const schema = freshSchema();
  await withTenant(schema, {}, ({ migrator }) => migrator.ensure());
  reference = await shapeOf(admin, schema);
});
afterAll(() => admin.end());

/** Whatever the schema was left as: all or nothing, and the next boot makes it whole. */
async function expectNextBootToFinish(schema: string, client: Client, url?: string): Promise<void> {
  const left = await shapeOf(client, schema);
  expect([0, reference.length]).toContain(left.length);
  await withTenant(schema, url === undefined ? {} : { url }, ({ migrator }) => migrator.ensure());
  expect(await shapeOf(client, schema)).toEqual(reference);
  expect(await historyOf(client, schema)).toEqual([FIRST]);
}

function startStepwise(): { child: TestChild; schema: string } {
  const schema = freshSchema();
  const env = { BOOT_SCHEMA: schema, BOOT_STEPWISE: '1' };
  return { child: startChild(SCRIPT, { env }), schema };
}

test('a process that is killed before any of its statements leaves what the next boot finishes', async () => {
  const texts: string[] = [];
  let next = startStepwise();
  for (let statements = 0; ; statements++) {
    const { child, schema } = next;
    // The next one loads meanwhile: that takes most of its time.
    next = startStepwise();
    const text = await letRun(child, statements);
    if (text === undefined) break;
    texts.push(text);
    await child.kill('SIGKILL');
    await waitFor(async () => (await backendsOf(schema, admin)) === 0);
    await expectNextBootToFinish(schema, admin);
  }
  await next.child.kill('SIGKILL');

  // It was killed within the transaction, at its first and last statement too.
  const begin = texts.findIndex((text) => text.includes('START TRANSACTION'));
  const tables = texts.findIndex((text) => text.includes('cloacina_task_execution'));
  const commit = texts.indexOf('COMMIT');
  expect(begin).toBeGreaterThan(0);
  expect(tables).toBeGreaterThan(begin);
  expect(commit).toBeGreaterThan(tables);
  expect(texts.slice(begin, commit).join()).toMatch(/pg_advisory_xact_lock.*CREATE SCHEMA/s);
}, 600_000);

describe('at every single DDL command within a statement', () => {
  let database: ScratchDatabase;
  beforeAll(async () => {
    database = await createScratchDatabase();
    // One message carries many commands. At the one with the number in `stop_at`, the server either loses the
    // session, or waits for the key 4711 until the test has killed the client.
    await database.admin.query(`
      CREATE SCHEMA probe;
      CREATE SEQUENCE probe.commands;
      CREATE TABLE probe.plan (stop_at bigint, action text);
      INSERT INTO probe.plan VALUES (0, 'none');
      CREATE FUNCTION probe.stop() RETURNS event_trigger LANGUAGE plpgsql AS $$
        DECLARE plan probe.plan;
        BEGIN
          SELECT * INTO plan FROM probe.plan;
          IF plan.action <> 'none' AND nextval('probe.commands') = plan.stop_at THEN
            IF plan.action = 'terminate' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1);
            ELSE PERFORM pg_advisory_xact_lock(4711); END IF;
          END IF;
        END $$;
      CREATE EVENT TRIGGER stop ON ddl_command_end EXECUTE FUNCTION probe.stop()`);
  });
  afterAll(() => database.drop());

  async function plan(action: 'none' | 'terminate' | 'block', stopAt = 0): Promise<void> {
    await database.admin.query(`UPDATE probe.plan SET stop_at = ${stopAt}, action = '${action}'`);
    await database.admin.query("SELECT setval('probe.commands', 1, false)");
  }

  test('a session that the server ends leaves what the next boot finishes', async () => {
    const { url, admin: owner } = database;
    for (let command = 1; ; command++) {
      const schema = freshSchema();
      await plan('terminate', command);
      const error: unknown = await withTenant(schema, { url }, ({ migrator }) =>
        migrator.ensure().then(
          () => undefined,
          (reason: unknown) => reason,
        ),
      );
      await plan('none');
      if (error === undefined) {
        expect(command).toBeGreaterThan(50);
        break;
      }
      expect(await shapeOf(owner, schema)).toEqual([]);
      await expectNextBootToFinish(schema, owner, url);
      await owner.query(`DROP SCHEMA ${schema} CASCADE`);
    }
  });

  test.each([1, 4, 30])(
    'a process that is killed during command %i leaves no trace',
    async (command) => {
      const { url, admin: owner } = database;
      const schema = freshSchema();
      const env = { BOOT_SCHEMA: schema, BOOT_URL: url };
      const child = startChild(SCRIPT, { env });
      await child.message<BootMessage>(({ kind }) => kind === 'ready');
      await plan('block', command);
      await owner.query('SELECT pg_advisory_lock(4711)');
      child.send({});
      await waitFor(async () => {
        const { rows } = await owner.query(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted`,
        );
        return rows.length > 0;
      });
      await child.kill('SIGKILL');
      await plan('none');
      await owner.query('SELECT pg_advisory_unlock(4711)');
      await waitFor(async () => (await backendsOf(schema, owner)) === 0);

      expect(await shapeOf(owner, schema)).toEqual([]);
      await expectNextBootToFinish(schema, owner, url);
    },
  );
});
