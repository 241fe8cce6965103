import { beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { StartOptions } from '../../../lib/runner/start-request.js';
import { type OpenTenant, openTenant, stopRounds } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';

const begun: string[] = [];
const echo = defineWorkflow('echo')
  .task('only', ({ executionId, data }) => {
    begun.push(executionId);
    return { echoed: data };
  })
  .build();
const other = defineWorkflow('other')
  .task('only', () => undefined)
  .build();

let one: OpenTenant;
let two: OpenTenant;
beforeAll(async () => {
  const schema = freshSchema();
  one = await openTenant([echo, other], { schema });
  two = await openTenant([echo, other], { schema });
  for (const process of [one, two]) stopRounds(process);
});

describe("A start inside the caller's transaction", () => {
  it('runs when that commits, and not before', async () => {
    const handle = await one.dataSource.transaction(async (manager) => {
      const started = await one.runner.start(echo, { n: 1 }, { manager });
      expect(started.created).toBe(true);
      expect(await one.runner.get(started.id)).toBeNull();
      return started;
    });
    expect((await handle.result()).context).toEqual({ n: 1, echoed: { n: 1 } });
  });

  it('never existed when that rolls back', async () => {
    let id = '';
    const rolledBack = one.dataSource.transaction(async (manager) => {
      ({ id } = await one.runner.start(echo, {}, { manager }));
      throw new Error('on purpose');
    });
    await expect(rolledBack).rejects.toThrow('on purpose');
    // Whatever is committed after it is seen to run, so it would have been by now.
    await one.runner.execute(echo);
    expect(await one.runner.get(id)).toBeNull();
    await expect(one.runner.handle(id).status()).rejects.toMatchObject({
      code: 'UNKNOWN_EXECUTION',
    });
    expect(begun).not.toContain(id);
  });

  it("is one with the application's own writes, also on a connection of its own", async () => {
    const own = new DataSource({ type: 'postgres', url: databaseUrl(), installExtensions: false });
    await own.initialize();
    try {
      const handle = await own.transaction(async (manager) => {
        await manager.query(`CREATE TABLE "${one.schema}".own (id uuid)`);
        const started = await one.runner.start(echo, {}, { manager });
        await manager.query(`INSERT INTO "${one.schema}".own VALUES ($1)`, [started.id]);
        return started;
      });
      expect((await handle.result()).status).toBe('Completed');
      expect(await one.query('SELECT id FROM own')).toEqual([{ id: handle.id }]);
    } finally {
      await own.destroy();
    }
  });

  it('finds what holds its idempotency key, committed or its own', async () => {
    const first = await one.runner.start(echo, {}, { idempotencyKey: 'in transaction' });
    await one.dataSource.transaction(async (manager) => {
      const again = await one.runner.start(echo, {}, { manager, idempotencyKey: 'in transaction' });
      expect(again).toMatchObject({ id: first.id, created: false });
      const mine = await one.runner.start(echo, {}, { manager, idempotencyKey: 'mine' });
      expect(mine.created).toBe(true);
      const mineAgain = await one.runner.start(echo, {}, { manager, idempotencyKey: 'mine' });
      expect(mineAgain).toMatchObject({ id: mine.id, created: false });
    });
  });

  it('with a delay is looked at when it is due', async () => {
    const handle = await one.dataSource.transaction((manager) =>
      one.runner.start(echo, {}, { manager, delay: 300 }),
    );
    const { createdAt, startedAt } = await handle.result({ timeout: '60s' });
    expect(Number(startedAt) - Number(createdAt)).toBeGreaterThanOrEqual(300);
  });

  it('needs the manager of a transaction', async () => {
    for (const manager of [one.dataSource.manager, {}, 5]) {
      await expect(one.runner.start(echo, {}, { manager } as StartOptions)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('manager'),
      });
    }
  });
});

