import { expect } from '@jest/globals';
import type { Client } from 'pg';
import { cloacinaEntities } from '../../../lib/store/postgres/entities/index.js';
import { findObjects } from '../../../lib/tenants/migrations/move-statements.js';
import { startChild } from '../../support/child-process.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import type { BootMessage } from './boot-process.js';
import { type Catalog, historyOf, shapeOf } from './catalog.js';
import { withTenant } from './open-tenant.js';
import { createScratchDatabase, type ScratchDatabase } from './scratch-database.js';
import { backendsOf, killAt, type KillPoint, startStepwise } from './stepwise.js';

/** What is asked of each point at which a boot or a move can end: few points in `npm test`, all in the fault tests. */

const FIRST = 'CreateCloacinaTables1735689600000';
/** The tables of a schema, its history and its view. */
export const OBJECTS = cloacinaEntities.length + 2;
/** A key that nothing else locks. */
const STOPPED = 4711;

/** The shape of a schema that nothing interrupted. */
export async function wholeShape(client: Client, url?: string): Promise<Catalog> {
  const schema = freshSchema();
  await withTenant(schema, url === undefined ? {} : { url }, ({ migrator }) => migrator.ensure());
  return shapeOf(client, schema);
}

/** Kills boots of new schemas at those points; the next boot of each finishes it. Returns the statements. */
export async function killBoots(
  points: Iterable<KillPoint>,
  client: Client,
  whole: Catalog,
): Promise<string[]> {
  const start = (): { child: ReturnType<typeof startStepwise>; schema: string } => {
    const schema = freshSchema();
    return { schema, child: startStepwise({ BOOT_SCHEMA: schema }) };
  };
  return killAt(points, start, client, ({ schema }) =>
    expectNextBootToFinish(schema, client, whole),
  );
}

/** Kills moves of migrated schemas at those points; the next move of each does it all. Returns the statements. */
export async function killMoves(
  points: Iterable<KillPoint>,
  { admin, url }: ScratchDatabase,
): Promise<string[]> {
  const start = async (): Promise<{
    child: ReturnType<typeof startStepwise>;
    schema: string;
    target: string;
  }> => {
    const [schema, target] = [freshSchema('from'), freshSchema('to')];
    await withTenant(schema, { url }, ({ migrator }) => migrator.ensure());
    const env = { BOOT_SCHEMA: schema, BOOT_MOVE_TO: target, BOOT_URL: url };
    return { schema, target, child: startStepwise(env) };
  };
  return killAt(points, start, admin, async ({ schema, target }) => {
    const sides = async (): Promise<number[]> => [
      (await findObjects(admin, schema)).length,
      (await findObjects(admin, target)).length,
    ];
    expect(await sides()).toEqual([OBJECTS, 0]);
    await withTenant(schema, { url }, ({ migrator }) => migrator.moveTo(target));
    expect(await sides()).toEqual([0, OBJECTS]);
  });
}

/** Whatever the schema was left as: all or nothing, and the next boot makes it whole. */
async function expectNextBootToFinish(
  schema: string,
  client: Client,
  whole: Catalog,
  url?: string,
): Promise<void> {
  const left = await shapeOf(client, schema);
  expect([0, whole.length]).toContain(left.length);
  await withTenant(schema, url === undefined ? {} : { url }, ({ migrator }) => migrator.ensure());
  expect(await shapeOf(client, schema)).toEqual(whole);
  expect(await historyOf(client, schema)).toEqual([FIRST]);
}

/**
 * A database that stops migrations within a statement: one message carries many commands. At the one with the number
 * in `stop_at`, the server either loses the session, or waits for a lock until the test has killed the client.
 */
export class StoppingDatabase {
  private constructor(
    private readonly database: ScratchDatabase,
    private readonly whole: Catalog,
  ) {}

  static async create(): Promise<StoppingDatabase> {
    const database = await createScratchDatabase();
    const whole = await wholeShape(database.admin, database.url);
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
            ELSE PERFORM pg_advisory_xact_lock(${STOPPED}); END IF;
          END IF;
        END $$;
      CREATE EVENT TRIGGER stop ON ddl_command_end EXECUTE FUNCTION probe.stop()`);
    return new StoppingDatabase(database, whole);
  }

  drop(): Promise<void> {
    return this.database.drop();
  }

  /** False when the migration has fewer commands. */
  async loseSessionAt(command: number): Promise<boolean> {
    const { url, admin } = this.database;
    const schema = freshSchema();
    await this.plan('terminate', command);
    const error: unknown = await withTenant(schema, { url }, ({ migrator }) =>
      migrator.ensure().then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    );
    await this.plan('none');
    if (error === undefined) return false;
    expect(await shapeOf(admin, schema)).toEqual([]);
    await expectNextBootToFinish(schema, admin, this.whole, url);
    await admin.query(`DROP SCHEMA ${schema} CASCADE`);
    return true;
  }

  async killProcessAt(command: number): Promise<void> {
    const { url, admin } = this.database;
    const schema = freshSchema();
    const env = { BOOT_SCHEMA: schema, BOOT_URL: url };
    const child = startChild(new URL('boot-process.ts', import.meta.url), { env });
    await child.message<BootMessage>(({ kind }) => kind === 'ready');
    await this.plan('block', command);
    await admin.query(`SELECT pg_advisory_lock(${STOPPED})`);
    child.send({});
    await waitFor(async () => {
      const { rows } = await admin.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = ${STOPPED} AND NOT granted`,
      );
      return rows.length > 0;
    });
    await child.kill('SIGKILL');
    await this.plan('none');
    await admin.query(`SELECT pg_advisory_unlock(${STOPPED})`);
    await waitFor(async () => (await backendsOf(schema, admin)) === 0);
    expect(await shapeOf(admin, schema)).toEqual([]);
    await expectNextBootToFinish(schema, admin, this.whole, url);
  }

  private async plan(action: 'none' | 'terminate' | 'block', stopAt = 0): Promise<void> {
    const { admin } = this.database;
    await admin.query(`UPDATE probe.plan SET stop_at = ${stopAt}, action = '${action}'`);
    await admin.query("SELECT setval('probe.commands', 1, false)");
  }
}
