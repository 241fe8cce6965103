import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ConnectionTurns } from '../../../lib/store/connection-turns.js';
import { databaseUrl } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const LOCK = 7_301_204;

describe('The connections for statements', () => {
  let pool: pg.Pool;
  let holder: pg.Client;
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: databaseUrl(), max: 4, application_name: 'turns' });
    holder = new pg.Client(databaseUrl());
    await holder.connect();
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
    const turns = new ConnectionTurns(pool);
    const [flood, quiet] = [{}, {}];
    await turns.lend(flood, query('SELECT 1'));
    await turns.lend(quiet, query('SELECT 1'));
    await holder.query(`SELECT pg_advisory_lock(${LOCK})`);
    const order: string[] = [];
    const flooding = Array.from({ length: 20 }, () =>
      turns
        .lend(flood, query(`SELECT pg_advisory_xact_lock_shared(${LOCK})`))
        .then(() => order.push('flood')),
    );
    await waitFor(async () => (await waiting()) > 0);
    for (let i = 0; i < 3; i++) expect(await turns.lend(quiet, query('SELECT 1'))).toHaveLength(1);
    expect(await waiting()).toBeLessThanOrEqual(2);
    expect(order).toEqual([]);
    await holder.query(`SELECT pg_advisory_unlock(${LOCK})`);
    await Promise.all(flooding);
  });

  it('are all for a tenant that has been alone', async () => {
    const turns = new ConnectionTurns(pool);
    const only = {};
    await holder.query(`SELECT pg_advisory_lock(${LOCK})`);
    const statements = Array.from({ length: 6 }, () =>
      turns.lend(only, query(`SELECT pg_advisory_xact_lock_shared(${LOCK})`)),
    );
    await waitFor(async () => (await waiting()) === 4);
    await holder.query(`SELECT pg_advisory_unlock(${LOCK})`);
    await Promise.all(statements);
  });

  it('come back when a statement fails, and with it a connection that is new', async () => {
    const turns = new ConnectionTurns(pool);
    const tenant = {};
    for (let i = 0; i < 10; i++) {
      await expect(turns.lend(tenant, query('SELECT 1/0'))).rejects.toThrow('division');
    }
    expect(await turns.lend(tenant, query('SELECT 1'))).toHaveLength(1);
  });
});
