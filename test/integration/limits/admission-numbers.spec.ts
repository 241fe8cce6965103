import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

let open = gate();
beforeEach(() => {
  open = gate();
});
const sync = defineWorkflow<{ id: string }>('sync', { admission: { key: 'id', concurrency: 1 } })
  .task('all', () => open.passed)
  .build();

describe('runner.limits', () => {
  let runner: OpenTenant['runner'];
  beforeAll(async () => {
    ({ runner } = await openTenant([sync]));
  });

  it('sets and lists the numbers of admissions', async () => {
    const handles = [];
    for (let n = 0; n < 3; n++) handles.push(await runner.start(sync, { id: 'a' }));
    await runner.start(sync, { id: 'b' });
    const ids = handles.map(({ id }) => id);
    expect((await runner.limits.listAdmissions({ workflow: sync })).items).toEqual([
      expect.objectContaining({ workflow: 'sync', key: 'a', inUse: 1, concurrency: 1, waiting: 2 }),
      expect.objectContaining({ workflow: 'sync', key: 'b', inUse: 1, concurrency: 1, waiting: 0 }),
    ]);
    await runner.limits.setAdmission(sync, { key: 'a', concurrency: 2 });
    await waitFor(async () => (await runner.statuses(ids)).get(ids[1]!) === 'Running');
    expect((await runner.get(ids[2]!))?.waitingFor?.detail).toContain(
      `for "a": 2 of 2 run, held by ${ids[0]!}, ${ids[1]!}.`,
    );
    const { items, nextCursor } = await runner.limits.listAdmissions({ full: true, limit: 1 });
    expect(items).toEqual([
      {
        workflow: 'sync',
        key: 'a',
        inUse: 2,
        concurrency: 2,
        waiting: 1,
        holders: ids.slice(0, 2),
      },
    ]);
    const next = await runner.limits.listAdmissions({ full: true, cursor: nextCursor! });
    expect(next.items.map(({ key }) => key)).toEqual(['b']);
    open.open();
    await Promise.all(handles.map((handle) => handle.result()));
  });

  it('sets the number of all keys of a workflow, and takes that of the code again', async () => {
    const { runner: own } = await openTenant([sync]);
    await own.limits.setAdmission(sync, { concurrency: 0 });
    const [first, second] = [
      await own.start(sync, { id: 'a' }),
      await own.start(sync, { id: 'b' }),
    ];
    const numbers = async () =>
      (await own.limits.listAdmissions({ workflow: sync })).items.map(
        ({ key, inUse, concurrency, waiting }) => [key, inUse, concurrency, waiting],
      );
    expect(await numbers()).toEqual([
      ['a', 0, 0, 1],
      ['b', 0, 0, 1],
    ]);
    await own.limits.setAdmission(sync, { key: 'b', concurrency: 2 });
    await waitFor(async () => (await second.status()) === 'Running');
    expect(await numbers()).toEqual([
      ['a', 0, 0, 1],
      ['b', 1, 2, 0],
    ]);
    await own.limits.setAdmission(sync, { concurrency: null });
    await waitFor(async () => (await first.status()) === 'Running');
    expect(await numbers()).toEqual([
      ['a', 1, 1, 0],
      ['b', 1, 2, 0],
    ]);
    open.open();
    await Promise.all([first.result(), second.result()]);
  });

  it.each([
    ['a total', { total: 3 }, 'total'],
    ['a weight', { weight: 3 }, 'weight'],
    ['a bad number', { concurrency: 1_001 }, 'concurrency'],
    ['an empty key', { key: '' }, 'key'],
  ])('refuses %s of an admission', async (_, settings, message) => {
    await expect(runner.limits.setAdmission(sync, settings as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });
});
