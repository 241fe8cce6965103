import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WhenFull } from '../../../lib/workflow/index.js';
import { gate } from '../../support/gate.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { endOfTasks } from './end-of-tasks.js';

let begun: number[] = [];
let open = gate();
let tests = 0;
/** Of the test, so that all of them can share a tenant. */
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

interface Input {
  key: string;
  n: number;
}

const workflowOf = (whenFull: WhenFull, rate?: { limit: number; per: string; burst: number }) =>
  defineWorkflow<Input>(`sync-${whenFull}${rate === undefined ? '' : '-rated'}`, {
    admission: {
      key: 'key',
      whenFull,
      ...(rate === undefined ? { concurrency: 1 } : { rate }),
    },
  })
    .task('first', async (context) => {
      begun.push(context.get('n'));
      await open.passed;
    })
    .task('last', { dependsOn: ['first'] }, () => undefined)
    .build();

const queue = workflowOf('queue');
const skip = workflowOf('skip');
const cancelPrevious = workflowOf('cancelPrevious');
const replaceQueued = workflowOf('replaceQueued');
const slow = { limit: 1, per: '1h', burst: 2 };
const spread = workflowOf('queue', slow);
const drop = workflowOf('skip', slow);
const go = defineSignal('go');
const waits = defineWorkflow<Input>('waits', { admission: { key: 'key', concurrency: 1 } })
  .task('wait', async (context) => {
    begun.push(context.get('n'));
    await context.waitFor(go);
  })
  .build();
const fails = defineWorkflow<Input>('fails', { admission: { key: 'key', concurrency: 1 } })
  .task('first', { retry: { maxAttempts: 1 } }, async (context) => {
    begun.push(context.get('n'));
    await open.passed;
    if (context.get('n') === 1) throw new Error('no');
  })
  .build();
const parent = defineWorkflow<Input>('parent')
  .task('ask', async (context) => {
    await context.execute(queue, { key: context.get('key'), n: context.get('n') });
  })
  .build();
const workflows = [queue, skip, cancelPrevious, replaceQueued, spread, drop, waits, fails, parent];

const start = (workflow: typeof queue, n: number, { runner } = tenant) =>
  runner.start(workflow, { key: testKey, n });

