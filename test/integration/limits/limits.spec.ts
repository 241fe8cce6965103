import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineLimit } from '../../../lib/discovery/define-limit.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { makeDue, openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { endOfTasks } from './end-of-tasks.js';

let begun: string[] = [];
let open = gate();
let tests = 0;
/** Of the test, so that most of them can share a tenant. */
let testKey = '';
let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant(workflows);
});
beforeEach(() => {
  begun = [];
  open = gate();
  testKey = `key ${++tests}`;
});
afterEach(async () => {
  open.open();
  await endOfTasks(tenant);
});

const slots = defineLimit('slots', { concurrency: 2 });
const held = defineWorkflow<{ key: string; n?: number }>('held')
  .task('call', { limit: { ...slots, key: 'key' } }, async (context) => {
    begun.push(context.get('key'));
    await open.passed;
  })
  .build();
const chain = defineWorkflow<{ key: string }>('chain')
  .task('first', () => ({ first: true }))
  .task('second', { dependsOn: ['first'], limit: { ...slots, key: 'key' } }, () => ({ second: 1 }))
  .task('third', { dependsOn: ['second'] }, () => ({ third: 1 }))
  .build();
const waits = defineWorkflow<{ key: string; ms: number }>('waits')
  .task('nap', { limit: { name: 'one', key: 'key', concurrency: 1 } }, async (context) => {
    begun.push(context.executionId);
    await context.sleep('nap', context.get('ms'));
  })
  .build();
const parent = defineWorkflow<{ key: string }>('parent')
  .task('ask', async (context) => {
    await context.execute(chain, { key: context.get('key') });
  })
  .build();
const failing = new Set<string>();
const strict = defineWorkflow<{ key: string; n: number }>('strict')
  .task(
    'book',
    {
      limit: { name: 'ledger', key: 'key', concurrency: 1, order: 'strict' },
      retry: { maxAttempts: 2, delay: '1h' },
    },
    (context) => {
      begun.push(`${context.get('key')}${context.get('n')}`);
      if (failing.delete(`${context.get('key')}${context.get('n')}`)) throw new Error('not yet');
    },
  )
  .build();
const fair = defineWorkflow<{ key: string }>('fair')
  .task('work', { fairKey: 'key' }, async (context) => {
    begun.push(context.get('key'));
    await open.passed;
  })
  .build();
const workflows = [held, chain, waits, parent, strict, fair];

const start = ({ runner }: OpenTenant, of: string, count = 1) =>
  Promise.all(Array.from({ length: count }, () => runner.start(held, { key: of })));

