import { beforeEach, describe, expect, it } from '@jest/globals';
import { defineLimit } from '../../../lib/discovery/define-limit.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

let begun: string[] = [];
let open = gate();
beforeEach(() => {
  begun = [];
  open = gate();
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
const workflows = [held, chain, waits, parent];

const start = (tenant: OpenTenant, key: string, count = 1) =>
  Promise.all(Array.from({ length: count }, () => tenant.runner.start(held, { key })));

describe('A limit', () => {
  it('holds tasks back until one of their key ends, and no task of another key', async () => {
    const tenant = await openTenant(workflows);
    const handles = await start(tenant, 'a', 5);
    await waitFor(() => begun.length === 2);
    const [other] = await start(tenant, 'b');
    await waitFor(() => begun.includes('b'));
    expect(begun.filter((key) => key === 'a')).toHaveLength(2);
    open.open();
    await Promise.all([...handles, other!].map((handle) => handle.result()));
    expect(begun.filter((key) => key === 'a')).toHaveLength(5);
  });

  it('is for tasks after others and before others, also of children', async () => {
    const tenant = await openTenant(workflows);
    const { context } = await tenant.runner.execute(chain, { key: 'a' });
    expect(context).toMatchObject({ first: true, second: 1, third: 1 });
    await tenant.runner.execute(parent, { key: 'a' });
    const [state] = (await tenant.runner.limits.list({ name: 'slots' })).items;
    expect(state).toMatchObject({ name: 'slots', key: 'a', inUse: 0, waiting: 0, holders: [] });
  });

  it('has a free slot while a task sleeps', async () => {
    const tenant = await openTenant(workflows);
    const forLong = await tenant.runner.start(waits, { key: 'a', ms: 3_600_000 });
    await waitFor(() => begun.length === 1);
    await tenant.runner.execute(waits, { key: 'a', ms: 1 });
    expect(await forLong.status()).toBe('Running');
  });

  it('has a free slot after a cancel, for a task of another process', async () => {
    const one = await openTenant(workflows);
    const handles = await start(one, 'a', 3);
    await waitFor(() => begun.length === 2);
    const other = await openTenant(workflows, { schema: one.schema });
    const running = (await other.runner.list({ limitKey: { name: 'slots', key: 'a' } })).items;
    expect(running).toHaveLength(3);
    const full = await other.runner.limits.list({ full: true });
    const [holder] = full.items[0]?.holders ?? [];
    await other.runner.cancel(holder?.executionId ?? '');
    await waitFor(() => begun.length === 3);
    open.open();
    await Promise.all(handles.map((handle) => handle.result({ settled: true })));
  });

  it('refuses a start without a key', async () => {
    const tenant = await openTenant(workflows);
    await expect(tenant.runner.start(held, { n: 1 })).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
      message:
        'The context\'s "key" is missing, and task "call" of workflow "held" needs it as the key of limit "slots".',
    });
  });

  it('gives keys turns when the process has little room', async () => {
    const tenant = await openTenant(workflows, { maxConcurrentTasks: 1 });
    await start(tenant, 'a', 20);
    await waitFor(() => begun.length === 1);
    await start(tenant, 'b', 2);
    await start(tenant, 'c', 2);
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

describe('runner.limits', () => {
  it('raises a limit, of all keys and of one', async () => {
    const tenant = await openTenant(workflows);
    await start(tenant, 'a', 6);
    await waitFor(() => begun.length === 2);
    await tenant.runner.limits.set('slots', { concurrency: 3 });
    await waitFor(() => begun.length === 3);
    await tenant.runner.limits.set('slots', { key: 'a', concurrency: 5, weight: 2 });
    await waitFor(() => begun.length === 5);
    const { items } = await tenant.runner.limits.list();
    expect(items).toEqual([
      expect.objectContaining({ key: 'a', inUse: 5, concurrency: 5, weight: 2, waiting: 1 }),
    ]);
    open.open();
  });

  it('explains what a task waits for', async () => {
    const tenant = await openTenant(workflows);
    const handles = await start(tenant, 'a', 3);
    await waitFor(() => begun.length === 2);
    const all = await tenant.runner.get(handles.map(({ id }) => id));
    const waiting = all.flatMap((execution) => execution?.tasks[0]?.waitingFor ?? []);
    const running = all.filter((execution) => execution?.status === 'Running');
    expect(waiting).toEqual([
      {
        reason: 'limit',
        limit: { name: 'slots', key: 'a' },
        detail: expect.stringContaining('It waits for limit "slots" of "a": 2 of 2, held by '),
      },
    ]);
    for (const { id } of running.map((execution) => execution!)) {
      expect(waiting[0]?.detail).toContain(id);
    }
    const listed = (await tenant.runner.list({ status: 'Pending' })).items;
    expect(listed[0]?.waitingFor).toMatchObject({ reason: 'limit', task: 'call' });
    open.open();
  });

  it.each([
    ['a name', 7, {}, 'name must name a limit'],
    ['a number', 'slots', { concurrency: -1 }, 'concurrency -1'],
    ['a weight without a key', 'slots', { weight: 2 }, 'weight is that of a key'],
    ['a total of a key', 'slots', { key: 'a', total: 2 }, 'total is that of all keys'],
    ['an option', 'slots', { concurency: 2 }, 'use "concurrency"'],
  ])('refuses %s that is not valid', async (_, name, settings, message) => {
    const tenant = await openTenant(workflows, { claiming: false });
    await expect(tenant.runner.limits.set(name as never, settings as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  it('lists keys in pages', async () => {
    const tenant = await openTenant(workflows);
    open.open();
    for (const key of ['c', 'a', 'b']) await tenant.runner.execute(held, { key });
    const first = await tenant.runner.limits.list({ limit: 2 });
    expect(first.items.map(({ key }) => key)).toEqual(['a', 'b']);
    const second = await tenant.runner.limits.list({ limit: 2, cursor: first.nextCursor! });
    expect(second).toMatchObject({ items: [{ key: 'c' }], nextCursor: null });
    expect(await tenant.runner.limits.list({ full: true })).toEqual({
      items: [],
      nextCursor: null,
    });
  });
});
