import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Client } from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { QueuedBytes } from '../../../lib/engine/starts/queued-bytes.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { connectAdmin } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';

const workflow = defineWorkflow('keyed')
  .task('only', () => undefined)
  .build();

/** Another process' transactions, as far as locks go. */
let others: Client[];
beforeEach(() => {
  others = [];
});
afterEach(async () => {
  await Promise.all(others.map((other) => other.end()));
});

async function connect(): Promise<Client> {
  const other = await connectAdmin();
  others.push(other);
  return other;
}

/** Inserts executions with these keys in a transaction that stays open. */
async function hold(tenant: OpenTenant, keys: readonly string[]): Promise<Client> {
  const other = await connect();
  const [model] = await tenant.query<{ definition_id: number }>(
    'SELECT definition_id FROM cloacina_workflow_execution LIMIT 1',
  );
  await other.query('BEGIN');
  await other.query(
    `INSERT INTO ${other.escapeIdentifier(tenant.schema)}.cloacina_workflow_execution
       (id, workflow, definition_id, status, input, remaining_leaves, idempotency_key)
     SELECT gen_random_uuid(), 'keyed', $1, 'Pending', '{}', 1, key FROM unnest($2::text[]) key`,
    [model?.definition_id, keys],
  );
  return other;
}

async function open(startTimeoutMs = 10_000): Promise<OpenTenant> {
  const tenant = await openTenant([workflow], { startTimeoutMs });
  await tenant.runner.execute(workflow);
  return tenant;
}

