import { expect, test } from '@jest/globals';
import type {
  ExecutionCountFilter,
  ExecutionListFilter,
  ListedExecution,
} from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, noLease, outcomeOf, parallel, startOf } from './workflows.js';
import { tasksOf } from './tasks-of.js';

export function describeReads(tested: TestedStore): void {
  const worker = tested.worker();

  test('an execution and its tasks are read as they are', async () => {
    const of = parallel(2, { definitionId: tested.newDefinition(), name: 'read' });
    const id = await worker.startOne(of, { input: '{"b": 1, "a": 2}', claims: 1 });
    const detail = { error: { message: 'no' }, deletedKeys: ['gone'] };
    await worker.complete([failureOf(of, id, 0, { detail })]);
    const unsaid = {
      context: null,
      error: null,
      reason: null,
      idempotencyKey: null,
      tags: null,
      completedAt: null,
      parentId: null,
      parentStep: null,
      rootId: null,
      startBefore: null,
      turn: null,
    };
    expect(await tested.store.executions([id, id])).toEqual([
      {
        id,
        workflow: 'read',
        definitionId: of.plan.definitionId,
        status: 'Running',
        input: '{"b": 1, "a": 2}',
        createdAt: expect.any(Date),
        startedAt: expect.any(Date),
        ...unsaid,
      },
    ]);
    const [failed, ready] = await tasksOf(tested.store, [id]);
    expect(failed).toMatchObject({
      executionId: id,
      taskNo: 0,
      status: 'Failed',
      attempt: 1,
      owner: null,
      runAt: null,
      error: '{"message":"no"}',
      deletedKeys: ['gone'],
      attempts: expect.any(String),
      isOrphaned: false,
    });
    expect(ready).toMatchObject({
      taskNo: 1,
      status: 'Ready',
      runAt: expect.any(Date),
      deferred: false,
      deletedKeys: [],
      error: null,
    });
    expect(await tested.store.executions([])).toEqual([]);
    expect(await tasksOf(tested.store, [])).toEqual([]);
  });

  test('pages follow each other without a gap, the newest first', async () => {
    const name = 'listed';
    const definitionId = tested.newDefinition();
    const unsaid = { version: undefined, description: undefined, definition: {} };
    await tested.store.definitions.register([
      { id: definitionId, hash: definitionId, name, ...unsaid },
    ]);
    const of = parallel(1, { definitionId, name });
    // Those of one statement have one time, so that only the id tells them apart.
    const together = Array.from({ length: 4 }, () => startOf(of));
    await tested.store.start(together, noLease(), false);
    const ids = together.map(({ id }) => id);
    ids.push(await worker.startOne(of));
    await worker.complete([outcomeOf(of, ids[0]!, 0)]);
    const all = (await tested.store.list({ workflow: name, limit: 10 })).map(({ id }) => id);
    expect(all.toSorted()).toEqual(ids.toSorted());

    async function pages(filter: Partial<ExecutionListFilter>): Promise<string[]> {
      const found: string[] = [];
      let last: ListedExecution | undefined;
      do {
        const after = last && { createdAtMicros: last.createdAtMicros, id: last.id };
        const page = await tested.store.list({ workflow: name, limit: 2, ...filter, after });
        found.push(...page.map(({ id }) => id));
        last = page.at(-1);
      } while (last !== undefined);
      return found;
    }
    expect(await pages({})).toEqual(all);
    const running = all.filter((id) => id !== ids[0]);
    expect(await pages({ statuses: ['Running'] })).toEqual(running);
    expect(await pages({ statuses: ['Completed', 'Failed'] })).toEqual([ids[0]]);
    expect(await pages({ createdAfter: new Date('2100-01-01T00:00:00Z') })).toEqual([]);
    expect(await pages({ createdBefore: new Date('2100-01-01T00:00:00Z') })).toEqual(all);
    expect(await pages({ workflow: 'of no definition' })).toEqual([]);
  });

  test('a page shows the version, the reason and the failure that was not handled', async () => {
    const name = 'shown';
    const definitionId = tested.newDefinition();
    await tested.store.definitions.register([
      {
        id: definitionId,
        hash: definitionId,
        name,
        version: '7',
        description: undefined,
        definition: {},
      },
    ]);
    const of = parallel(2, { definitionId, name });
    const failed = await worker.startOne(of, { claims: 2 });
    await worker.complete([
      outcomeOf(of, failed, 0),
      failureOf(of, failed, 1, { detail: { error: { message: 'no' } } }),
    ]);
    const paused = await worker.startOne(of);
    await tested.store.pause(paused, 'lunch');
    const unsaid = {
      error: null,
      failedTask: null,
      reason: null,
      idempotencyKey: null,
      tags: null,
      waiting: null,
      completedAt: null,
      parentId: null,
      parentStep: null,
      rootId: null,
      startBefore: null,
      turn: null,
    };
    const time = expect.any(Date);
    const common = { createdAt: time, startedAt: time, createdAtMicros: expect.any(String) };
    const of7 = { workflow: name, definitionId, version: '7' };
    expect(await tested.store.list({ workflow: name, limit: 10 })).toEqual([
      { ...unsaid, ...common, ...of7, id: paused, status: 'Paused', reason: 'lunch' },
      {
        ...unsaid,
        ...common,
        ...of7,
        id: failed,
        status: 'Failed',
        error: '{"message":"no"}',
        failedTask: 1,
        completedAt: time,
      },
    ]);
  });

  test('executions are counted by workflow and status', async () => {
    const one = parallel(1, { definitionId: tested.newDefinition(), name: 'counted' });
    await worker.startOne(one);
    await worker.startOne(one);
    await tested.store.cancel(await worker.startOne(one), null);
    const count = async (filter: Partial<ExecutionCountFilter>): Promise<unknown> =>
      (await tested.store.count({ workflow: 'counted', ...filter })).toSorted((a, b) =>
        a.status < b.status ? -1 : 1,
      );
    const cancelled = { workflow: 'counted', status: 'Cancelled', count: 1 };
    const running = { workflow: 'counted', status: 'Running', count: 2 };
    expect(await count({})).toEqual([cancelled, running]);
    expect(await count({ statuses: ['Cancelled'] })).toEqual([cancelled]);
    expect(await count({ statuses: ['Completed', 'Running'] })).toEqual([running]);
    expect(await count({ createdBefore: new Date('2000-01-01T00:00:00Z') })).toEqual([]);
    expect(
      await count({ statuses: ['Running'], createdAfter: new Date('2100-01-01T00:00:00Z') }),
    ).toEqual([]);
    expect(await count({ workflow: 'of no execution' })).toEqual([]);
  });
}