describe('An idempotency key', () => {
  it('makes one execution of a hundred starts at once, whoever asks', async () => {
    const handles = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (i % 2 === 0 ? one : two).runner.start(echo, { n: i }, { idempotencyKey: 'hundred' }),
      ),
    );
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.filter(({ created }) => created)).toHaveLength(1);
    const { id } = await handles[0]!.result();
    expect(begun.filter((each) => each === id)).toHaveLength(1);
  });

  it('makes one execution each of many keys that two processes start at once', async () => {
    const start = (tenant: OpenTenant, i: number) =>
      tenant.runner.start(echo, { i }, { idempotencyKey: `key ${i % 50}` });
    const handles = await Promise.all(
      Array.from({ length: 400 }, (_, i) => start(i % 3 === 0 ? one : two, i)),
    );
    for (let key = 0; key < 50; key++) {
      const same = handles.filter((_, i) => i % 50 === key);
      expect(new Set(same.map(({ id }) => id)).size).toBe(1);
      expect(same.filter(({ created }) => created)).toHaveLength(1);
    }
    await Promise.all(handles.map((handle) => handle.result()));
  });

  it('finds an execution that has ended, whatever the later input', async () => {
    const first = await one.runner.execute(echo, { n: 1 }, { idempotencyKey: 'ended' });
    const again = await two.runner.start(echo, { n: 2 }, { idempotencyKey: 'ended' });
    expect(again).toMatchObject({ id: first.id, created: false });
    expect((await again.result()).context).toEqual(first.context);
    expect((await two.runner.execute(echo, { n: 3 }, { idempotencyKey: 'ended' })).id).toBe(
      first.id,
    );
  });

  it('is of one workflow', async () => {
    const mine = await one.runner.start(echo, {}, { idempotencyKey: 'shared' });
    const others = await one.runner.start(other, {}, { idempotencyKey: 'shared' });
    expect(others.created).toBe(true);
    expect(others.id).not.toBe(mine.id);
  });

  it('waits for the transaction that holds it, and no other key does', async () => {
    const held = one.dataSource.createQueryRunner();
    await held.startTransaction();
    const { manager } = held;
    const inTransaction = await one.runner.start(echo, {}, { manager, idempotencyKey: 'held' });
    let isOver = false;
    const waiting = two.runner
      .start(echo, {}, { idempotencyKey: 'held' })
      .finally(() => (isOver = true));
    const free = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        two.runner.start(echo, {}, { idempotencyKey: `not held ${i}` }),
      ),
    );
    expect(free.every(({ created }) => created)).toBe(true);
    expect(isOver).toBe(false);
    await held.commitTransaction();
    await held.release();
    expect(await waiting).toMatchObject({ id: inTransaction.id, created: false });
  });
});

describe('A start', () => {
  it('at a time, or after a delay, begins then', async () => {
    const before = Date.now();
    const [at, after, past] = await Promise.all([
      one.runner.execute(echo, {}, { runAt: new Date(before + 300) }),
      one.runner.execute(echo, {}, { delay: '300ms' }),
      one.runner.execute(echo, {}, { runAt: new Date(0) }),
    ]);
    expect(Number(at.startedAt)).toBeGreaterThanOrEqual(before + 300);
    expect(Number(after.startedAt) - Number(after.createdAt)).toBeGreaterThanOrEqual(300);
    expect(past.status).toBe('Completed');
  });

  it('is Pending and says why until then', async () => {
    const handle = await one.runner.start(echo, {}, { delay: '1h' });
    expect(handle.created).toBe(true);
    expect(await handle.status()).toBe('Pending');
    const execution = await one.runner.get(handle.id);
    expect(execution).not.toHaveProperty('startedAt');
    expect(execution?.tasks[0]).toMatchObject({
      status: 'Ready',
      attempt: 0,
      waitingFor: { reason: 'time' },
    });
  });

  it.each<[string, object, string]>([
    ['priority', { priority: 1.5 }, 'INVALID_ARGUMENT'],
    ['priority', { priority: 1e12 }, 'INVALID_ARGUMENT'],
    ['runAt', { runAt: new Date(Number.NaN) }, 'INVALID_ARGUMENT'],
    ['runAt', { runAt: '2030-01-01' }, 'INVALID_ARGUMENT'],
    ['runAt', { runAt: new Date(8.64e15) }, 'INVALID_ARGUMENT'],
    ['runAt', { runAt: new Date(), delay: 1 }, 'INVALID_ARGUMENT'],
    ['delay', { delay: 'soon' }, 'INVALID_ARGUMENT'],
    ['delay', { delay: -1 }, 'INVALID_ARGUMENT'],
    ['idempotencyKey', { idempotencyKey: '' }, 'INVALID_ARGUMENT'],
    ['idempotencyKey', { idempotencyKey: 'x'.repeat(501) }, 'INVALID_ARGUMENT'],
    ['idempotencyKey', { idempotencyKey: 'a\u0000b' }, 'INVALID_ARGUMENT'],
    ['idempotencyKey', { idempotencyKey: 5 }, 'INVALID_ARGUMENT'],
    ['timeout', { timeout: 'never' }, 'INVALID_ARGUMENT'],
  ])('refuses a bad %s: %p', async (argument, options, code) => {
    const before = (await one.runner.list({ limit: 1 })).items[0]?.id;
    const refused = one.runner.execute(echo, {}, options);
    await expect(refused).rejects.toMatchObject({
      code,
      message: expect.stringContaining(argument),
    });
    expect((await one.runner.list({ limit: 1 })).items[0]?.id).toBe(before);
  });

  it('refuses what names no workflow', async () => {
    const NoWorkflow = function () {};
    await expect(one.runner.start('eccho')).rejects.toMatchObject({
      code: 'UNKNOWN_WORKFLOW',
      message: expect.stringContaining('"echo"'),
    });
    for (const ref of [NoWorkflow, 5, null, undefined, {}]) {
      await expect(one.runner.start(ref as string)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
  });
});
