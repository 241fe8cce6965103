import { beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { type OpenTenant, openTenants, queryIn } from '../../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const LOCK = 7_730_211;

let work: (context: TaskContext) => Promise<object | void> = () => Promise.resolve();
const once = { retry: { maxAttempts: 1 } } as const;
const writing = defineWorkflow('writing')
  .task('only', { ...once, transactional: true }, (context) => work(context))
  .build();

/** Two tenants, and one connection for the user code of both. */
let leaving: OpenTenant;
let next: OpenTenant;
beforeAll(async () => {
  const schemas = [freshSchema('leaving'), freshSchema('next')];
  const [first, second] = await openTenants(
    [writing],
    schemas.map((schema) => ({ schema, poolSize: 3 })),
  );
  leaving = first!;
  next = second!;
  for (const tenant of [leaving, next]) {
    await tenant.query(`CREATE TABLE note (text text); INSERT INTO note VALUES ('${tenant.name}')`);
  }
  // What a function does, no text tells.
  await leaving.query(
    `CREATE FUNCTION hidden() RETURNS void LANGUAGE plpgsql AS $$
     BEGIN
       PERFORM set_config('default_transaction_read_only', 'on', false);
       PERFORM pg_advisory_lock(${LOCK});
       CREATE TEMP TABLE note AS SELECT 'of the other'::text AS text;
     END $$`,
  );
});

const backend = async (tenant: OpenTenant): Promise<number> => {
  const [row] = await tenant.dataSource.query<{ pid: number }[]>('SELECT pg_backend_pid() AS pid');
  return row?.pid ?? 0;
};

/** What the next tenant's user code finds, on the connection that the first one's has left. */
async function found<R extends object>(sql: string): Promise<R[]> {
  const before = await backend(leaving);
  const rows = await next.dataSource.query<R[]>(sql);
  expect(await backend(next)).toBe(before);
  return rows;
}

const heldLocks = (): Promise<object[]> =>
  queryIn(
    'public',
    `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ${LOCK}
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );

describe('What user code of one tenant leaves on a connection', () => {
  it.each<[string, string, string, () => object[]]>([
    [
      'a search_path',
      'SET search_path TO "{leaving}"',
      'SELECT text FROM note',
      () => [{ text: next.name }],
    ],
    [
      'a temporary table',
      `CREATE TEMP TABLE note AS SELECT 'of the other'::text AS text`,
      'SELECT text FROM note',
      () => [{ text: next.name }],
    ],
    [
      'a setting',
      `SET statement_timeout TO '1h'`,
      'SHOW statement_timeout',
      () => [{ statement_timeout: '0' }],
    ],
    [
      'a prepared statement',
      'PREPARE mine AS SELECT 1',
      'SELECT name FROM pg_prepared_statements WHERE from_sql',
      () => [],
    ],
    ['a channel', 'LISTEN gossip', 'SELECT pg_listening_channels() AS name', () => []],
    [
      'a cursor',
      'DECLARE kept CURSOR WITH HOLD FOR SELECT 1',
      'SELECT name FROM pg_cursors WHERE is_holdable',
      () => [],
    ],
    [
      'a role',
      'SET ROLE pg_read_all_data',
      'SELECT current_user = session_user AS same',
      () => [{ same: true }],
    ],
    [
      'another user of the session',
      'SET SESSION AUTHORIZATION pg_read_all_data',
      `SELECT session_user = 'pg_read_all_data' AS other`,
      () => [{ other: false }],
    ],
    [
      'what stands behind a comment',
      '/* theirs */ SET search_path TO "{leaving}"',
      'SELECT text FROM note',
      () => [{ text: next.name }],
    ],
  ])('is gone before another has it: %s', async (_what, left, look, expected) => {
    await leaving.dataSource.query(left.replace('{leaving}', leaving.schema));
    expect(await found(look)).toEqual(expected());
  });

  it('is gone, also from a transactional task', async () => {
    work = async ({ manager }) => {
      await manager.query(`SET search_path TO "${leaving.schema}"; SET lock_timeout TO 4711`);
    };
    (await leaving.runner.execute(writing)).orThrow();
    expect(await found('SELECT text FROM note')).toEqual([{ text: next.name }]);
    expect(await found('SHOW lock_timeout')).toEqual([{ lock_timeout: '0' }]);
  });

  it('is gone, also where only a function knows of it; and for the library, too', async () => {
    await leaving.dataSource.query('SELECT hidden()');
    expect(await found('SELECT text FROM note')).toEqual([{ text: next.name }]);
    await next.dataSource.query(`INSERT INTO note VALUES ('written')`);
    await next.dataSource.query(`DELETE FROM note WHERE text = 'written'`);
    expect(await heldLocks()).toEqual([]);

    await leaving.dataSource.query('SELECT hidden()');
    const handle = await next.runner.start(writing, {}, { delay: '1h' });
    await handle.pause();
    await handle.cancel();
    expect(await heldLocks()).toEqual([]);
  });

  it('is gone as soon as it has given the connection back, where it says what it leaves', async () => {
    await leaving.dataSource.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await waitFor(async () => (await heldLocks()).length === 0);
    await leaving.dataSource.query('SET search_path TO public');
    expect(await leaving.dataSource.query('SELECT text FROM note')).toEqual([
      { text: leaving.name },
    ]);
  });

  it('is gone from the driver, too: parsers, listeners, and statements by name', async () => {
    const runner: QueryRunner = leaving.dataSource.createQueryRunner();
    const client = (await runner.connect()) as pg.PoolClient;
    client.setTypeParser(23, () => 'a number');
    client.on('notice', () => undefined);
    await client.query({ name: 'mine', text: 'SELECT 1 AS one' });
    await runner.release();

    expect(await next.dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const other: QueryRunner = next.dataSource.createQueryRunner();
    const theirs = (await other.connect()) as pg.PoolClient;
    expect(theirs.listenerCount('notice')).toBe(0);
    const { rows } = await theirs.query({ name: 'mine', text: 'SELECT 2 AS two' });
    expect(rows).toEqual([{ two: 2 }]);
    await other.release();
  });
});

describe("The library's own statements, prepared on the connection", () => {
  /** Enough in a row for the tenant to be busy, so that its statements are prepared. */
  const many = async (tenant: OpenTenant): Promise<void> => {
    for (let i = 0; i < 12; i++) {
      (await tenant.runner.execute(writing)).orThrow();
    }
  };
  const isPrepared = async (): Promise<boolean> => {
    const [row] = await next.dataSource.query<{ n: number }[]>(
      `SELECT count(*)::integer AS n FROM pg_prepared_statements WHERE name LIKE 'cloacina\\_%'`,
    );
    return (row?.n ?? 0) > 0;
  };
  /** Which connection runs a statement, and when one is worth preparing, is for the pool to say. */
  const prepare = (): Promise<unknown> =>
    waitFor(async () => {
      await many(next);
      return isPrepared();
    });

  it.each(['DISCARD ALL', 'DEALLOCATE ALL', 'DISCARD ALL -- and more'])(
    'outlive %s of another tenant, at no cost of an attempt',
    async (statement) => {
      work = () => Promise.resolve();
      await prepare();
      await leaving.dataSource.query(statement);
      await many(next);
    },
  );

  it('survive that a tenant drops its own, in a transaction too', async () => {
    work = () => Promise.resolve();
    await prepare();
    work = async ({ manager }) => {
      await manager.query('DEALLOCATE ALL');
    };
    await many(next);
  });

  it('stay prepared while tenants take turns', async () => {
    work = () => Promise.resolve();
    await many(next);
    await leaving.dataSource.query('SELECT 1');
    expect(await isPrepared()).toBe(true);
  });

  it('are planned anew, at no cost of an attempt, when a migration changes the type of a result', async () => {
    work = () => Promise.resolve();
    await prepare();
    for (const is of ['numeric', 'integer']) {
      await next.query(`ALTER TABLE cloacina_task_execution ALTER generation TYPE ${is}`);
      const { status, tasks } = await next.runner.execute(writing);
      expect([status, tasks[0]?.attempt]).toEqual(['Completed', 1]);
      await many(next);
    }
    // The control: a plan that is kept is refused, which is what the connection above met.
    const client = await connectAdmin();
    await client.query(
      `PREPARE kept AS SELECT generation FROM "${next.schema}".cloacina_task_execution`,
    );
    await next.query('ALTER TABLE cloacina_task_execution ALTER generation TYPE numeric');
    await expect(client.query('EXECUTE kept')).rejects.toMatchObject({ code: '0A000' });
    await next.query('ALTER TABLE cloacina_task_execution ALTER generation TYPE integer');
    await client.end();
  });

  // Last: the library prepares nothing within transactions any more on a connection where statements vanished unseen.
  it('survive that they are dropped one by one, and unseen', async () => {
    await next.query(
      `CREATE FUNCTION drop_all() RETURNS void LANGUAGE plpgsql AS $$
       BEGIN EXECUTE 'DEALLOCATE ALL'; END $$`,
    );
    // A start in the task's own transaction is a statement of the library's in the midst of the handler.
    const startIn =
      (before: (context: TaskContext) => Promise<unknown>) => async (context: TaskContext) => {
        if (context.has('child')) return;
        await before(context);
        await next.runner.start(writing, { child: true }, { manager: context.manager });
      };
    work = startIn(() => Promise.resolve());
    await prepare();
    work = startIn(({ manager }) => manager.query('SELECT drop_all()'));
    await many(next);
  });
});