describe('admission', () => {
  it('lets an execution wait until the one before has ended, and none of another key', async () => {
    const first = await start(queue, 1);
    await waitFor(() => begun.length === 1);
    const second = await start(queue, 2);
    await tenant.runner.start(queue, { key: `${testKey} b`, n: 9 });
    await waitFor(() => begun.length === 2);
    expect(begun).toEqual([1, 9]);
    const waiting = await tenant.runner.get(second.id);
    expect(waiting?.waitingFor).toEqual({
      reason: 'turn',
      detail: `It waits for its turn of workflow "sync-queue" for "${testKey}": 1 of 1 run, held by ${first.id}.`,
    });
    const listed = (await tenant.runner.list({ status: 'Pending' })).items;
    expect(listed[0]?.waitingFor?.reason).toBe('turn');
    open.open();
    await Promise.all([first.result(), second.result()]);
    expect(begun).toEqual([1, 9, 2]);
  });

  it('keeps the slot through a wait', async () => {
    const first = await start(waits, 1);
    await waitFor(async () => (await tenant.runner.get(first.id))?.tasks[0]?.status === 'Waiting');
    const second = await start(waits, 2);
    expect((await tenant.runner.get(second.id))?.waitingFor?.reason).toBe('turn');
    await tenant.runner.signal(first, go, undefined);
    await first.result();
    // The first one begins again after its wait, and may have counted twice.
    await waitFor(() => begun.includes(2));
    await tenant.runner.cancel(second.id);
  });

  it('passes the slot on after a cancel by another process, which has no handler', async () => {
    const client = await openTenant([], { schema: tenant.schema, maxConcurrentTasks: 0 });
    const first = await start(queue, 1);
    await waitFor(() => begun.length === 1);
    await client.runner.start('sync-queue', { key: testKey, n: 2 });
    await client.runner.cancel(first.id);
    await waitFor(() => begun.includes(2));
    open.open();
  });

  it('asks again after a manual retry', async () => {
    open.open();
    const first = await start(fails, 1);
    await first.result({ settled: true }).catch(() => undefined);
    open = gate();
    const second = await start(fails, 2);
    await waitFor(() => begun.length === 2);
    await tenant.runner.retry(first.id);
    expect((await tenant.runner.get(first.id))?.waitingFor?.reason).toBe('turn');
    open.open();
    await second.result();
    await waitFor(() => begun.length === 3);
    expect(begun).toEqual([1, 2, 1]);
  });

  it('is asked for by children, delayed starts, transactions and many starts', async () => {
    const first = await start(queue, 1);
    await waitFor(() => begun.length === 1);
    const child = await tenant.runner.start(parent, { key: testKey, n: 2 });
    const late = await tenant.runner.start(queue, { key: testKey, n: 3 }, { delay: 1 });
    const inside = await tenant.dataSource.transaction((manager) =>
      tenant.runner.start(queue, { key: testKey, n: 4 }, { manager }),
    );
    const many = await tenant.runner.startMany(queue, [
      { key: testKey, n: 5 },
      { key: testKey, n: 6 },
    ]);
    expect(begun).toEqual([1]);
    open.open();
    await Promise.all([first, child, late, inside].map((handle) => handle.result()));
    await waitFor(async () => {
      const ended = await tenant.runner.statuses(many.ids);
      return [...ended.values()].every((status) => status === 'Completed');
    });
    expect(begun.toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('of a paused execution that waits goes to the next one', async () => {
    await start(queue, 1);
    await waitFor(() => begun.length === 1);
    const second = await start(queue, 2);
    await start(queue, 3);
    await tenant.runner.pause(second.id);
    open.open();
    await waitFor(() => begun.length === 2);
    expect(begun).toEqual([1, 3]);
    await tenant.runner.resume(second.id);
    await second.result();
  });

  it('passes over an execution that has waited past its startBefore', async () => {
    await start(queue, 1);
    await waitFor(() => begun.length === 1);
    const late = await tenant.runner.start(queue, { key: testKey, n: 2 }, { startBefore: 1 });
    const next = await start(queue, 3);
    expect(await late.result({ settled: true })).toMatchObject({ status: 'Cancelled' });
    expect((await tenant.runner.get(late.id))?.reason).toBe('expired');
    open.open();
    await next.result();
    expect(begun).toEqual([1, 3]);
  });

  it('of a paused workflow is kept, and its executions begin in turn after the resume', async () => {
    const first = await start(queue, 1);
    await waitFor(() => begun.length === 1);
    await tenant.runner.pauseWorkflow(queue);
    const second = await start(queue, 2);
    const third = await start(queue, 3);
    await tenant.runner.cancel(first.id);
    open.open();
    await waitFor(
      async () => (await tenant.runner.get(second.id))?.waitingFor?.reason === 'workflowPaused',
    );
    expect(begun).toEqual([1]);
    await tenant.runner.resumeWorkflow(queue);
    await Promise.all([second.result(), third.result()]);
    expect(begun).toEqual([1, 2, 3]);
  });

  it('is asked for again by many that are retried', async () => {
    const own = await openTenant(workflows);
    const first = await start(queue, 1, own);
    await waitFor(() => begun.length === 1);
    const others = [await start(queue, 2, own), await start(queue, 3, own)];
    for (const { id } of others) await own.runner.cancel(id);
    const retried = await own.runner.retryMany({ workflow: queue, status: 'Cancelled' });
    expect(retried).toMatchObject({ changed: 2 });
    const [read] = await own.runner.get(others.map(({ id }) => id));
    expect(read?.waitingFor?.reason).toBe('turn');
    open.open();
    await Promise.all([first, ...others].map((handle) => handle.result()));
    expect(begun.toSorted()).toEqual([1, 2, 3]);
  });

  it('refuses a start without a key', async () => {
    await expect(tenant.runner.start(queue, { n: 1 })).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
      message:
        'The context\'s "key" is missing, and workflow "sync-queue" needs it as the key of its admission.',
    });
  });
});

describe('whenFull', () => {
  it('skip: returns the execution that runs', async () => {
    const starts = await Promise.all([1, 2, 3].map((n) => start(skip, n)));
    const created = starts.filter((handle) => handle.created);
    expect(created).toHaveLength(1);
    expect(new Set(starts.map(({ id }) => id))).toEqual(new Set([created[0]!.id]));
    const other = await openTenant(workflows, { schema: tenant.schema });
    expect(await start(skip, 4, other)).toMatchObject({ id: created[0]!.id, created: false });
    open.open();
    await created[0]!.result();
    expect((await start(skip, 5, other)).created).toBe(true);
  });

  it('cancelPrevious: cancels the one that runs', async () => {
    const first = await start(cancelPrevious, 1);
    await waitFor(() => begun.length === 1);
    const second = await start(cancelPrevious, 2);
    expect(await first.result({ settled: true })).toMatchObject({ status: 'Cancelled' });
    expect((await tenant.runner.get(first.id))?.reason).toBe(
      `Execution ${second.id} takes its place.`,
    );
    await waitFor(() => begun.length === 2);
    open.open();
    await second.result();
  });

  it('replaceQueued: of those that wait, the newest stays', async () => {
    const first = await start(replaceQueued, 1);
    await waitFor(() => begun.length === 1);
    const second = await start(replaceQueued, 2);
    const third = await start(replaceQueued, 3);
    expect(await second.result({ settled: true })).toMatchObject({ status: 'Cancelled' });
    open.open();
    await Promise.all([first.result(), third.result()]);
    expect(begun).toEqual([1, 3]);
  });

  describe('in a start that it does not go with', () => {
    it.each(['skip', 'cancelPrevious', 'replaceQueued'] as const)(
      '%s: is refused in a transaction',
      async (whenFull) => {
        const started = tenant.dataSource.transaction((manager) =>
          tenant.runner.start(`sync-${whenFull}`, { key: testKey, n: 1 }, { manager }),
        );
        await expect(started).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(`whenFull: '${whenFull}'`),
        });
      },
    );

    it('skip: is refused with a delay', async () => {
      await expect(
        tenant.runner.start(skip, { key: testKey, n: 1 }, { delay: '1m' }),
      ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });
  });
});

describe('a rate of admission', () => {
  it('spreads executions with queue', async () => {
    open.open();
    const starts = await Promise.all([1, 2, 3].map((n) => start(spread, n)));
    await waitFor(() => begun.length === 2);
    const read = await tenant.runner.get(starts.map(({ id }) => id));
    const details = read.flatMap((execution) => execution?.waitingFor?.detail ?? []);
    expect(details).toEqual([expect.stringContaining('its rate allows the next execution at')]);
  });

  it('drops executions with skip', async () => {
    open.open();
    const starts = await Promise.all([1, 2, 3].map((n) => start(drop, n)));
    expect(starts.filter(({ created }) => created)).toHaveLength(2);
  });
});