describe('A limit', () => {
  it('holds tasks back until one of their key ends, and no task of another key', async () => {
    const handles = await start(tenant, testKey, 5);
    await waitFor(() => begun.length === 2);
    const [other] = await start(tenant, 'b');
    await waitFor(() => begun.includes('b'));
    expect(begun.filter((each) => each === testKey)).toHaveLength(2);
    open.open();
    await Promise.all([...handles, other!].map((handle) => handle.result()));
    expect(begun.filter((each) => each === testKey)).toHaveLength(5);
  });

  it('is for tasks after others and before others, also of children', async () => {
    const { context } = await tenant.runner.execute(chain, { key: testKey });
    expect(context).toMatchObject({ first: true, second: 1, third: 1 });
    await tenant.runner.execute(parent, { key: testKey });
    const { items } = await tenant.runner.limits.list({ name: 'slots' });
    const state = items.find((item) => item.key === testKey);
    expect(state).toMatchObject({ name: 'slots', inUse: 0, waiting: 0, holders: [] });
  });

  it('has a free slot while a task sleeps', async () => {
    const forLong = await tenant.runner.start(waits, { key: testKey, ms: 3_600_000 });
    await waitFor(() => begun.length === 1);
    await tenant.runner.execute(waits, { key: testKey, ms: 1 });
    expect(await forLong.status()).toBe('Running');
  });

  it('has a free slot after a cancel, for a task of another process', async () => {
    const handles = await start(tenant, testKey, 3);
    await waitFor(() => begun.length === 2);
    const other = await openTenant(workflows, { schema: tenant.schema });
    const running = (await other.runner.list({ limitKey: { name: 'slots', key: testKey } })).items;
    expect(running).toHaveLength(3);
    const full = await other.runner.limits.list({ full: true });
    const [holder] = full.items[0]?.holders ?? [];
    await other.runner.cancel(holder?.executionId ?? '');
    await waitFor(() => begun.length === 3);
    open.open();
    await Promise.all(handles.map((handle) => handle.result({ settled: true })));
  });

  it('has a slot for another process when a task of a process that claims no more ends', async () => {
    const one = await openTenant(workflows);
    const handles = await start(one, 'a', 3);
    await waitFor(() => begun.length === 2);
    const other = await openTenant(workflows, { schema: one.schema });
    one.engine.pauseClaiming();
    open.open();
    await waitFor(() => begun.length === 3);
    for (const { id } of handles) await other.runner.handle(id).result();
  });

  it('of a definition that only its waiting tasks know is found by the next release', async () => {
    const client = await openTenant([held], { maxConcurrentTasks: 0 });
    const [handle] = await start(client, 'a', 1);
    open.open();
    const next = defineWorkflow<{ key: string; n?: number }>('held')
      .task('call', { limit: { ...slots, key: 'key' } }, () => ({ next: true }))
      .task('another', { dependsOn: ['call'] }, () => undefined)
      .build();
    const later = await openTenant([next], { schema: client.schema });
    expect(await later.runner.handle(handle!.id).result()).toMatchObject({
      context: { next: true },
    });
  });

  it('lists tasks without a handler as blocked, and not those of a full key', async () => {
    const client = await openTenant([held, chain], { maxConcurrentTasks: 0 });
    await start(client, 'a', 2);
    const other = await openTenant([chain], { schema: client.schema });
    const blocked = await other.recovery.blocked();
    expect(blocked.map(({ taskName, reason }) => [taskName, reason])).toEqual(
      Array.from({ length: 2 }, () => [
        'call',
        'This process has no handler for task "call" of workflow "held".',
      ]),
    );
    expect(await client.recovery.blocked()).toEqual([]);
  });

  it('refuses a start without a key', async () => {
    await expect(tenant.runner.start(held, { n: 1 })).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
      message:
        'The context\'s "key" is missing, and task "call" of workflow "held" needs it as the key of limit "slots".',
    });
  });

  it('gives keys turns when the process has little room', async () => {
    const own = await openTenant(workflows, { maxConcurrentTasks: 1 });
    await start(own, 'a', 20);
    await waitFor(() => begun.length === 1);
    await start(own, 'b', 2);
    await start(own, 'c', 2);
    open.open();
    await waitFor(() => begun.length === 24);
    // Of the first tasks behind the one that held the slot, each key has its share.
    const first = begun.slice(1, 8);
    expect(first.filter((key) => key === 'b')).toHaveLength(2);
    expect(first.filter((key) => key === 'c')).toHaveLength(2);
  });

  it('takes work that another process has no room for', async () => {
    const busy = await openTenant(workflows, { maxConcurrentTasks: 1 });
    const idle = await openTenant(workflows, { schema: busy.schema });
    await start(busy, 'a', 1);
    await waitFor(() => begun.length === 1);
    await start(busy, 'b', 2);
    await waitFor(() => begun.length === 3);
    open.open();
    await waitFor(async () => (await idle.runner.counts())[0]?.byStatus.Completed === 3);
  });
});

describe('A strict limit', () => {
  it('holds its key back while a task waits for its next attempt, and no other key', async () => {
    failing.add(`${testKey}1`);
    const first = await tenant.runner.start(strict, { key: testKey, n: 1 });
    const second = await tenant.runner.start(strict, { key: testKey, n: 2 });
    const third = await tenant.runner.start(strict, { key: testKey, n: 3 });
    await tenant.runner.execute(strict, { key: 'b', n: 1 });
    await waitFor(async () => (await tenant.runner.get(first.id))?.tasks[0]?.attempt === 1);
    expect(begun.filter((each) => each.startsWith(testKey))).toEqual([`${testKey}1`]);
    const behind = await tenant.runner.get(second.id);
    expect(behind?.tasks[0]?.waitingFor).toMatchObject({
      reason: 'limit',
      detail: expect.stringContaining(`"ledger" of "${testKey}": 1 of 1, held by ${first.id}`),
    });
    await makeDue(tenant, first.id);
    for (const handle of [first, second, third]) await handle.result();
    expect(begun.filter((each) => each.startsWith(testKey))).toEqual(
      [1, 1, 2, 3].map((n) => `${testKey}${n}`),
    );
  });
});

