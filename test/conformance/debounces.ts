import { beforeEach, describe, expect, test } from '@jest/globals';
import type { DebouncedStart, StartItem } from '../../lib/store/port/index.js';
import { findAdmissionKey } from '../../lib/workflow/admission.js';
import { limitKeyOf } from '../../lib/workflow/limit.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf, startOf, workflow, type TestWorkflow } from './workflows.js';

let keys = 0;
const HOUR = 3_600_000;

export function describeDebounces(tested: TestedStore): void {
  const worker = tested.worker();
  let chain: TestWorkflow;
  let key: string;
  beforeEach(() => {
    chain = workflow([[], [0]], { definitionId: tested.newDefinition() });
    key = `debounced ${++keys}`;
  });

  interface Starting extends Partial<StartItem>, Partial<Omit<DebouncedStart, 'item' | 'key'>> {
    readonly n?: number;
  }

  function of({ n = 0, waitMs = HOUR, maxMs = null, ...more }: Starting = {}): DebouncedStart {
    return { item: startOf(chain, { input: `{"n":${n}}`, ...more }), key, waitMs, maxMs };
  }

  async function send(start: DebouncedStart) {
    const { starts } = await tested.store.debounces.start([start]);
    return starts[0]!;
  }
  const start = (starting?: Starting) => send(of(starting));
  const inputOf = async (id: string) => (await tested.store.executions([id]))[0]?.input;
  const runInMs = async (id: string) => (await tested.taskOf(id, 0)).run_at!.getTime() - Date.now();
  const claim = () => worker.claim([chain.plan.definitionId], 10);

  describe('a debounced start', () => {
    test('creates an execution that waits', async () => {
      const { id, fate } = await start();
      expect(fate).toBe('created');
      expect(await tested.statusesOf(id)).toEqual(['Ready', 'NotStarted']);
      expect(await claim()).toEqual([]);
      expect(await runInMs(id)).toBeGreaterThan(HOUR / 2);
    });

    test('replaces the input and the tags of one with its key, and moves its time', async () => {
      const { id } = await start({ n: 1, waitMs: 0 });
      expect(await start({ n: 2, tags: '{"a":"b"}' })).toEqual({ id, fate: 'updated' });
      expect(await inputOf(id)).toBe('{"n":2}');
      expect((await tested.store.executions([id]))[0]?.tags).toContain('"a"');
      expect(await claim()).toEqual([]);
      expect(await runInMs(id)).toBeGreaterThan(HOUR / 2);
    });

    test('moves the time up to the longest time after the first start', async () => {
      const { id } = await start({ maxMs: HOUR / 2 });
      expect(await runInMs(id)).toBeLessThan(HOUR * 0.6);
      expect(await start({ waitMs: HOUR, maxMs: 1 })).toEqual({ id, fate: 'updated' });
      expect(await runInMs(id)).toBeLessThan(HOUR / 4);
    });

    test('leaves executions of other keys and workflows alone', async () => {
      const { id } = await start();
      key = `debounced ${++keys}`;
      expect(await start()).toMatchObject({ fate: 'created', id: expect.not.stringMatching(id) });
    });

    test('gives tasks the limit keys of the new input', async () => {
      const limitKeys = (value: string) => JSON.stringify({ 1: limitKeyOf('calls', value) });
      const { id } = await start({ limitKeys: limitKeys('a') });
      await start({ limitKeys: limitKeys('b') });
      const [read] = await tested.store.details([id]);
      expect(read?.tasks.map((task) => task.limitKey)).toEqual([null, limitKeyOf('calls', 'b')]);
    });

    test('of which several of one batch have different keys creates or changes each', async () => {
      const first = of({ n: 1 });
      const { id } = await send(first);
      key = `debounced ${++keys}`;
      const second = of({ n: 2 });
      const again = { ...of({ n: 3 }), key: first.key };
      const { starts } = await tested.store.debounces.start([again, second]);
      expect(starts).toEqual([
        { id, fate: 'updated' },
        { id: second.item.id, fate: 'created' },
      ]);
    });

    test('that is sent again finds its execution, also if that has begun', async () => {
      const sent = of({ waitMs: 0 });
      await send(sent);
      await claim();
      expect(await send(sent)).toEqual({ id: sent.item.id, fate: 'created' });
    });
  });

  describe('a start that has replaced an input, and is sent again because its reply was lost,', () => {
    test('changes nothing while the execution waits', async () => {
      const { id } = await start({ n: 1 });
      const sent = of({ n: 2, waitMs: HOUR / 10 });
      await send(sent);
      expect(await send({ ...sent, waitMs: HOUR })).toEqual({ id, fate: 'updated' });
      expect(await inputOf(id)).toBe('{"n":2}');
      expect(await runInMs(id)).toBeLessThan(HOUR / 2);
    });

    test('finds the execution that runs with its input', async () => {
      const { id } = await start({ n: 1 });
      const sent = of({ n: 2, waitMs: 0 });
      await send(sent);
      expect(await claim()).toHaveLength(1);
      expect(await send(sent)).toEqual({ id, fate: 'updated' });
      expect(await tested.store.executions([sent.item.id])).toEqual([]);
      // The key is still the one of that execution, and the next start takes it.
      expect(await start({ n: 3 })).toMatchObject({ fate: 'created' });
    });

    test('finds it too once another execution has the key, and leaves that one alone', async () => {
      const { id } = await start({ n: 1 });
      const sent = of({ n: 2, waitMs: 0 });
      await send(sent);
      await claim();
      const next = await start({ n: 3 });
      expect(await send(sent)).toEqual({ id, fate: 'updated' });
      expect([await inputOf(id), await inputOf(next.id)]).toEqual(['{"n":2}', '{"n":3}']);
      expect(await start({ n: 4 })).toEqual({ id: next.id, fate: 'updated' });
    });

    test('finds it too after its end', async () => {
      const { id } = await start({ n: 1 });
      const sent = of({ n: 2, waitMs: 0 });
      await send(sent);
      await tested.store.cancel(id, null);
      expect(await send(sent)).toEqual({ id, fate: 'updated' });
    });

    test('replaces the input again that a later start has replaced', async () => {
      const { id } = await start({ n: 1 });
      const sent = of({ n: 2 });
      await send(sent);
      await start({ n: 3 });
      expect(await send(sent)).toEqual({ id, fate: 'updated' });
      expect(await inputOf(id)).toBe('{"n":2}');
    });
  });

  describe('the next start makes another execution', () => {
    test('once the execution has begun', async () => {
      const { id } = await start({ n: 1, waitMs: 0 });
      expect(await claim()).toHaveLength(1);
      const second = await start({ n: 2 });
      expect(second.fate).toBe('created');
      expect([await inputOf(id), await inputOf(second.id)]).toEqual(['{"n":1}', '{"n":2}']);
      expect(await start({ n: 3 })).toEqual({ id: second.id, fate: 'updated' });
    });

    test('once it was cancelled', async () => {
      const { id } = await start();
      await tested.store.cancel(id, null);
      expect((await start()).fate).toBe('created');
    });

    test('if it is pinned to another definition', async () => {
      const { id } = await start({ n: 1 });
      const { workflow: name } = chain.plan;
      chain = workflow([[], [0]], { definitionId: tested.newDefinition() });
      chain = { ...chain, plan: { ...chain.plan, workflow: name } };
      const second = await start({ n: 2 });
      expect([second.fate, await inputOf(id)]).toEqual(['created', '{"n":1}']);
      expect(await start({ n: 3 })).toEqual({ id: second.id, fate: 'updated' });
    });

    test('and runs of the first are not disturbed by it', async () => {
      const { id } = await start({ waitMs: 0 });
      await claim();
      await start();
      expect((await worker.complete([outcomeOf(chain, id, 0)])).accepted).toEqual([true]);
    });
  });

  test('a paused execution stays paused, with the new input', async () => {
    const { id } = await start({ n: 1, waitMs: 0 });
    await tested.store.pause(id, null);
    expect(await start({ n: 2, waitMs: 0 })).toEqual({ id, fate: 'updated' });
    expect(await claim()).toEqual([]);
    await tested.store.resume(id);
    expect((await claim()).map(({ executionId }) => executionId)).toEqual([id]);
    expect(await inputOf(id)).toBe('{"n":2}');
  });

  test('an execution with an admission asks for its slot when it is due', async () => {
    const found = findAdmissionKey(key, {}, {});
    const asked = {
      key: found.ok ? found.limitKey : '',
      numbers: { concurrency: 1 },
      skips: false,
    };
    const admit = async () => {
      const look = { ...asked, supersedes: 'none', ended: [] } as const;
      return (await tested.store.admissions.admit([look])).admitted.map((one) => one.id);
    };
    const { id } = await start({ n: 1, admission: asked });
    expect(await admit()).toEqual([]);
    await start({ n: 2, waitMs: 0, admission: asked });
    expect(await admit()).toEqual([id]);
    // It keeps its slot and its time.
    expect(await start({ n: 3, admission: asked })).toEqual({ id, fate: 'updated' });
    expect((await claim()).map(({ executionId }) => executionId)).toEqual([id]);
    expect(await inputOf(id)).toBe('{"n":3}');
  });
}
