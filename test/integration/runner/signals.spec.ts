import { describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom } from 'rxjs';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import { gate } from '../../support/gate.js';
import { isOwnLook, SentStatements } from '../../support/sent-statements.js';
import {
  openTenant,
  sharedTenant,
  stopRounds,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const Go = defineSignal<{ readonly n: number }>('go');
const Stop = defineSignal<string>('stop');
const Paid = defineEvent<{ readonly amount: number }>('paid');

const inTenant = sharedTenant({ maxConcurrentTasks: 50 });

/** Waits until a task of the execution is suspended. */
async function waiting({ runner }: OpenTenant, id: string): Promise<void> {
  await waitFor(
    async () => (await runner.get(id))?.tasks.some(({ status }) => status === 'Waiting'),
    { what: 'a suspended task' },
  );
}

describe('A signal', () => {
  it(
    'is received before the wait and during it',
    inTenant((serve) => {
      const both = serve(
        defineWorkflow('both')
          .task('wait', async (context) => {
            const first = await context.waitFor(Go);
            const second = await context.waitFor(Go, { name: 'second' });
            return { sum: first.n + second.n };
          })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(both, {}, { delay: '1d' });
        expect(await runner.signal(id, Go, { n: 1 })).toBe(id);
        await tenant.query(
          'UPDATE cloacina_task_execution SET run_at = now() WHERE execution_id = $1',
          [id],
        );
        tenant.engine.claimAvailable();
        await waiting(tenant, id);
        await runner.signal({ id }, Go, { n: 2 });
        expect((await runner.handle(id).result()).context).toMatchObject({ sum: 3 });
      };
    }),
  );

  it('for a task that sleeps in its process takes two statements until the end of the execution', async () => {
    const sleeping = defineWorkflow('sleeping')
      .task('wait', async (context) => ({ n: (await context.waitFor(Go)).n }))
      .build();
    const tenant = await openTenant([sleeping]);
    const { runner } = tenant;
    // The first one of the process writes its lease, and tells how long handlers take.
    for (const n of [1, 2]) {
      const suspended = firstValueFrom(
        runner.events$.pipe(filter(({ type }) => type === 'task.suspended')),
      );
      const { id } = await runner.start(sleeping, {});
      await suspended;
      stopRounds(tenant);
      const sent = new SentStatements();
      const ended = firstValueFrom(
        runner.events$.pipe(filter(({ type }) => type === 'execution.ended')),
      );
      await runner.signal(id, Go, { n });
      await ended;
      const texts = sent
        .with('cloacina_')
        .map(({ text }) => text)
        .filter((text) => !isOwnLook(text));
      expect(texts).toEqual([
        expect.stringContaining('sleeper AS MATERIALIZED'),
        expect.stringContaining('ended_batch AS ('),
      ]);
      expect((await runner.handle(id).result()).context).toMatchObject({ n });
    }
  });

  it(
    'that does not come in time gives undefined, and a later one is not lost',
    inTenant((serve) => {
      const late = serve(
        defineWorkflow('late')
          .task('wait', async (context) => {
            const first = await context.waitFor(Go, { timeout: '20ms' });
            const second = await context.waitFor(Go, { name: 'second' });
            return { first: first?.n ?? 'none', second: second.n };
          })
          .build(),
      );
      return async (tenant) => {
        const { runner, query } = tenant;
        const { id } = await runner.start(late);
        await waitFor(async () => {
          const [row] = await query<{ n: string }>(
            `SELECT count(*) AS n FROM cloacina_task_step WHERE execution_id = $1 AND status = 'TimedOut'`,
            [id],
          );
          return row?.n === '1';
        });
        await runner.signal(id, Go, { n: 5 });
        const { context } = await runner.handle(id).result();
        expect(context).toMatchObject({ first: 'none', second: 5 });
      };
    }),
  );

  it(
    'is sent with a transaction that commits, and not with one that rolls back',
    inTenant((serve) => {
      const wait = serve(
        defineWorkflow('transactions')
          .task('wait', async (context) => ({ got: await context.waitFor(Stop) }))
          .build(),
      );
      return async (tenant) => {
        const { runner, dataSource } = tenant;
        const { id } = await runner.start(wait);
        await waiting(tenant, id);
        await dataSource
          .transaction(async (manager) => {
            await runner.signal(id, Stop, 'rolled back', { manager });
            throw new Error('no');
          })
          .catch(() => undefined);
        await dataSource.transaction(async (manager) => {
          await runner.signal(id, Stop, 'committed', { manager });
        });
        expect((await runner.handle(id).result()).context).toEqual({ got: 'committed' });
      };
    }),
  );

  it(
    'in a transaction that stays open holds up nothing',
    inTenant((serve) => {
      const wait = serve(
        defineWorkflow('open transaction')
          .task('wait', async (context) => ({ got: await context.waitFor(Stop) }))
          .task('next', { dependsOn: ['wait'] }, () => ({ done: true }))
          .build(),
      );
      return async (tenant) => {
        const { runner, dataSource } = tenant;
        const { id } = await runner.start(wait);
        await waiting(tenant, id);
        await dataSource.transaction(async (manager) => {
          await runner.signal(id, Stop, 'in the transaction', { manager });
          await runner.signal(id, Stop, 'outside');
          const { context } = await runner.handle(id).result();
          expect(context).toEqual({ got: 'outside', done: true });
        });
      };
    }),
  );

  it(
    'with an idempotency key is received once, also after the end of the execution',
    inTenant((serve) => {
      const two = serve(
        defineWorkflow('idempotent')
          .task('wait', async (context) => {
            const first = await context.waitFor(Go);
            const second = await context.waitFor(Go, { name: 'second' });
            return { got: [first.n, second.n] };
          })
          .build(),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(two);
        for (const n of [1, 1, 1]) await runner.signal(id, Go, { n }, { idempotencyKey: 'k' });
        await runner.signal(id, Go, { n: 2 });
        expect((await runner.handle(id).result()).context).toEqual({ got: [1, 2] });
        expect(await runner.signal(id, Go, { n: 1 }, { idempotencyKey: 'k' })).toBe(id);
        await expect(runner.signal(id, Go, { n: 3 })).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          from: 'Completed',
        });
      };
    }),
  );

  it(
    'finds the execution by its key, or starts it',
    inTenant((serve) => {
      const wait = serve(
        defineWorkflow<{ start?: number }>('by key')
          .task('wait', async (context) => ({
            sum: (await context.waitFor(Go)).n + (context.get('start') ?? 0),
          }))
          .build(),
      );
      return async ({ runner, dataSource }) => {
        const to = { workflow: wait, key: 'a' };
        await expect(runner.signal(to, Go, { n: 1 })).rejects.toMatchObject({
          code: 'UNKNOWN_EXECUTION',
          message: expect.stringContaining('"by key" with the idempotency key "a"'),
        });
        const orStart = { input: { start: 10 } };
        const id = await runner.signal(to, Go, { n: 1 }, { orStart });
        expect((await runner.handle(id).result()).context).toMatchObject({ sum: 11 });
        await expect(runner.signal(to, Go, { n: 1 }, { orStart })).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
        });
        const other = { workflow: wait, key: 'b' };
        const second = await dataSource.transaction((manager) =>
          runner.signal(other, Go, { n: 2 }, { orStart, manager }),
        );
        expect((await runner.handle(second).result()).context).toMatchObject({ sum: 12 });
        await expect(runner.signal('no id', Go, { n: 1 })).rejects.toMatchObject({
          code: 'UNKNOWN_EXECUTION',
        });
        for (const wrong of [null, 'start', { inptu: {} }]) {
          const options = { orStart: wrong as { input?: { start: number } } };
          await expect(runner.signal(other, Go, { n: 1 }, options)).rejects.toMatchObject({
            code: 'INVALID_ARGUMENT',
            message: expect.stringContaining('orStart'),
          });
        }
      };
    }),
  );

  it(
    'wakes one of several waits of a task',
    inTenant((serve) => {
      const any = serve(
        defineWorkflow<{ about?: string }>('any')
          .task('wait', async (context) => {
            const about = context.require('about');
            const first = await context.waitForAny({ go: Go, paid: [Paid, about] });
            const rest = await context.waitForAny(
              { go: Go, paid: [Paid, about] },
              { name: 'rest', timeout: '1d' },
            );
            const none = await context.waitForAny({ stop: Stop }, { timeout: '10ms' });
            return { got: [first, rest ?? null, none ?? null] };
          })
          .build(),
      );
      return async (tenant) => {
        const { runner, query } = tenant;
        const { id } = await runner.start(any, { about: 'any-1' });
        await waiting(tenant, id);
        const waits = (await runner.get(id))?.tasks[0]?.waitingFor;
        expect(waits).toMatchObject({ reason: 'signal', wait: 'go | paid' });
        expect(waits?.detail).toContain('waiting for one of several messages');
        expect((await runner.list({ waitingFor: 'paid' })).items.map((x) => x.id)).toContain(id);
        await runner.emit(Paid, 'any-1', { amount: 7 });
        await runner.signal(id, Go, { n: 1 });
        expect((await runner.handle(id).result()).context).toMatchObject({
          got: [{ name: 'paid', payload: { amount: 7 } }, { name: 'go', payload: { n: 1 } }, null],
        });
        expect(
          await query(
            'SELECT name FROM cloacina_task_step WHERE execution_id = $1 AND status = $2',
            [id, 'Open'],
          ),
        ).toEqual([]);
      };
    }),
  );

  it(
    'shows in get, list and history',
    inTenant((serve) => {
      const shown = serve(
        defineWorkflow('shown')
          .task('wait', async (context) => ({
            got: await context.waitFor(Stop, { timeout: '1d' }),
          }))
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(shown);
        await waiting(tenant, id);
        const task = (await runner.get(id))?.tasks[0];
        expect(task?.waitingFor).toMatchObject({ reason: 'signal', wait: 'stop' });
        expect(task?.waitingFor?.detail).toContain(
          'Task "wait" has been waiting for the signal "stop"',
        );
        const { items } = await runner.list({ waitingFor: Stop.name, workflow: shown });
        expect(items.map((item) => item.id)).toEqual([id]);
        expect((await runner.list({ waitingFor: 'other', workflow: shown })).items).toEqual([]);
        await runner.signal(id, Stop, 'now');
        await runner.handle(id).result();
        expect((await runner.list({ waitingFor: Stop.name, workflow: shown })).items).toEqual([]);
        expect((await runner.history(id))?.find(({ type }) => type === 'task.wait')).toMatchObject({
          task: 'wait',
          wait: 'stop',
          kind: 'signal',
          message: 'stop',
          status: 'Done',
          endedAt: expect.any(Date),
        });
      };
    }),
  );

  it(
    'is kept through pause, cancel and retry',
    inTenant((serve) => {
      let fails = true;
      const kept = serve(
        defineWorkflow('kept')
          .task('wait', { retry: { maxAttempts: 1 } }, async (context) => {
            const first = await context.waitFor(Go);
            if (fails) throw new Error('no');
            const second = await context.waitFor(Go, { name: 'second' });
            return { got: [first.n, second.n] };
          })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(kept);
        await waiting(tenant, id);
        await runner.pause(id);
        await runner.signal(id, Go, { n: 1 });
        expect(await runner.handle(id).status()).toBe('Paused');
        await runner.resume(id);
        expect(await runner.handle(id).result({ settled: true })).toMatchObject({
          status: 'Failed',
        });
        fails = false;
        await runner.retry(id);
        await waiting(tenant, id);
        await runner.cancel(id);
        await expect(runner.signal(id, Go, { n: 2 })).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          from: 'Cancelled',
        });
        await runner.retry(id);
        await runner.signal(id, Go, { n: 3 });
        expect((await runner.handle(id).result()).context).toEqual({ got: [1, 3] });
      };
    }),
  );
});

