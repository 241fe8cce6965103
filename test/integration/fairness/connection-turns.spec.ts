import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { FairConnectionPool } from '../../../lib/store/postgres/connections/fair-connection-pool.js';
import { quietPool } from '../../../lib/store/postgres/connections/pools.js';
import { columns, integer } from '../../../lib/store/postgres/statements/columns.js';
import { type Statement, tenantTables } from '../../../lib/store/postgres/statements/statement.js';
import { TenantStatements } from '../../../lib/store/postgres/tenant-statements.js';
import { gate } from '../../support/gate.js';
import { connectAdmin, databaseUrl } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { systemClock } from '../../../lib/runtime/clock.js';

const LOCK = 7_301_204;

async function endAll(pools: readonly pg.Pool[]): Promise<void> {
  await Promise.all(pools.map((each) => each.end()));
}

describe('The connections for statements', () => {
  let pool: pg.Pool;
  let holder: pg.Client;
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: databaseUrl(), max: 4, application_name: 'turns' });
    holder = await connectAdmin();
  });
  afterAll(async () => {
    await holder.end();
    await pool.end();
  });

  const query = (sql: string) => async (client: pg.PoolClient) => (await client.query(sql)).rows;
  /** Statements of ours that wait for the lock. */
  const waiting = async (): Promise<number> => {
    const { rows } = await holder.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE a.application_name = 'turns' AND NOT l.granted`,
    );
    return rows[0]?.n ?? 0;
  };

  it('are left in half to the others by a tenant that has statements without end', async () => {
    const turns = new FairConnectionPool([pool], systemClock);
    const [flood, quiet] = [{}, {}];
    await turns.withConnection(flood, query('SELECT 1'));
    await turns.withConnection(quiet, query('SELECT 1'));
    await holder.query(`SELECT pg_advisory_lock(${LOCK})`);
    const order: string[] = [];
    const flooding = Array.from({ length: 20 }, () =>
      turns
        .withConnection(flood, query(`SELECT pg_advisory_xact_lock_shared(${LOCK})`))
        .then(() => order.push('flood')),
    );
    await waitFor(async () => (await waiting()) > 0);
    for (let i = 0; i < 3; i++)
      expect(await turns.withConnection(quiet, query('SELECT 1'))).toHaveLength(1);
    expect(await waiting()).toBeLessThanOrEqual(2);
    expect(order).toEqual([]);
    await holder.query(`SELECT pg_advisory_unlock(${LOCK})`);
    await Promise.all(flooding);
  });

  it('are all for a tenant that has been alone', async () => {
    const turns = new FairConnectionPool([pool], systemClock);
    const only = {};
    await holder.query(`SELECT pg_advisory_lock(${LOCK})`);
    const statements = Array.from({ length: 6 }, () =>
      turns.withConnection(only, query(`SELECT pg_advisory_xact_lock_shared(${LOCK})`)),
    );
    await waitFor(async () => (await waiting()) === 4);
    await holder.query(`SELECT pg_advisory_unlock(${LOCK})`);
    await Promise.all(statements);
  });

  it('go to those first who are at home there', async () => {
    const [a, b, c, d] = [gate(), gate(), gate(), gate()];
    const pools = [0, 1].map(() => new pg.Pool({ connectionString: databaseUrl(), max: 1 }));
    try {
      const turns = new FairConnectionPool(pools, systemClock, Infinity);
      const pids = new Map<string, number>();
      const run = (name: string, tenant: object, hold: Promise<void>): Promise<unknown> =>
        turns.withConnection(tenant, async (client) => {
          const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
          pids.set(name, rows[0]?.pid ?? 0);
          await hold;
        });
      // The later two are at home where a is, and where b is; the former of them is first in line.
      const all = Object.entries({ a, b, c, d }).map(([name, at]) => run(name, at, at.passed));
      await waitFor(() => pids.size === 2);
      b.open();
      await waitFor(() => pids.size === 3);
      expect([...pids.keys()].sort()).toEqual(['a', 'b', 'd']);
      a.open();
      await waitFor(() => pids.size === 4);
      for (const each of [c, d]) each.open();
      await Promise.all(all);
      expect(pids.get('c')).toBe(pids.get('a'));
      expect(pids.get('d')).toBe(pids.get('b'));
    } finally {
      for (const each of [a, b, c, d]) each.open();
      await endAll(pools);
    }
  });

  it('go to whoever wants one when nobody waits who is at home there', async () => {
    const pools = [0, 1].map(() => new pg.Pool({ connectionString: databaseUrl(), max: 1 }));
    try {
      const turns = new FairConnectionPool(pools, systemClock);
      const only = {};
      let inside = 0;
      let most = 0;
      const stay = async (): Promise<void> => {
        most = Math.max(most, ++inside);
        await waitFor(() => most === 2);
        inside--;
      };
      await Promise.all([turns.withConnection(only, stay), turns.withConnection(only, stay)]);
      expect(most).toBe(2);
    } finally {
      await endAll(pools);
    }
  });

  it('come back when a statement fails', async () => {
    const turns = new FairConnectionPool([pool], systemClock);
    const tenant = {};
    for (const sql of ['SELECT 1/0', 'SELECT broken']) {
      for (let i = 0; i < 5; i++) {
        await expect(turns.withConnection(tenant, query(sql))).rejects.toThrow();
      }
    }
    expect(await turns.withConnection(tenant, query('SELECT 1'))).toHaveLength(1);
  });
});

describe('A connection whose statement fails', () => {
  let only: pg.Pool;
  let turns: FairConnectionPool;
  let holder: pg.Client;
  beforeAll(async () => {
    only = quietPool({ connectionString: databaseUrl(), max: 1 });
    turns = new FairConnectionPool([only], systemClock);
    holder = await connectAdmin();
    await holder.query('CREATE TABLE held AS SELECT 1 AS id');
    await holder.query('BEGIN; SELECT 1 FROM held FOR UPDATE');
  });
  afterAll(async () => {
    await only.end();
    await holder.end();
  });

  const backend = (): Promise<unknown> =>
    turns.withConnection({}, async (client) => {
      const { rows } = await client.query(
        `SELECT pg_backend_pid(), current_setting('lock_timeout')`,
      );
      return rows[0];
    });
  const raise = (code: string): string =>
    `DO $$BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '${code}'; END$$`;

  it.each([
    ['data', '22012', 'SELECT 1/0'],
    ['a constraint', '23505', raise('23505')],
    ['a trigger', 'P0001', raise('P0001')],
    ['a deadlock', '40P01', raise('40P01')],
    ['a race', '40001', raise('40001')],
    ['a lock', '55P03', 'SELECT 1 FROM held FOR UPDATE NOWAIT'],
  ])('for %s is kept as it was', async (_what, code, sql) => {
    const before = await backend();
    await expect(turns.withConnection({}, (client) => client.query(sql))).rejects.toMatchObject({
      code,
    });
    expect(await backend()).toEqual(before);
  });

  it.each([
    ['it does not fit the schema', '42703', 'SELECT broken'],
    ['it was cancelled', '57014', raise('57014')],
    ['the session was ended', '57P01', 'SELECT pg_terminate_backend(pg_backend_pid())'],
    ['the server is out of memory', '53200', raise('53200')],
  ])('because %s is closed', async (_what, code, sql) => {
    const before = await backend();
    await expect(turns.withConnection({}, (client) => client.query(sql))).rejects.toMatchObject({
      code,
    });
    expect(await backend()).not.toEqual(before);
  });

  it('keeps what is prepared in it, also the statement that failed', async () => {
    const quotient = columns({ quotient: integer });
    const divide: Statement<{ quotient: number }> = {
      name: 'divide',
      columns: quotient,
      text: () => `SELECT ${quotient.select({ quotient: '6 / $1::integer' })}`,
    };
    const runner = new TenantStatements(tenantTables('t'), 'key', 't', systemClock).inTurn(turns);
    const run = async (by: number): Promise<unknown> => runner.run(divide, [by]);
    await waitFor(async () => {
      await run(1);
      return (await prepared()).length > 0;
    });
    await expect(run(0)).rejects.toThrow('division');
    expect(await run(2)).toEqual([{ quotient: 3 }]);
    expect(await prepared()).toEqual(['cloacina_key_divide']);
  });

  const prepared = async (): Promise<unknown[]> =>
    turns.withConnection({}, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        'SELECT name FROM pg_prepared_statements',
      );
      return rows.map(({ name }) => name);
    });
});
