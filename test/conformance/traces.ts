import { expect, test } from '@jest/globals';
import type { NewFiring, ScheduleFire, StartItem } from '../../lib/store/port/index.js';
import { limitKeyOf } from '../../lib/workflow/limit.js';
import { Family } from './child-family.js';
import type { TestedStore } from './tested-store.js';
import { noLease, startOf, workflow } from './workflows.js';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=a';
const HOUR = 3_600_000;

export function describeTraces(tested: TestedStore): void {
  const worker = tested.worker();
  const traceOf = async (id: string): Promise<string | null | undefined> =>
    (await tested.store.inputs([id])).get(id)?.traceContext;
  const newWorkflow = () => workflow([[], [0]], { definitionId: tested.newDefinition() });

  const extras: Readonly<Record<string, Partial<StartItem>>> = {
    none: {},
    tags: { tags: '{"a":"b"}' },
    waiters: { hasWaiters: true },
    limits: { limitKeys: JSON.stringify({ 1: limitKeyOf('l', 'k') }) },
    'a limit of its start': { startBefore: { at: null, inMs: HOUR } },
    'a time': { delayMs: HOUR, claims: 0 },
    all: {
      tags: '{"a":"b"}',
      hasWaiters: true,
      limitKeys: JSON.stringify({ 1: limitKeyOf('l', 'k') }),
      startBefore: { at: null, inMs: HOUR },
      delayMs: HOUR,
      claims: 0,
    },
  };
  test.each(Object.keys(extras))(
    'that of a start is stored beside what else it has: %s',
    async (name) => {
      const of = newWorkflow();
      const items = [TRACE, null].map((traceContext) =>
        startOf(of, { claims: 1, ...extras[name], traceContext }),
      );
      await worker.start(items);
      const keyed = startOf(of, {
        claims: 1,
        ...extras[name],
        traceContext: TRACE,
        idempotencyKey: `traced ${name}`,
      });
      expect(await worker.startKeyed([keyed])).toEqual([keyed.id]);
      const stored = await Promise.all([...items, keyed].map(({ id }) => traceOf(id)));
      expect(stored).toEqual([TRACE, null, TRACE]);
      const tags = (await tested.store.executions([keyed.id]))[0]?.tags ?? null;
      expect(tags && JSON.parse(tags)).toEqual(JSON.parse(extras[name]?.tags ?? 'null'));
    },
  );

  test('that of a child is its own', async () => {
    const family = new Family(tested);
    const id = await family.parent();
    const [traced, plain] = [TRACE, null].map((traceContext) =>
      family.child(id, `child ${traceContext}`, { item: { traceContext } }),
    );
    await family.start([plain!]);
    await family.start([traced!]);
    const keyed = family.child(id, 'keyed', {
      item: { traceContext: TRACE, idempotencyKey: 'child' },
    });
    await tested.store.children.startKeyedChild(keyed, noLease(), 1_000);
    const all = [traced!, plain!, keyed];
    expect(await Promise.all(all.map(({ item }) => traceOf(item.id)))).toEqual([
      TRACE,
      null,
      TRACE,
    ]);
  });

  test('that of a batch is that of the start that has created it', async () => {
    const of = newWorkflow();
    const send = async (traceContext: string | null) => {
      const item = startOf(of, { traceContext, claims: 0 });
      const start = { item, key: 'batch', waitMs: HOUR, size: 3 };
      const inputs = [{ id: item.id, input: '{}' }];
      return (await tested.store.batches.start([{ ...start, inputs }])).starts[0]!;
    };
    const first = await send(TRACE);
    const second = await send(null);
    expect([first.created, second.created, second.id]).toEqual([true, false, first.id]);
    expect(await traceOf(first.id)).toBe(TRACE);
  });

  test('that of a debounced execution is that of the start whose input it has', async () => {
    const of = newWorkflow();
    const send = async (traceContext: string | null) => {
      const start = { key: 'k', waitMs: HOUR, maxMs: null };
      const item = startOf(of, { traceContext, claims: 0 });
      const { starts } = await tested.store.debounces.start([{ item, ...start }]);
      return starts[0]!.id;
    };
    const id = await send(TRACE);
    expect(await traceOf(id)).toBe(TRACE);
    const later = TRACE.replace('vendor=a', 'vendor=b');
    expect(await send(later)).toBe(id);
    expect(await traceOf(id)).toBe(later);
  });

  test('that of a firing is stored with it', async () => {
    const { schedules } = tested.store;
    const of = newWorkflow();
    const name = `traced ${of.plan.definitionId}`;
    const now = Date.parse('2001-01-01T00:00:00Z');
    const firing = (scheduledFor: number, outcome: NewFiring['outcome']): NewFiring => ({
      scheduledFor,
      outcome,
      dueAt: null,
      until: null,
      count: 1,
      start: startOf(of, { claims: 0, traceContext: TRACE }),
    });
    const columns = {
      state: 'active',
      reason: null,
      nextFor: now,
      nextAt: now,
      lastError: null,
    } as const;
    await schedules.create(name, {
      ...columns,
      workflow: name,
      spec: '{"every":3600000}',
      input: null,
      origin: 'api',
    });
    const fired = firing(now, 'started');
    const fire: ScheduleFire = {
      ...columns,
      name,
      version: 1,
      lastFiredFor: now,
      lastExecutionId: fired.start!.id,
      // It is not due for ever.
      state: 'ended',
      nextFor: null,
      nextAt: null,
      firings: [fired],
    };
    await schedules.fire([fire]);
    const past = firing(now - HOUR, 'backfilled');
    await schedules.backfill({ schedule: name, version: 2, firings: [past] });
    const ids = [fired, past].map(({ start }) => start!.id);
    expect(await Promise.all(ids.map(traceOf))).toEqual([TRACE, TRACE]);
  });

  test('a claim tells for how long its tasks were due, if it is asked', async () => {
    const of = newWorkflow();
    const ids = [of.plan.definitionId];
    const [first, second] = await worker.startMany(of, 2, { claims: 0 });
    for (const id of [first!, second!]) {
      await tested.behind.changeTask(id, 0, { runInMs: -60_000 });
    }
    const [asked] = await worker.claim(ids, 1, { timed: true });
    expect(asked?.waitedMs).toBeGreaterThanOrEqual(60_000);
    const [plain] = await worker.claim(ids, 1);
    expect(plain?.waitedMs).toBeUndefined();
    expect(new Set([asked?.executionId, plain?.executionId])).toEqual(new Set([first, second]));
  });

  test('the backlog is what is due, with the age of the oldest', async () => {
    const { session } = tested.behind;
    const { handle } = tested.store;
    await tested.behind.empty();
    expect(await session.backlog([handle])).toEqual([{ due: 0, oldestMs: 0 }]);
    const of = newWorkflow();
    const [oldest] = await worker.startMany(of, 3, { claims: 0 });
    await worker.startOne(of, { claims: 0, delayMs: HOUR });
    await tested.behind.changeTask(oldest!, 0, { runInMs: -60_000 });
    const [found] = await session.backlog([handle]);
    expect(found?.due).toBe(3);
    expect(found?.oldestMs).toBeGreaterThanOrEqual(60_000);
    expect(found?.oldestMs).toBeLessThan(HOUR);
  });
}
