import { describe, expect, test } from '@jest/globals';
import type { ExecutionListFilter, WaitingTask } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import {
  failureOf,
  fanIn,
  itemOutcomeOf,
  outcomeOf,
  parallel,
  rescheduleOf,
  startOf,
  type TestWorkflow,
} from './workflows.js';
import { tasksOf } from './tasks-of.js';

export function describeFinding(tested: TestedStore): void {
  const worker = tested.worker();

  /** A workflow of its own that is stored: pages are made by the names of stored workflows. */
  async function stored(name: string, shape = parallel): Promise<TestWorkflow> {
    const definitionId = tested.newDefinition();
    const unsaid = { version: undefined, description: undefined, definition: {} };
    await tested.store.definitions.register([
      { id: definitionId, hash: definitionId, name, ...unsaid },
    ]);
    return shape(1, { definitionId, name });
  }

  async function idsOf(filter: Partial<ExecutionListFilter>): Promise<string[]> {
    return (await tested.store.list({ limit: 10, ...filter })).map(({ id }) => id);
  }

  test("the library's own workflows are found where the filter says which executions, and in no other list", async () => {
    await tested.behind.empty();
    const [of, own] = [await stored('asked for'), await stored('cloacina.own')];
    const tags = '{"customer":"own"}';
    const key = { idempotencyKey: 'of the library' };
    const items = [startOf(of, { tags, claims: 0 }), startOf(own, { tags, claims: 0, ...key })];
    const [theirs, ours] = items.map(({ id }) => id);
    for (const item of items) await worker.start([item]);
    for (const filter of [{}, { statuses: ['Pending'] }, { tags }]) {
      expect(await idsOf(filter)).toEqual([theirs]);
      expect(await idsOf({ ...filter, workflow: 'cloacina.own' })).toEqual([ours]);
      const counts = await tested.store.count(filter);
      expect(counts).toEqual([{ workflow: 'asked for', status: 'Pending', count: 1 }]);
      expect(await tested.store.count({ ...filter, workflow: 'cloacina.own' })).toHaveLength(1);
    }
    expect(await idsOf({ ids: [ours!] })).toEqual([ours]);
    expect(await idsOf(key)).toEqual([ours]);
    const all = await idsOf({ statuses: ['Pending'], withBuiltIns: true });
    expect(all.toSorted()).toEqual([theirs, ours].toSorted());
  });

  describe('by tags', () => {
    test('those are found that have all of them, among others and in pages', async () => {
      const of = await stored('tagged');
      const tags = (more: object): string => JSON.stringify({ customer: '17', ...more });
      const items = [
        startOf(of, { tags: tags({ region: 'eu' }) }),
        startOf(of),
        startOf(of, { tags: tags({ region: 'us' }) }),
        startOf(of, { tags: JSON.stringify({ region: 'eu', customer: '1' }) }),
      ];
      const [eu, , us, other] = items.map(({ id }) => id);
      for (const item of items) await worker.start([item]);
      await worker.complete([outcomeOf(of, us!, 0)]);

      expect(await idsOf({ tags: '{"customer":"17"}' })).toEqual([us, eu]);
      expect(await idsOf({ tags: '{"region":"eu"}', workflow: 'tagged' })).toEqual([other, eu]);
      expect(await idsOf({ tags: tags({ region: 'eu' }) })).toEqual([eu]);
      expect(await idsOf({ tags: '{"customer":"7"}' })).toEqual([]);
      expect(await idsOf({ tags: '{"customer":"17"}', workflow: 'another' })).toEqual([]);
      expect(await idsOf({ tags: '{"customer":"17"}', statuses: ['Completed'] })).toEqual([us]);
      expect(await idsOf({ tags: '{"customer":"17"}', statuses: ['Running'] })).toEqual([eu]);
      const [first] = await tested.store.list({ tags: '{"customer":"17"}', limit: 1 });
      const after = { createdAtMicros: first!.createdAtMicros, id: first!.id };
      expect(await idsOf({ tags: '{"customer":"17"}', after })).toEqual([eu]);
      expect(await tested.store.count({ tags: '{"customer":"17"}' })).toEqual(
        expect.arrayContaining([
          { workflow: 'tagged', status: 'Completed', count: 1 },
          { workflow: 'tagged', status: 'Running', count: 1 },
        ]),
      );
      expect(
        await tested.store.count({ tags: '{"customer":"17"}', statuses: ['Running'] }),
      ).toEqual([{ workflow: 'tagged', status: 'Running', count: 1 }]);
    });

    test('tags are stored as they are written, with a key and without, and are read again', async () => {
      const tags = JSON.stringify({
        __proto__x: '"',
        "'": '\\',
        '{,}': 'ü\n',
        ['__proto__']: '$1',
      });
      const of = await stored('odd tags');
      const plain = await worker.startOne(of, { tags });
      const keyed = startOf(of, { tags, idempotencyKey: 'odd tags' });
      expect(await worker.startKeyed([keyed])).toEqual([keyed.id]);
      for (const row of await tested.store.executions([plain, keyed.id])) {
        expect(JSON.parse(row.tags ?? '')).toEqual(JSON.parse(tags));
      }
      expect(await idsOf({ tags })).toEqual([keyed.id, plain]);
      expect((await tested.store.list({ tags, limit: 1 }))[0]).toMatchObject({
        idempotencyKey: 'odd tags',
        tags: expect.stringContaining('$1'),
      });
    });
  });

  test('by their idempotency key, one of each workflow', async () => {
    const idempotencyKey = 'found by it';
    const one = startOf(await stored('keyed 1'), { idempotencyKey, tags: '{"n":"1"}' });
    const two = startOf(await stored('keyed 2'), { idempotencyKey });
    await worker.startKeyed([one]);
    await worker.startKeyed([two]);

    expect(await idsOf({ idempotencyKey })).toEqual([two.id, one.id]);
    expect(await idsOf({ idempotencyKey, workflow: 'keyed 1' })).toEqual([one.id]);
    expect(await idsOf({ idempotencyKey, tags: '{"n":"1"}' })).toEqual([one.id]);
    expect(await idsOf({ idempotencyKey, statuses: ['Completed'] })).toEqual([]);
    expect(await idsOf({ idempotencyKey, limit: 1 })).toEqual([two.id]);
    expect(await idsOf({ idempotencyKey: 'of none' })).toEqual([]);
  });

  test('statuses of many, without those that no execution has', async () => {
    const of = parallel(1);
    const [running, done] = await worker.startMany(of, 2);
    await worker.complete([outcomeOf(of, done!, 0)]);
    const none = startOf(of).id;
    expect(await tested.store.statuses([done!, none, running!, done!])).toEqual(
      new Map([
        [done, 'Completed'],
        [running, 'Running'],
      ]),
    );
    expect(await tested.store.statuses([])).toEqual(new Map());
  });

  test('the error of an execution is that of a task, and not of an item', async () => {
    const name = 'failed items';
    const of = await stored(name, (_, options) => parallel(2, options));
    const id = await worker.startOne(of);
    await tested.behind.addItems(id, 0, 1);
    const [item] = await worker.claim([of.plan.definitionId], 10);
    const failed = { status: 'Failed', detail: { error: { message: 'item' } } } as const;
    await worker.complete([itemOutcomeOf(item!, { ...failed, claim: false })]);
    const [map] = await worker.claim([of.plan.definitionId], 10);
    await worker.complete([outcomeOf(of, id, 0, { token: map!.token }), failureOf(of, id, 1)]);
    const [listed] = await tested.store.list({ workflow: name, limit: 1 });
    expect(listed).toMatchObject({ status: 'Failed' });
    expect(JSON.parse(listed!.error!)).toMatchObject({ message: 'task 1' });
  });

  describe('what an execution waits for is told by', () => {
    let of: TestWorkflow;
    let name = '';

    async function start(shape: typeof parallel, claims: number): Promise<string> {
      name = `waits ${tested.newDefinition()}`;
      of = await stored(name, (_, options) => shape(2, options));
      return worker.startOne(of, { claims });
    }
    const waiting = async (): Promise<WaitingTask | null | undefined> =>
      (await tested.store.list({ workflow: name, limit: 1 }))[0]?.waiting;
    /** Without a lease, a running task has lost its process. */
    const withLease = (): Promise<void> =>
      tested.store.writeLease({ claimant: worker.claimant, write: true });

    test('no task, while one runs', async () => {
      await withLease();
      await start(parallel, 1);
      expect(await waiting()).toBeNull();
      await tested.store.releaseLease(worker.claimant.instanceId);
    });

    test('a task that was lost, before one that is due', async () => {
      const id = await start(parallel, 1);
      await tested.behind.changeTask(id, 0, { owner: startOf(of).id });
      expect(await waiting()).toMatchObject({ taskNo: 0, status: 'Running', isOrphaned: true });
    });

    test('the task that is due first', async () => {
      const id = await start(fanIn, 0);
      await tested.behind.changeTask(id, 0, { runInMs: 3_600_000 });
      await tested.behind.changeTask(id, 1, { runInMs: 60_000 });
      const task = await waiting();
      expect(task).toEqual({
        executionId: id,
        taskNo: 1,
        itemNo: 0,
        status: 'Ready',
        attempt: 0,
        paused: false,
        deferred: false,
        runAt: expect.any(Date),
        limitKey: null,
        isOrphaned: false,
        wait: null,
      });
      expect(task?.runAt).toEqual((await tasksOf(tested.store, [id]))[1]?.runAt);
    });

    test('the task whose condition is checked again', async () => {
      const id = await start(fanIn, 2);
      await worker.complete([outcomeOf(of, id, 1)]);
      await tested.store.reschedule([rescheduleOf('defer', id, 0, { delayMs: 3_600_000 })]);
      expect(await waiting()).toMatchObject({ taskNo: 0, deferred: true });
    });

    test('a map that waits for its items, and not by one of these', async () => {
      const id = await start((_, options) => parallel(1, options), 1);
      await tested.behind.addItems(id, 0, 3);
      expect(await waiting()).toMatchObject({ itemNo: 0, status: 'Waiting', runAt: null });
    });

    test('none, once it has ended or is paused', async () => {
      const id = await start(parallel, 0);
      await tested.store.pause(id, null);
      expect(await waiting()).toBeNull();
      await tested.store.cancel(id, null);
      expect(await waiting()).toBeNull();
    });
  });
}