describe('An event', () => {
  it(
    'is received by all who wait for its key, and by those who begin later',
    inTenant((serve) => {
      const pay = serve(
        defineWorkflow<{ about: string }>('pay')
          .task('wait', async (context) => ({
            amount: (await context.waitFor(Paid, { key: context.require('about') })).amount,
          }))
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const early = await runner.start(pay, { about: 'e1' });
        const other = await runner.start(pay, { about: 'e2' });
        await waiting(tenant, early.id);
        const late = await runner.start(pay, { about: 'e1' }, { delay: 300 });
        await runner.emit(Paid, 'e1', { amount: 5 });
        expect((await early.result()).context).toMatchObject({ amount: 5 });
        expect((await late.result()).context).toMatchObject({ amount: 5 });
        expect(await other.status()).not.toBe('Completed');
        await tenant.dataSource.transaction((manager) =>
          runner.emit(Paid, 'e2', { amount: 6 }, { manager }),
        );
        expect((await other.result()).context).toMatchObject({ amount: 6 });
      };
    }),
  );
});

describe('Between processes', () => {
  const wait = defineWorkflow('elsewhere')
    .task('wait', async (context) => ({ n: (await context.waitFor(Go)).n }))
    .build();

  it('a signal is heard from a process that runs no tasks, and with a commit', async () => {
    const schema = freshSchema();
    const client = await openTenant([wait], { schema, maxConcurrentTasks: 0 });
    const worker = await openTenant([wait], { schema });
    stopRounds(client);
    stopRounds(worker);
    for (const transactional of [false, true]) {
      const handle = await client.runner.start(wait);
      await waiting(client, handle.id);
      if (transactional) {
        await client.dataSource.transaction((manager) =>
          client.runner.signal(handle, Go, { n: 1 }, { manager }),
        );
      } else {
        await client.runner.signal(handle, Go, { n: 1 });
      }
      expect((await handle.result({ timeout: '60s' })).context).toEqual({ n: 1 });
    }
  });

  it('a signal whose notification was lost is found by the sweep', async () => {
    const schema = freshSchema();
    const worker = await openTenant([wait], { schema, leaseDurationMs: 1_000 });
    const handle = await worker.runner.start(wait);
    await waiting(worker, handle.id);
    // As a process leaves it that is killed between its insert and the delivery.
    await worker.query(
      `INSERT INTO cloacina_signal (execution_id, name, payload) VALUES ($1, 'go', '{"n":2}')`,
      [handle.id],
    );
    expect((await handle.result({ timeout: '60s' })).context).toEqual({ n: 2 });
  });

  it('an event that its index could not hold is refused, and one that fits is stored', async () => {
    const { runner, query } = await openTenant([wait]);
    const Long = defineEvent<number>('語'.repeat(200));
    const send = (characters: number) =>
      runner.emit(Long, '語'.repeat(200), 1, { idempotencyKey: '語'.repeat(characters) });
    // The name, the key and the idempotency key have at most 2,600 bytes of UTF-8 together: 600, 600, and 3 for a character.
    await expect(runner.emit(Long, 'k'.repeat(201), 1)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'key',
    });
    await expect(send(467)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'idempotencyKey',
    });
    await send(466);
    expect(await query('SELECT id FROM cloacina_signal')).toHaveLength(1);
  });

  it('events are deleted when they are kept no longer', async () => {
    const Short = defineEvent<number>('short', { keepFor: '1ms' });
    const tenant = await openTenant([wait], { leaseDurationMs: 1_000 });
    await tenant.runner.emit(Short, 'x', 1);
    await waitFor(async () => (await tenant.query('SELECT id FROM cloacina_signal')).length === 0);
  });

  it('a tenant without messages is swept without a look at them', async () => {
    const tenant = await openTenant([wait], { leaseDurationMs: 1_000 });
    const swept = gate();
    const { handle } = tenant.engine.store as unknown as {
      handle: { messages: { swept(found: boolean): void; isAsked: boolean } };
    };
    const { messages } = handle;
    const before = messages.swept.bind(messages);
    messages.swept = (found) => {
      before(found);
      swept.open();
    };
    await swept.passed;
    expect(messages.isAsked).toBe(false);
    const { id } = await tenant.runner.start(wait);
    await tenant.runner.signal(id, Go, { n: 1 });
    expect(messages.isAsked).toBe(true);
  });
});
