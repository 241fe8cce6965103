import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { Execution, ExecutionSummary } from '../../../lib/runner/execution.js';
import type { ExecutionFilter } from '../../../lib/runner/execution-filter.js';
import { rules } from '../../../lib/workflow/index.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const quick = defineWorkflow('quick', { version: '1.0' })
  .task('only', ({ data }) => {
    if ('fail' in data) throw new Error('on purpose');
  })
  .build();
const other = defineWorkflow('other')
  .task('only', () => undefined)
  .build();

const partly = defineWorkflow('partly', { description: 'fails in part', timeout: '1h' })
  .task('handled', { retry: { maxAttempts: 1 } }, () => {
    throw new Error('handled');
  })
  .task('handler', { dependsOn: ['handled'], when: rules.taskFailed('handled') }, () => undefined)
  .task('lost', { retry: { maxAttempts: 1 }, priority: -1 }, () => {
    throw new Error('not handled');
  })
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([quick, other, partly]);
});

async function allPages(filter: ExecutionFilter): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let pages = 1; ; pages++) {
    const page = await tenant.runner.list({
      ...filter,
      ...(cursor === undefined ? {} : { cursor }),
    });
    ids.push(...page.items.map(({ id }) => id));
    if (page.nextCursor === null) return { ids, pages };
    cursor = page.nextCursor;
  }
}

/** What a list shows of it. */
function withoutDetails(execution: Execution | null): ExecutionSummary {
  const { context: _, tasks: __, ...summary } = execution as Execution;
  return summary;
}

describe('list', () => {
  it('pages through hundreds that were created at one instant, each once, newest first', async () => {
    const handles = await Promise.all(
      Array.from({ length: 620 }, () => tenant.runner.start(quick)),
    );
    await Promise.all(handles.map((handle) => handle.result()));
    await tenant.query(
      `UPDATE cloacina_workflow_execution SET created_at = '2026-01-01 12:00:00.123456Z'`,
    );
    const ids = handles
      .map(({ id }) => id)
      .sort()
      .toReversed();
    expect(await allPages({ limit: 500 })).toEqual({ ids, pages: 2 });
    expect(await allPages({ limit: 70, workflow: 'quick' })).toEqual({ ids, pages: 9 });
    expect(await allPages({ limit: 310, status: 'Completed' })).toEqual({ ids, pages: 2 });
    expect((await tenant.runner.list()).items).toHaveLength(50);
  });

  it('narrows by workflow, status and time, alone and together', async () => {
    const before = new Date();
    const { id: completed } = await tenant.runner.execute(other);
    const { id: failed } = await tenant.runner
      .execute(quick, { fail: true }, { settled: true })
      .then(async (result) => {
        await tenant.query(
          'UPDATE cloacina_workflow_execution SET created_at = created_at + $2 WHERE id = $1',
          [result.id, '1 hour'],
        );
        return result;
      });
    const { id: pending } = await tenant.runner.start(other, {}, { delay: '1h' });
    const list = async (filter: ExecutionFilter): Promise<string[]> =>
      (
        await tenant.runner.list({ createdAfter: new Date(before.getTime() - 1), ...filter })
      ).items.map(({ id }) => id);
    expect(await list({})).toEqual([failed, pending, completed]);
    expect(await list({ workflow: 'other' })).toEqual([pending, completed]);
    expect(await list({ workflow: other })).toEqual([pending, completed]);
    expect(await list({ workflow: 'none' })).toEqual([]);
    expect(await list({ status: 'Failed' })).toEqual([failed]);
    expect(await list({ status: ['Failed', 'Pending', 'Failed'] })).toEqual([failed, pending]);
    expect(await list({ status: ['Completed', 'Pending'] })).toEqual([pending, completed]);
    expect(await list({ status: [] })).toEqual([]);
    expect(await list({ status: 'Cancelled' })).toEqual([]);
    const soon = new Date(Date.now() + 60_000);
    expect(await list({ createdBefore: soon })).toEqual([pending, completed]);
    expect(await list({ createdAfter: soon })).toEqual([failed]);
    expect(await list({ createdBefore: soon, workflow: 'other', status: 'Completed' })).toEqual([
      completed,
    ]);
    await tenant.runner.cancel(pending);
  });

  it('goes on behind a cursor though newer ones come', async () => {
    const first = await tenant.runner.list({ limit: 2, workflow: 'other' });
    const all = await allPages({ limit: 2, workflow: 'other' });
    await tenant.runner.execute(other);
    expect(first.nextCursor).toBeNull();
    expect(all.ids).toHaveLength(2);
    const page = await tenant.runner.list({ limit: 1, workflow: 'other' });
    await tenant.runner.execute(other);
    const next = await tenant.runner.list({
      limit: 5,
      workflow: 'other',
      cursor: page.nextCursor ?? '',
    });
    expect(next.items.map(({ id }) => id)).toEqual(all.ids);
  });

  it('shows the reason of a pause and the first failure that was not handled, as get does', async () => {
    const { id: paused } = await tenant.runner.start(other, {}, { delay: '1h' });
    await tenant.runner.pause(paused, { reason: 'lunch' });
    const handles = [await tenant.runner.start(partly), await tenant.runner.start(quick)];
    await Promise.all(handles.map((handle) => handle.result({ settled: true })));
    // Another test has put one into the future.
    const createdBefore = new Date(Date.now() + 60_000);
    const { items } = await tenant.runner.list({ limit: 3, createdBefore });
    expect(items).toMatchObject([
      { workflow: 'quick', version: '1.0', status: 'Completed' },
      { workflow: 'partly', status: 'Failed', error: { message: 'not handled' } },
      { id: paused, status: 'Paused', reason: 'lunch' },
    ]);
    const got = await Promise.all(items.map(({ id }) => tenant.runner.get(id)));
    expect(items).toEqual(got.map(withoutDetails));
    await tenant.runner.cancel(paused);
  });

  it.each<[string, object]>([
    ['limit', { limit: 0 }],
    ['limit', { limit: 501 }],
    ['limit', { limit: 1.5 }],
    ['limit', { limit: '10' }],
    ['cursor', { cursor: '' }],
    ['cursor', { cursor: 'nonsense' }],
    ['cursor', { cursor: 5 }],
    [
      'cursor',
      { cursor: Buffer.from(`${'9'.repeat(19)}.${'-'.repeat(36)}`).toString('base64url') },
    ],
    [
      'cursor',
      {
        cursor: Buffer.from(`${'9'.repeat(19)}.01890000-0000-7000-8000-000000000000`).toString(
          'base64url',
        ),
      },
    ],
    ['status', { status: 'Done' }],
    ['status', { status: ['Failed', undefined] }],
    ['createdAfter', { createdAfter: '2026-01-01' }],
    ['createdBefore', { createdBefore: new Date(Number.NaN) }],
    ['createdBefore', { createdBefore: new Date(-8.64e15) }],
    ['workflow', { workflow: 5 }],
    ['no @Workflow', { workflow: Date }],
    ['workflow', { workflow: 'a\u0000b' }],
  ])('refuses a bad %s: %j', async (argument, filter) => {
    await expect(tenant.runner.list(filter)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(argument),
    });
  });
});

