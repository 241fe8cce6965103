import { describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN } from '../../lib/store/port/index.js';
import { priorityLevel } from '../../lib/workflow/priority.js';
import type { TestedStore } from './tested-store.js';
import { fanIn, noLease, parallel, startOf, workflow } from './workflows.js';
import { tasksOf } from './tasks-of.js';

export function describeStarts(tested: TestedStore): void {
  const worker = tested.worker();

  test('an execution has a row for each task, with its dependencies counted', async () => {
    const of = workflow([[], [], [0, 1], [2], [2, 0]], {
      definitionId: '7',
      name: 'orders',
      priorities: [0, 1, 2, -3, 0],
    });
    const id = await worker.startOne(of, { claims: 0, input: '{"order":1}', priority: 10 });

    const { execution, tasks, events } = await tested.rowsOf(id);
    expect(execution).toMatchObject({
      workflow: 'orders',
      definition_id: '7',
      status: 'Pending',
      priority: 10,
      input: { order: 1 },
      remaining_leaves: 2,
      unhandled_failures: 0,
      started_at: null,
      deadline_at: null,
    });
    expect(tasks).toEqual(
      [
        { status: 'Ready', pending_dependencies: 0, priority: 10, run_at: expect.any(Date) },
        { status: 'Ready', pending_dependencies: 0, priority: 10, run_at: expect.any(Date) },
        { status: 'NotStarted', pending_dependencies: 2, priority: 10, run_at: null },
        { status: 'NotStarted', pending_dependencies: 1, priority: 5, run_at: null },
        { status: 'NotStarted', pending_dependencies: 2, priority: 10, run_at: null },
      ].map((columns, taskNo) =>
        expect.objectContaining({
          task_no: taskNo,
          definition_id: '7',
          claim_token: 0,
          owner: null,
          started_at: null,
          ...columns,
        }),
      ),
    );
    expect(events).toEqual([]);
  });

  describe('roots that are claimed in the start', () => {
    test.each([0, 1, 2, 3])('are the first %i', async (claims) => {
      // Roots are 0, 1 and 3: a task's place among them is not its number.
      const of = workflow([[], [], [0], []], { timeoutMs: 60_000 });
      const id = await worker.startOne(of, { claims });

      const { execution, tasks } = await tested.rowsOf(id);
      const claimed = [0, 1, 3].slice(0, claims);
      for (const task of tasks) {
        expect(task).toMatchObject(
          claimed.includes(task.task_no)
            ? {
                status: 'Running',
                claim_token: FIRST_TOKEN,
                owner: worker.claimant.instanceId,
                run_at: null,
                started_at: expect.any(Date),
              }
            : { claim_token: 0, owner: null, started_at: null },
        );
      }
      const begun = claims > 0 ? expect.any(Date) : null;
      expect(execution).toMatchObject({
        status: claims > 0 ? 'Running' : 'Pending',
        started_at: begun,
        deadline_at: begun,
      });
    });
  });

  test.each([
    ['at a time', { runAt: new Date('2100-01-01T00:00:00Z') }, '2100-01-01T00:00:00.000Z'],
    [
      'after a time and a delay',
      { runAt: new Date('2100-01-01T00:00:00Z'), delayMs: 1500 },
      '2100-01-01T00:00:01.500Z',
    ],
  ])('%s, its roots wait', async (_, when, runAt) => {
    const definitionId = tested.newDefinition();
    const id = await worker.startOne(fanIn(2, { definitionId }), { claims: 0, ...when });
    const { tasks } = await tested.rowsOf(id);
    expect(tasks.map((task) => task.run_at?.toISOString())).toEqual([runAt, runAt, undefined]);
    expect(await worker.claim([definitionId], 10)).toEqual([]);
  });

  test("a delay counts by the database's clock", async () => {
    const id = await worker.startOne(parallel(1), { claims: 0, delayMs: 3_600_000 });
    const { execution, tasks } = await tested.rowsOf(id);
    expect(Number(tasks[0]?.run_at) - Number(execution?.created_at)).toBe(3_600_000);
  });

  test('a batch may mix definitions, claims and inputs', async () => {
    const shapes = [
      fanIn(2, { definitionId: '11' }),
      parallel(3, { definitionId: '12' }),
      fanIn(5, { definitionId: '13' }),
    ];
    const items = Array.from({ length: 24 }, (_, n) =>
      startOf(shapes[n % 3]!, {
        claims: n % 4,
        input: `{"n":${n},"text":"\\"{},\\\\ü"}`,
        priority: n,
      }),
    );
    await worker.start(items);

    for (const [n, item] of items.entries()) {
      const { execution, tasks } = await tested.rowsOf(item.id);
      expect(execution).toMatchObject({
        definition_id: item.plan.definitionId,
        input: { n, text: '"{},\\ü' },
        remaining_leaves: item.plan.leaves,
      });
      expect(tasks.map((task) => task.pending_dependencies)).toEqual(item.plan.pendingDependencies);
      expect(tasks.every((task) => task.priority === priorityLevel(n))).toBe(true);
      const roots = item.plan.rootOrdinals.filter((ordinal) => ordinal >= 0).length;
      const running = tasks.filter((task) => task.status === 'Running');
      expect(running).toHaveLength(Math.min(item.claims, roots));
    }
  });

  test('a definition of 10,000 tasks is started at once', async () => {
    const id = await worker.startOne(fanIn(9_999), { claims: 100 });
    const rows = await tasksOf(tested.store, [id]);
    const of = (status: string) => rows.filter((row) => row.status === status);
    expect(of('Running')).toHaveLength(100);
    expect(of('Ready')).toHaveLength(9_899);
    expect(of('NotStarted').map((row) => row.pendingDependencies)).toEqual([9_999]);
    // None of them is to lie in the way of another test.
    await tested.store.cancel(id, null);
  });

  describe('sent again under the same id', () => {
    test('creates nothing twice, and says what it created', async () => {
      const items = [startOf(fanIn(2)), startOf(fanIn(2)), startOf(fanIn(2))] as const;
      const [first, second, third] = items;
      await worker.start([first]);
      const before = await tested.rowsOf(first.id);

      const { created } = await tested.store.start([first, second, third], noLease(), true);

      expect(created).toEqual(new Set([second.id, third.id]));
      expect(await tested.rowsOf(first.id)).toEqual(before);
      expect((await tested.rowsOf(second.id)).tasks).toHaveLength(3);
      expect((await tested.store.start(items, noLease(), true)).created).toEqual(new Set());
    });

    test('is refused as data where a first send is taken for granted', async () => {
      const { store } = tested;
      const item = startOf(fanIn(2));
      expect((await store.start([item], noLease(), false)).created).toBe('all');
      const error: unknown = await store.start([item], noLease(), false).catch((e: unknown) => e);
      expect(store.classifyFailure(error).kind).toBe('data');
      expect((await tested.rowsOf(item.id)).tasks).toHaveLength(3);
    });
  });

  test('a batch with an input that cannot be stored writes nothing, and is blamed on its data', async () => {
    const { store } = tested;
    const good = startOf(parallel(1));
    const bad = startOf(parallel(1), { input: '{"a":"\\u0000"}' });
    const error: unknown = await store
      .start([good, bad], noLease(), false)
      .catch((reason: unknown) => reason);
    expect(store.classifyFailure(error).kind).toBe('data');
    expect(await tested.rowsOf(good.id)).toEqual({ execution: undefined, tasks: [], events: [] });
  });

  test('tells whether each of the definitions is stored', async () => {
    const { store } = tested;
    const definitionId = tested.newDefinition();
    const item = startOf(parallel(1, { definitionId }), { claims: 0 });
    expect((await store.start([item], noLease(), false)).definitionsAreStored).toBe(false);
    const unsaid = { version: undefined, description: undefined, definition: {} };
    await store.definitions.register([
      { id: definitionId, hash: definitionId, name: `w${definitionId}`, ...unsaid },
    ]);
    expect((await store.start([item], noLease(), true)).definitionsAreStored).toBe(true);
  });
}