/** Divisible by three. */
const HELD = sized(60, 18);
const keysOf = (kind: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${kind} ${i}`);

const start = ({ runner }: OpenTenant, idempotencyKey: string) =>
  runner.start(workflow, {}, { idempotencyKey });

describe('A start whose key an open transaction holds', () => {
  it('waits alone: many of them delay no free key, nor one another', async () => {
    const tenant = await open(120_000);
    const held = keysOf('held', HELD);
    const holders = await Promise.all(
      [0, 1, 2].map((part) =>
        hold(
          tenant,
          held.filter((_, i) => i % 3 === part),
        ),
      ),
    );
    // In one batch, mixed.
    const free = keysOf('free', HELD);
    let settled = 0;
    const waiting: ReturnType<typeof start>[] = [];
    const going: ReturnType<typeof start>[] = [];
    for (const [i, key] of held.entries()) {
      waiting.push(start(tenant, key).finally(() => settled++));
      going.push(start(tenant, free[i] ?? ''));
    }
    await Promise.all(going);
    // Those that come later as well, alone and without a key.
    for (const key of keysOf('later', 5)) await start(tenant, key);
    await tenant.runner.execute(workflow);
    expect(settled).toBe(0);

    // What was held goes on as its holder ends.
    await holders[0]?.query('ROLLBACK');
    await holders[1]?.query('COMMIT');
    const handles = await Promise.all(waiting.filter((_, i) => i % 3 !== 2));
    const stored = await tenant.query<{ id: string }>(
      `SELECT id FROM cloacina_workflow_execution WHERE idempotency_key LIKE 'held %'`,
    );
    expect(handles.map(({ created }) => created)).toEqual(handles.map((_, i) => i % 2 === 0));
    expect(stored.map(({ id }) => id).sort()).toEqual(handles.map(({ id }) => id).sort());
    await holders[2]?.query('ROLLBACK');
    await Promise.all(waiting);
  });

  it('fails after startTimeout and says what it waited for; nothing is stored', async () => {
    const tenant = await open(300);
    const holder = await hold(tenant, ['mine']);
    const failed = start(tenant, 'mine');
    await expect(failed).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      reached: true,
      message: expect.stringMatching(/"keyed".*open transaction held its idempotency key "mine"/),
    });
    await holder.query('ROLLBACK');
    expect(
      await tenant.query(`SELECT FROM cloacina_workflow_execution WHERE idempotency_key = 'mine'`),
    ).toEqual([]);
    expect((await start(tenant, 'mine')).created).toBe(true);
  });

  it('within the transaction that holds it fails and names that; with its manager it is the same execution', async () => {
    const tenant = await open(300);
    const { id, late } = await tenant.dataSource.transaction(async (manager) => {
      const options = { manager, idempotencyKey: 'twice' };
      const first = await tenant.runner.start(workflow, {}, options);
      await expect(start(tenant, 'twice')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        reached: true,
        message: expect.stringContaining('one of this process, in which start() was called with'),
      });
      const again = await tenant.runner.start(workflow, {}, options);
      expect({ id: again.id, created: again.created }).toEqual({ id: first.id, created: false });
      return { id: first.id, late: start(tenant, 'other') };
    });
    expect((await late).created).toBe(true);
    const after = await start(tenant, 'twice');
    expect({ id: after.id, created: after.created }).toEqual({ id, created: false });
  });

  it('with a manager fails after startTimeout too, and leaves the lock_timeout of the transaction as it was', async () => {
    const tenant = await open(300);
    await hold(tenant, ['mine']);
    const settings: unknown[] = [];
    const inTransaction = (idempotencyKey: string, before?: string): Promise<unknown> =>
      tenant.dataSource.transaction(async (manager) => {
        if (before !== undefined) await manager.query(before);
        await tenant.runner.start(workflow, {}, { manager, idempotencyKey });
        settings.push(...(await manager.query<object[]>('SHOW lock_timeout')));
      });
    await expect(inTransaction('mine')).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      reached: true,
    });
    await inTransaction('free');
    await inTransaction('other', 'SET LOCAL lock_timeout TO 1234');
    expect(settings).toEqual([{ lock_timeout: '0' }, { lock_timeout: '1234ms' }]);
  });
});

it('A start that meets a locked table fails after startTimeout and says so', async () => {
  const tenant = await open(300);
  const other = await connect();
  await other.query('BEGIN');
  await other.query(
    `LOCK TABLE ${other.escapeIdentifier(tenant.schema)}.cloacina_workflow_execution IN SHARE MODE`,
  );
  const failed = [tenant.runner.start(workflow), start(tenant, 'keyed')];
  for (const one of await Promise.allSettled(failed)) {
    expect(one).toMatchObject({
      status: 'rejected',
      reason: { code: 'DATABASE_UNAVAILABLE', reached: true },
    });
  }
  await other.query('ROLLBACK');
  expect((await tenant.runner.execute(workflow)).status).toBe('Completed');
});

it('Starts that wait take a bounded amount of memory, beyond which the next ones fail', async () => {
  const tenant = await open();
  const starter: unknown = Reflect.get(tenant.engine.starts, 'starter');
  Reflect.set(
    Reflect.get(starter as object, 'parts') as object,
    'queuedBytes',
    new QueuedBytes(1_000),
  );
  const other = await connect();
  await other.query('BEGIN');
  await other.query(
    `LOCK TABLE ${other.escapeIdentifier(tenant.schema)}.cloacina_workflow_execution IN SHARE MODE`,
  );
  const large = { text: 'x'.repeat(2_000) };
  const first = tenant.runner.start(workflow, large);
  await expect(tenant.runner.start(workflow, { small: true })).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringMatching(
      /limit of starts that wait for the database, with 1 start and 0 MiB of context/,
    ),
  });
  await other.query('ROLLBACK');
  expect((await (await first).result()).status).toBe('Completed');
  await waitFor(async () => (await tenant.runner.start(workflow, large)).created);
});

describe('A start whose connection is lost after it was sent', () => {
  /** The first send is lost, before or after it was executed; the rest is up to the database. */
  function loseFirst({ engine: { store } }: OpenTenant, sends = 1): void {
    const real = store.start.bind(store);
    let count = 0;
    store.start = (...args) =>
      count++ < sends
        ? Promise.reject(new Error('Connection terminated unexpectedly'))
        : real(...args);
  }

  it('and then meets a key that is held: says in time that it may be stored, and can be repeated', async () => {
    const tenant = await open(200);
    const holder = await hold(tenant, ['held']);
    loseFirst(tenant);
    await expect(start(tenant, 'held')).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      mayBeWritten: true,
      message: expect.stringContaining('start it again with the same idempotency key'),
    });
    await holder.query('ROLLBACK');
    expect((await start(tenant, 'held')).created).toBe(true);
  });

  it('and finds no database again: names the execution to look for, and the log tells of it', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const tenant = await open(1_000);
    loseFirst(tenant, Infinity);
    const error = await tenant.runner.start(workflow).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', mayBeWritten: true });
    expect((error as Error).message).toMatch(/look for it with get\('[0-9a-f-]{36}'\)/);
    const told = warn.mock.calls.filter(([text]) =>
      String(text).includes('1 start could not be stored for some seconds'),
    );
    warn.mockRestore();
    expect(told).toHaveLength(1);
  });
});