describe('counts', () => {
  it('counts by workflow and status, all or those that are asked for', async () => {
    const { runner } = await openTenant([quick, other]);
    expect(await runner.counts()).toEqual([]);
    await Promise.all([runner.execute(other), runner.execute(quick)]);
    const start = new Date();
    const later = await Promise.all(
      [quick, quick, other].map((workflow) => runner.start(workflow, {}, { delay: '1h' })),
    );
    await later[0]?.cancel();
    const none = {
      Pending: 0,
      Running: 0,
      Paused: 0,
      Finishing: 0,
      Completed: 0,
      Failed: 0,
      Cancelled: 0,
    };
    expect(await runner.counts()).toEqual([
      { workflow: 'other', total: 2, byStatus: { ...none, Pending: 1, Completed: 1 } },
      {
        workflow: 'quick',
        total: 3,
        byStatus: { ...none, Pending: 1, Completed: 1, Cancelled: 1 },
      },
    ]);
    expect(await runner.counts({ workflow: quick })).toMatchObject([{ workflow: 'quick' }]);
    expect(await runner.counts({ workflow: 'quick', status: ['Pending', 'Cancelled'] })).toEqual([
      { workflow: 'quick', total: 2, byStatus: { ...none, Pending: 1, Cancelled: 1 } },
    ]);
    expect(await runner.counts({ createdBefore: new Date(start.getTime() - 60_000) })).toEqual([]);
    await expect(runner.counts({ status: 'Done' as 'Failed' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('workflows', () => {
  it('shows the graph of each that is served, as a copy', async () => {
    const unserved = defineWorkflow('unserved')
      .task('only', () => undefined)
      .build();
    const { runner } = await openTenant([partly, unserved], {
      workflows: ['partly'],
    });
    const defaults = {
      kind: 'task',
      maxAttempts: 3,
      timeoutMs: 300_000,
      transactional: false,
      priority: 0,
    };
    const expected = {
      name: 'partly',
      description: 'fails in part',
      timeoutMs: 3_600_000,
      tasks: [
        { name: 'handled', dependsOn: [], ...defaults, maxAttempts: 1 },
        {
          name: 'handler',
          dependsOn: ['handled'],
          when: { kind: 'taskFailed', task: 'handled' },
          ...defaults,
        },
        { name: 'lost', dependsOn: [], ...defaults, maxAttempts: 1, priority: -1 },
      ],
    };
    const shown = runner.workflows();
    expect(shown.map((each) => ({ ...each, tasks: sorted(each.tasks) }))).toEqual([expected]);
    shown[0]?.tasks.find(({ name }) => name === 'handler')?.dependsOn.push('x');
    expect(sorted(runner.workflows()[0]?.tasks ?? [])).toEqual(expected.tasks);

    function sorted<T extends { name: string }>(tasks: T[]): T[] {
      return tasks.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    }
  });
});

describe('get', () => {
  it('finds nothing under an id that is none', async () => {
    for (const id of ['01890000-0000-7000-8000-000000000000', 'no id', '']) {
      expect(await tenant.runner.get(id)).toBeNull();
    }
    await expect(tenant.runner.get(undefined as unknown as string)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const { id } = await tenant.runner.execute(other);
    expect((await tenant.runner.get(id.toUpperCase()))?.id).toBe(id);
    await expect(tenant.runner.handle('no id').result()).rejects.toMatchObject({
      code: 'UNKNOWN_EXECUTION',
    });
    await expect(tenant.runner.handle('no id').status()).rejects.toMatchObject({
      code: 'UNKNOWN_EXECUTION',
    });
    const unknown = tenant.runner.handle('01890000-0000-7000-8000-000000000000');
    await expect(unknown.result()).rejects.toMatchObject({ code: 'UNKNOWN_EXECUTION' });
    expect(unknown.created).toBe(false);
  });

  it('finds an execution of the workflow that is asked for, and none of another one', async () => {
    const { id } = await tenant.runner.execute(other);
    const found = await tenant.runner.get(id);
    expect(await tenant.runner.get(id, { workflow: other })).toEqual(found);
    expect(await tenant.runner.get(id, { workflow: 'other' })).toEqual(found);
    expect(await tenant.runner.get(id, { workflow: quick })).toBeNull();
    await expect(tenant.runner.get(id, { workfow: quick } as object)).rejects.toThrow(
      'use "workflow"',
    );
    await expect(tenant.runner.get(id, { workflow: Date })).rejects.toThrow('no @Workflow');
  });

  it('says of each task what it waits for', async () => {
    const free = gate();
    const begun = gate();
    const waits = defineWorkflow('waits')
      .task('runs', async () => {
        begun.open();
        await free.passed;
        return { runs: 1 };
      })
      .task('queues', () => undefined)
      .task('depends', { dependsOn: ['runs', 'queues'] }, () => undefined)
      .build();
    const busy = await openTenant([waits], { maxConcurrentTasks: 1 });
    const handle = await busy.runner.start(waits, { given: 1 });
    await begun.passed;
    const seen = (await busy.runner.get(handle.id)) as Execution;
    expect(seen).toMatchObject({ status: 'Running', context: { given: 1 } });
    expect(seen.tasks).toMatchObject([
      { name: 'runs', status: 'Running', attempt: 1 },
      { name: 'queues', status: 'Ready', attempt: 0, waitingFor: { reason: 'slot' } },
      {
        name: 'depends',
        status: 'NotStarted',
        waitingFor: { reason: 'dependencies', detail: 'It waits for runs, queues.' },
      },
    ]);
    expect(seen.tasks[0]).not.toHaveProperty('waitingFor');
    await handle.pause();
    expect((await busy.runner.get(handle.id))?.tasks[1]?.waitingFor).toMatchObject({
      reason: 'paused',
    });
    const stranger = await openTenant([], { schema: busy.schema });
    expect((await stranger.runner.get(handle.id))?.tasks[1]?.waitingFor).toMatchObject({
      reason: 'paused',
    });
    await handle.resume();
    expect((await stranger.runner.get(handle.id))?.tasks[1]?.waitingFor).toMatchObject({
      reason: 'handler',
      detail: expect.stringContaining('"queues"'),
    });
    free.open();
    await handle.result();
  });

  it('shows a running retry with the attempts so far, and the version that it is pinned to', async () => {
    const free = gate();
    const workflow = defineWorkflow('halfway', { version: '7' })
      .task('only', { retry: { delay: 1 } }, async ({ attempt }) => {
        if (attempt === 1) throw new Error('first');
        await free.passed;
      })
      .build();
    const { runner } = await openTenant([workflow]);
    const handle = await runner.start(workflow);
    const running = await waitFor(async () => {
      const execution = await runner.get(handle.id);
      const [task] = execution?.tasks ?? [];
      return task?.status === 'Running' && task.attempt === 2 ? execution : undefined;
    });
    expect(running).toMatchObject({
      version: '7',
      tasks: [
        { attempts: [{ attempt: 1, error: { message: 'first' } }], error: { message: 'first' } },
      ],
    });
    free.open();
    expect((await handle.result()).tasks[0]?.attempts).toHaveLength(2);
  });

  it('many at once asks for them together', async () => {
    const { items } = await tenant.runner.list({ limit: 300 });
    const got = await Promise.all(items.map(({ id }) => tenant.runner.get(id)));
    expect(got.map(withoutDetails)).toEqual(items);
  });
});
