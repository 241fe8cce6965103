import { expect, test } from '@jest/globals';
import type { TestedStore } from './tested-store.js';
import { failureOf, outcomeOf, parallel, type TestWorkflow } from './workflows.js';

export function describeStatistics(tested: TestedStore): void {
  const worker = tested.worker();

  /** A workflow that is stored: series are read by the names of stored workflows. */
  async function stored(name: string): Promise<TestWorkflow> {
    const definitionId = tested.newDefinition();
    const unsaid = { version: undefined, description: undefined, definition: {} };
    await tested.store.definitions.register([
      { id: definitionId, hash: definitionId, name, ...unsaid },
    ]);
    return parallel(1, { definitionId, name });
  }

  test('executions are counted by status, exactly up to a cap', async () => {
    await tested.behind.empty();
    const of = await stored('counted');
    const ids = await worker.startMany(of, 5, { claims: 1 });
    const [completed, failed] = ids;
    await worker.complete([outcomeOf(of, completed!, 0), failureOf(of, failed!, 0)]);
    await tested.store.cancel(ids[2]!, null);
    const counts = async (cap: number) => {
      const { counts: found } = await tested.store.statistics.counts(cap);
      return found.filter(({ count }) => count > 0);
    };

    const one = { count: 1, isCapped: false };
    const exact = await counts(2);
    expect(exact).toHaveLength(4);
    expect(exact).toEqual(
      expect.arrayContaining([
        { status: 'Completed', ...one },
        { status: 'Failed', ...one },
        { status: 'Cancelled', ...one },
        { status: 'Running', count: 2, isCapped: false },
      ]),
    );
    expect(await counts(1)).toEqual(
      expect.arrayContaining([
        { status: 'Completed', ...one },
        { status: 'Running', count: 1, isCapped: true },
      ]),
    );
  });

  test('executions are counted by workflow, of each status the newest up to a cap', async () => {
    await tested.behind.empty();
    const [of, other] = [await stored('by workflow'), await stored('beside')];
    const ids = await worker.startMany(of, 3, { claims: 1 });
    await worker.complete([outcomeOf(of, ids[0]!, 0), failureOf(of, ids[1]!, 0)]);
    const [beside] = await worker.startMany(other, 1, { claims: 1 });
    const exact = await tested.store.statistics.byWorkflow(2);
    expect(exact.capped).toEqual([]);
    expect(exact.counts).toHaveLength(3);
    expect(exact.counts).toEqual(
      expect.arrayContaining([
        { workflow: 'by workflow', status: 'Running', count: 1 },
        { workflow: 'by workflow', status: 'Failed', count: 1 },
        { workflow: 'beside', status: 'Running', count: 1 },
      ]),
    );
    expect((await tested.store.statistics.byWorkflow(1)).capped).toEqual(['Running']);
    await worker.startMany(of, 3, { claims: 1 });
    const cut = await tested.store.statistics.byWorkflow(2);
    const running = cut.counts.filter(({ status }) => status === 'Running');
    expect(cut.capped).toEqual(['Running']);
    // Two are counted and one more is seen: no more rows are read, however many there are.
    expect(running.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    for (const id of [ids[2]!, beside!]) await tested.store.cancel(id, null);
  });

  test("executions of the library's own workflows are not counted, however many there are", async () => {
    await tested.behind.empty();
    const [of, poll] = [await stored('polled'), await stored('cloacina.poller.mail')];
    const [failed] = await worker.startMany(of, 2, { claims: 1 });
    const polls = await worker.startMany(poll, 4, { claims: 1 });
    await worker.complete([
      failureOf(of, failed!, 0),
      failureOf(poll, polls[0]!, 0),
      failureOf(poll, polls[1]!, 0),
      outcomeOf(poll, polls[2]!, 0),
    ]);
    const all = await tested.store.statistics.counts(1);
    expect(all.counts.filter(({ count }) => count > 0)).toEqual(
      expect.arrayContaining([
        { status: 'Running', count: 1, isCapped: false },
        { status: 'Failed', count: 1, isCapped: false },
      ]),
    );
    expect(all.counts.find(({ status }) => status === 'Completed')?.count ?? 0).toBe(0);
    const byWorkflow = await tested.store.statistics.byWorkflow(1);
    expect(byWorkflow.capped).toEqual([]);
    expect(byWorkflow.counts).toHaveLength(2);
    expect(byWorkflow.counts).toEqual(
      expect.arrayContaining([
        { workflow: 'polled', status: 'Running', count: 1 },
        { workflow: 'polled', status: 'Failed', count: 1 },
      ]),
    );
    await tested.store.cancel(polls[3]!, null);
  });

  test('the oldest task that is due is told, and none that is claimed or not due yet', async () => {
    await tested.behind.empty();
    const of = await stored('due');
    const [claimed] = await worker.startMany(of, 1, { claims: 1 });
    expect((await tested.store.statistics.counts(10)).oldestDue).toBeNull();
    const later = await worker.startOne(of, { claims: 0, delayMs: 3_600_000 });
    expect((await tested.store.statistics.counts(10)).oldestDue).toBeNull();
    const due = await worker.startOne(of, { claims: 0 });
    await tested.behind.changeTask(due, 0, { runInMs: -60_000 });
    const { oldestDue } = await tested.store.statistics.counts(10);
    expect(oldestDue).toBeInstanceOf(Date);
    const { createdAt } = (await tested.store.executions([due]))[0]!;
    expect(oldestDue!.getTime()).toBeLessThan(createdAt.getTime());
    for (const id of [claimed!, later, due]) await tested.store.cancel(id, null);
  });

  test('series count by the time of creation, in buckets, and tell where they were cut', async () => {
    await tested.behind.empty();
    const [of, other] = [await stored('in series'), await stored('beside it')];
    const ids = await worker.startMany(of, 4, { claims: 1 });
    await worker.startMany(other, 1, { claims: 1 });
    const [completed, failed, cancelled] = ids;
    await worker.complete([outcomeOf(of, completed!, 0), failureOf(of, failed!, 0)]);
    await tested.store.cancel(cancelled!, null);
    const rows = await tested.store.executions(ids);
    const oldest = Math.min(...rows.map(({ createdAt }) => createdAt.getTime()));
    const query = { from: oldest - 90_000, bucketMs: 3_600_000, workflow: null, cap: 10 };

    const { rows: all, completeSince } = await tested.store.statistics.series(query);
    expect(completeSince).toBeNull();
    expect(all).toEqual([
      {
        bucket: 0,
        started: 5,
        completed: 1,
        failed: 1,
        cancelled: 1,
        medianMs: expect.any(Number),
        p95Ms: expect.any(Number),
      },
    ]);
    const ofOne = { ...query, workflow: 'beside it' };
    expect((await tested.store.statistics.series(ofOne)).rows).toEqual([
      { bucket: 0, started: 1, completed: 0, failed: 0, cancelled: 0, medianMs: null, p95Ms: null },
    ]);
    const inMinutes = await tested.store.statistics.series({ ...query, bucketMs: 60_000 });
    expect(inMinutes.rows[0]?.bucket).toBe(1);
    const later = { ...query, from: oldest + 3_600_000 };
    expect(await tested.store.statistics.series(later)).toEqual({ rows: [], completeSince: null });

    const cut = await tested.store.statistics.series({ ...query, cap: 2 });
    expect(cut.rows[0]?.started).toBe(3);
    expect(cut.completeSince!.getTime()).toBeGreaterThanOrEqual(oldest);
  });

  test('the definitions of a workflow are listed with their starts, and what still runs', async () => {
    await tested.behind.empty();
    const name = 'with versions';
    const make = async (version: string): Promise<TestWorkflow> => {
      const id = tested.newDefinition();
      const made = { id, hash: id, name, version, description: undefined, definition: {} };
      await tested.store.definitions.register([made]);
      return parallel(1, { definitionId: id, name });
    };
    const first = await make('1');
    const ids = await worker.startMany(first, 3, { claims: 1 });
    const second = await make('2');
    const [started] = await worker.startMany(second, 1, { claims: 1 });
    await make('3');
    await worker.complete([outcomeOf(first, ids[0]!, 0)]);
    const query = { workflow: name, cap: 10, limit: 10 };

    const rows = await tested.store.statistics.versions(query);
    expect(rows.map(({ version, open, isCapped }) => [version, open, isCapped])).toEqual([
      ['3', 0, false],
      ['2', 1, false],
      ['1', 2, false],
    ]);
    const [none, , oldest] = rows;
    expect(none).toMatchObject({ firstStartedAt: null, lastStartedAt: null });
    const times = (await tested.store.executions(ids)).map(({ createdAt }) => createdAt.getTime());
    expect(oldest!.definitionId).toBe(first.plan.definitionId);
    expect(oldest!.firstStartedAt!.getTime()).toBe(Math.min(...times));
    expect(oldest!.lastStartedAt!.getTime()).toBe(Math.max(...times));
    // Old definitions are listed while executions are pinned to them.
    const newest = await tested.store.statistics.versions({ ...query, limit: 2 });
    expect(newest.map(({ version }) => version)).toEqual(['3', '2', '1']);
    expect((await tested.store.statistics.versions({ ...query, cap: 1 }))[2]).toMatchObject({
      isCapped: true,
    });
    for (const id of [ids[1]!, ids[2]!, started!]) await tested.store.cancel(id, null);
    const ended = await tested.store.statistics.versions({ ...query, limit: 2 });
    expect(ended.map(({ version, open }) => [version, open])).toEqual([
      ['3', 0],
      ['2', 0],
    ]);
    expect(await tested.store.statistics.versions({ ...query, workflow: 'none' })).toEqual([]);
  });

  test('a list names the failed task, and finds given executions', async () => {
    const of = await stored('listed by id');
    const ids = await worker.startMany(of, 3, { claims: 1 });
    const [failed, running, other] = ids;
    await worker.complete([failureOf(of, failed!, 0)]);
    const given = { ids: [failed!, running!, failed!], limit: 10 };
    const found = await tested.store.list(given);
    expect(new Map(found.map(({ id, failedTask }) => [id, failedTask]))).toEqual(
      new Map([
        [failed!, 0],
        [running!, null],
      ]),
    );
    expect(await tested.store.list({ ...given, statuses: ['Cancelled'] })).toEqual([]);
    expect(await tested.store.list({ ...given, workflow: 'another' })).toEqual([]);
    // Executions of the same millisecond as the place are not behind it in memory.
    const place = await tested.store.bulk.now();
    const now = { ...place, createdAtMicros: String(BigInt(place.createdAtMicros) + 1_000n) };
    const bulk = { ids: [running!], isTop: true };
    expect(await tested.store.bulk.count(bulk, now)).toBe(1);
    expect((await tested.store.bulk.find(bulk, now, 10)).map(({ id }) => id)).toEqual([running]);
    for (const id of [running!, other!]) await tested.store.cancel(id, null);
  });

  test('the actor of a change is stored with its event', async () => {
    const of = await stored('acted');
    const [one, many] = await worker.startMany(of, 2, { claims: 1 });
    await tested.store.pause(one!, 'lunch', 'Ann');
    await tested.store.resume(one!, 'Ben');
    await tested.store.cancel(one!, null, 'Cat');
    await tested.store.bulk.control('pause', [many!], null, 'Dan');
    await tested.store.bulk.control('resume', [many!], null, 'Eve');
    await tested.store.bulk.control('cancel', [many!], 'stop', 'Fay');
    const leaf = { taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: false };
    const again = { tasks: [leaf], leaves: 1 };
    await tested.store.reset(one!, () => Promise.resolve({ ...again, actor: 'Gus' }));
    await tested.store.bulk.reset([many!], () => Promise.resolve({ ...again, actor: 'Hal' }));
    const details = async (id: string) =>
      ((await tested.store.history(id))?.events ?? [])
        .filter(({ taskNo }) => taskNo === null)
        .map(({ kind, detail }) => [kind, (detail as { actor?: string }).actor]);
    expect(await details(one!)).toEqual([
      ['paused', 'Ann'],
      ['resumed', 'Ben'],
      ['cancelled', 'Cat'],
      ['executionRetried', 'Gus'],
    ]);
    expect(await details(many!)).toEqual([
      ['paused', 'Dan'],
      ['resumed', 'Eve'],
      ['cancelled', 'Fay'],
      ['executionRetried', 'Hal'],
    ]);
    for (const id of [one!, many!]) await tested.store.cancel(id, null);
  });

  test('the actor of a signal is stored with an event, once for a key', async () => {
    const of = await stored('signalled');
    const [acted, silent] = await worker.startMany(of, 2, { claims: 1 });
    const signal = (id: string, actor: string | null) => ({
      kind: 'signal' as const,
      name: 'go',
      payload: '1',
      idempotencyKey: id,
      to: { id },
      actor,
    });
    const sent = [signal(acted!, 'Ann'), signal(silent!, null)];
    const first = await tested.store.messages.sendMessages(sent, 1_000);
    const again = await tested.store.messages.sendMessages(sent, 1_000);
    expect([first.ids.length, again.ids.length]).toEqual([2, 0]);
    const details = async (id: string) =>
      ((await tested.store.history(id))?.events ?? []).map(({ kind, detail }) => [kind, detail]);
    expect(await details(acted!)).toEqual([['signalled', { signal: 'go', actor: 'Ann' }]]);
    expect(await details(silent!)).toEqual([]);
    for (const id of [acted!, silent!]) await tested.store.cancel(id, null);
  });
}
