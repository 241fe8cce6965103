import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { createTenantDataSource } from '../../../lib/store/postgres/typeorm/data-source.js';
import { runInTenantTransaction } from '../../../lib/store/postgres/tenant-transaction.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { type SlowReadyProxy, startSlowReadyProxy } from './slow-ready-proxy.js';

/** Connections of the pool; user code may hold all but two. */
const POOL_SIZE = 5;
const IDLE = { idleTimeoutMs: 60_000 };

let pool: pg.Pool;
let schemas: [string, string];
let acme: DataSource;
let globex: DataSource;

beforeEach(async () => {
  pool = new pg.Pool({ connectionString: databaseUrl(), max: POOL_SIZE });
  schemas = [freshSchema('acme'), freshSchema('globex')];
  for (const schema of schemas) {
    await pool.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.note (body text)`);
  }
  acme = await createTenantDataSource({ pool, schema: schemas[0] }).initialize();
  globex = await createTenantDataSource({ pool, schema: schemas[1] }).initialize();
});
afterEach(() => pool.end());

async function bodies(schema: string): Promise<string[]> {
  const { rows } = await pool.query<{ body: string }>(`SELECT body FROM ${schema}.note ORDER BY 1`);
  return rows.map(({ body }) => body);
}

test('any number of data sources share the connections, and add no listeners', async () => {
  const more = Array.from({ length: 30 }, () =>
    createTenantDataSource({ pool, schema: schemas[0] }),
  );
  for (const dataSource of more) await dataSource.initialize();
  await Promise.all(more.map((dataSource) => dataSource.query('SELECT 1')));

  expect(pool.totalCount).toBeLessThanOrEqual(POOL_SIZE - 2);
  expect(pool.listenerCount('error')).toBe(1);
});

test('a data source that is destroyed leaves the pool to the others', async () => {
  await acme.destroy();
  expect(await globex.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('user code holds all connections but two; more of it waits, first come first served', async () => {
  const holders = await Promise.all(
    Array.from({ length: POOL_SIZE - 2 }, async (_, index) => {
      const runner = (index % 2 === 0 ? acme : globex).createQueryRunner();
      await runner.connect();
      return runner;
    }),
  );
  const order: string[] = [];
  try {
    const waiting = [
      acme.query('SELECT 1').then(() => order.push('first')),
      globex.query('SELECT 1').then(() => order.push('second')),
    ];

    // The library's own statements go on meanwhile.
    await Promise.all([pool.query('SELECT 1'), pool.query('SELECT 1')]);
    await pool.query('SELECT pg_sleep(0.05)');
    expect(order).toEqual([]);

    await holders[0]?.release();
    await Promise.all(waiting);
    expect(order).toEqual(['first', 'second']);
  } finally {
    await Promise.all(holders.map((holder) => holder.release()));
  }
});

test('a connection that cannot be opened gives its place back', async () => {
  const broken = new pg.Pool({ host: '127.0.0.1', port: 1, max: 3 });
  const dataSource = createTenantDataSource({ pool: broken, schema: schemas[0] });
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(dataSource.initialize()).rejects.toThrow(/ECONNREFUSED/);
  }
  await broken.end();
});

test('a transaction that was left open is rolled back, not handed to the next user', async () => {
  const runner = acme.createQueryRunner();
  await runner.startTransaction();
  await runner.query(`INSERT INTO ${schemas[0]}.note VALUES ('half done')`);
  await runner.release(); // without COMMIT or ROLLBACK

  for (let user = 0; user < POOL_SIZE; user++) await globex.query('SELECT 1');
  expect(await bodies(schemas[0])).toEqual([]);
});

test('a data source that is destroyed in the middle of a transaction commits none of it', async () => {
  const runner = acme.createQueryRunner();
  await runner.startTransaction();
  await runner.query(`INSERT INTO ${schemas[0]}.note VALUES ('half done')`);
  const inFlight = runner.query('SELECT pg_sleep(30)').catch((error: unknown) => error);
  await acme.destroy();

  await globex.query('SELECT 1');
  expect(await inFlight).toBeInstanceOf(Error);
  expect(await bodies(schemas[0])).toEqual([]);
});

test('an idle connection that breaks is replaced, and nothing crashes', async () => {
  await globex.query('SELECT 1');
  const admin = await connectAdmin();
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await admin.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  await admin.end();
  await waitFor(() => pool.totalCount === 0);

  expect(await acme.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('transactions find unqualified names in the tenant alone, and leave no setting behind', async () => {
  const before = await acme.query('SHOW search_path');
  for (const [index, dataSource] of [acme, globex].entries()) {
    const schema = schemas[index] ?? '';
    await runInTenantTransaction(
      dataSource,
      schema,
      async (manager, client) => {
        await manager.query(`INSERT INTO note VALUES ('by ${index}')`);
        await client.query(`INSERT INTO note VALUES ('by the connection of ${index}')`);
      },
      IDLE,
    );
  }
  expect(await bodies(schemas[0])).toEqual(['by 0', 'by the connection of 0']);
  expect(await bodies(schemas[1])).toEqual(['by 1', 'by the connection of 1']);
  expect(await acme.query('SHOW search_path')).toEqual(before);

  const missing = runInTenantTransaction(
    acme,
    schemas[0],
    (manager) => manager.query('SELECT * FROM nowhere'),
    IDLE,
  );
  await expect(missing).rejects.toThrow(/"nowhere" does not exist/);
});

test('transactions are READ COMMITTED whatever the login defaults to', async () => {
  const strict = new pg.Pool({
    connectionString: databaseUrl(),
    max: 3,
    options: '-c default_transaction_isolation=serializable',
  });
  const dataSource = await createTenantDataSource({
    pool: strict,
    schema: schemas[0],
  }).initialize();
  const shown = await runInTenantTransaction(
    dataSource,
    schemas[0],
    (manager) => manager.query('SHOW transaction_isolation'),
    IDLE,
  );
  expect(shown).toEqual([{ transaction_isolation: 'read committed' }]);
  await strict.end();
});

test('a transaction whose work fails is rolled back, and the error is the one of the work', async () => {
  const failure = new Error('no stock');
  const failing = runInTenantTransaction(
    acme,
    schemas[0],
    async (manager) => {
      await manager.query(`INSERT INTO note VALUES ('lost')`);
      throw failure;
    },
    IDLE,
  );
  await expect(failing).rejects.toBe(failure);
  expect(await bodies(schemas[0])).toEqual([]);
});

test('a transaction that a swallowed error has ended does not pass for committed', async () => {
  const pretending = runInTenantTransaction(
    acme,
    schemas[0],
    async (manager) => {
      await manager.query(`INSERT INTO note VALUES ('lost')`);
      await manager.query('SELECT 1 / 0').catch(() => undefined);
    },
    IDLE,
  );
  await expect(pretending).rejects.toThrow(/error was caught/);

  await runInTenantTransaction(
    acme,
    schemas[0],
    async (manager) => {
      await manager.query(`INSERT INTO note VALUES ('kept')`);
      const nested = manager.transaction((inner) => inner.query('SELECT 1 / 0'));
      await nested.catch(() => undefined);
    },
    IDLE,
  );
  expect(await bodies(schemas[0])).toEqual(['kept']);
});

describe('where an error arrives before the state of its transaction', () => {
  let proxy: SlowReadyProxy;
  let slowPool: pg.Pool;
  let slow: DataSource;
  beforeEach(async () => {
    proxy = await startSlowReadyProxy(databaseUrl());
    slowPool = new pg.Pool({ connectionString: proxy.url, max: 3 });
    slow = await createTenantDataSource({ pool: slowPool, schema: schemas[0] }).initialize();
  });
  afterEach(async () => {
    await slowPool.end();
    await proxy.stop();
  });

  test('a swallowed error is still found', async () => {
    const pretending = runInTenantTransaction(
      slow,
      schemas[0],
      (manager) => manager.query('SELECT 1 / 0').catch(() => undefined),
      IDLE,
    );
    await expect(pretending).rejects.toThrow(/error was caught/);
  });

  test('the connection of a statement that failed is kept', async () => {
    const backend = (): Promise<unknown> => slow.query('SELECT pg_backend_pid()');
    const before = await backend();
    await expect(slow.query('SELECT 1 / 0')).rejects.toThrow(/division by zero/);
    expect(await backend()).toEqual(before);
  });

  test('a transaction that was left open after an error is not handed on', async () => {
    const runner = slow.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT 1 / 0').catch(() => undefined);
    await runner.release();
    expect(await slow.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);

    await expect(slow.query('BEGIN; SELECT 1 / 0')).rejects.toThrow(/division by zero/);
    expect(await slow.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

test('a transaction that its work commits by itself is an error', async () => {
  for (const end of ['COMMIT', 'ROLLBACK']) {
    const ending = runInTenantTransaction(acme, schemas[0], (manager) => manager.query(end), IDLE);
    await expect(ending).rejects.toThrow(/COMMIT or ROLLBACK from within/);
  }
  expect(await globex.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a transaction that stops is ended by the server', async () => {
  const gate = new EventEmitter();
  const locked = once(gate, 'locked');
  const resumed = once(gate, 'resume');
  const outcome = runInTenantTransaction(
    acme,
    schemas[0],
    async (manager) => {
      await manager.query(`LOCK TABLE note`);
      gate.emit('locked');
      await resumed;
      await manager.query('SELECT 1');
    },
    { idleTimeoutMs: 50 },
  ).catch((error: unknown) => error);
  // A process that is not scheduled for a while may be idle for as long before it has the lock. The server ends that too.
  await Promise.race([locked, outcome]);

  // Waits for the lock, so it ends when the server has ended the transaction that holds it.
  await pool.query(`INSERT INTO ${schemas[0]}.note VALUES ('next')`);
  gate.emit('resume');
  expect(await outcome).toBeInstanceOf(Error);
  expect(await acme.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('options that would harm the tables or the process are left out', async () => {
  const options = {
    synchronize: true,
    dropSchema: true,
    parseInt8: true,
    entityPrefix: 'x_',
    logging: false,
  };
  const dataSource = createTenantDataSource({ pool, schema: schemas[0], options });
  expect(dataSource.options).toMatchObject({
    synchronize: false,
    dropSchema: false,
    logging: false,
  });
  expect(dataSource.options).not.toHaveProperty('parseInt8');
  expect(dataSource.options).not.toHaveProperty('entityPrefix');
});