describe('A fairKey', () => {
  it('gives keys turns, and limits none of them', async () => {
    const own = await openTenant(workflows, { maxConcurrentTasks: 2 });
    const startFair = (key: string, count: number) =>
      Promise.all(Array.from({ length: count }, () => own.runner.start(fair, { key })));
    await startFair('a', 20);
    await waitFor(() => begun.length === 2);
    await startFair('b', 3);
    open.open();
    await waitFor(() => begun.length === 23);
    expect(begun.slice(0, 2)).toEqual(['a', 'a']);
    expect(begun.slice(2, 10).filter((key) => key === 'b')).toHaveLength(3);
    const { items } = await own.runner.limits.list({ name: 'cloacina.fair' });
    expect(items.map(({ key, inUse, concurrency }) => [key, inUse, concurrency])).toEqual([
      ['a', 0, undefined],
      ['b', 0, undefined],
    ]);
  });

  it('has weights and numbers that are set as those of a limit', async () => {
    const own = await openTenant(workflows);
    await own.runner.limits.set('cloacina.fair', { key: 'a', weight: 3, concurrency: 1 });
    await Promise.all([1, 2].map(() => own.runner.start(fair, { key: 'a' })));
    await waitFor(() => begun.length === 1);
    const { items } = await own.runner.limits.list({ name: 'cloacina.fair' });
    expect(items).toEqual([expect.objectContaining({ key: 'a', weight: 3, concurrency: 1 })]);
    open.open();
    await waitFor(() => begun.length === 2);
  });
});

describe('runner.limits', () => {
  it('raises a limit, of all keys and of one', async () => {
    const own = await openTenant(workflows);
    await start(own, 'a', 6);
    await waitFor(() => begun.length === 2);
    await own.runner.limits.set('slots', { concurrency: 3 });
    await waitFor(() => begun.length === 3);
    await own.runner.limits.set('slots', { key: 'a', concurrency: 5, weight: 2 });
    await waitFor(() => begun.length === 5);
    const { items } = await own.runner.limits.list();
    expect(items).toEqual([
      expect.objectContaining({ key: 'a', inUse: 5, concurrency: 5, weight: 2, waiting: 1 }),
    ]);
    open.open();
  });

  it('explains what a task waits for', async () => {
    const handles = await start(tenant, testKey, 3);
    await waitFor(() => begun.length === 2);
    const all = await tenant.runner.get(handles.map(({ id }) => id));
    const waiting = all.flatMap((execution) => execution?.tasks[0]?.waitingFor ?? []);
    const running = all.filter((execution) => execution?.status === 'Running');
    expect(waiting).toEqual([
      {
        reason: 'limit',
        limit: { name: 'slots', key: testKey },
        detail: expect.stringContaining(
          `It waits for limit "slots" of "${testKey}": 2 of 2, held by `,
        ),
      },
    ]);
    for (const { id } of running.map((execution) => execution!)) {
      expect(waiting[0]?.detail).toContain(id);
    }
    const listed = (await tenant.runner.list({ status: 'Pending' })).items;
    expect(listed[0]?.waitingFor).toMatchObject({ reason: 'limit', task: 'call' });
    open.open();
  });

  it('shows that the total stops a key', async () => {
    const own = await openTenant(workflows);
    await own.runner.limits.set('slots', { total: 3 });
    await start(own, 'a', 2);
    const others = await start(own, 'b', 2);
    await waitFor(() => begun.length === 3);
    const { items } = await own.runner.limits.list({ full: true });
    expect(items.map(({ key, total, totalInUse }) => [key, total, totalInUse])).toEqual([
      ['a', 3, 3],
      ['b', 3, 3],
    ]);
    const shown = await own.runner.get(others.map(({ id }) => id));
    const waiting = shown.flatMap((execution) => execution?.tasks[0]?.waitingFor ?? []);
    expect(waiting).toHaveLength(1);
    expect(waiting[0]?.detail).toContain('of "b": 3 of 3 in all keys of the limit run, held by ');
    open.open();
  });

  describe('that are not valid', () => {
    it.each([
      ['a name', 7, {}, 'name must name a limit'],
      ['a number', 'slots', { concurrency: -1 }, 'concurrency -1'],
      ['a weight without a key', 'slots', { weight: 2 }, 'weight is that of a key'],
      ['a total of a key', 'slots', { key: 'a', total: 2 }, 'total is that of all keys'],
      ['an option', 'slots', { concurency: 2 }, 'use "concurrency"'],
      ['a limit of the library', 'cloacina.poller', { concurrency: 2 }, 'whose numbers are fixed'],
    ])('are refused: %s', async (_, name, settings, message) => {
      await expect(
        tenant.runner.limits.set(name as never, settings as never),
      ).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(message),
      });
    });
  });

  it('lists keys in pages', async () => {
    const own = await openTenant(workflows);
    open.open();
    for (const key of ['c', 'a', 'b']) await own.runner.execute(held, { key });
    const first = await own.runner.limits.list({ limit: 2 });
    expect(first.items.map(({ key }) => key)).toEqual(['a', 'b']);
    const second = await own.runner.limits.list({ limit: 2, cursor: first.nextCursor! });
    expect(second).toMatchObject({ items: [{ key: 'c' }], nextCursor: null });
    expect(await own.runner.limits.list({ full: true })).toEqual({
      items: [],
      nextCursor: null,
    });
  });
});
