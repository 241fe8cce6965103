import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { BatchedStart, BatchInput, StartItem } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf, startOf, workflow, type TestWorkflow } from './workflows.js';

let keys = 0;
const HOUR = 3_600_000;

export function describeBatches(tested: TestedStore): void {
  const worker = tested.worker();
  let chain: TestWorkflow;
  let key: string;
  beforeEach(() => {
    chain = workflow([[], [0]], { definitionId: tested.newDefinition() });
    key = `batch ${++keys}`;
  });

  interface Starting
    extends Partial<StartItem>, Partial<Omit<BatchedStart, 'item' | 'key' | 'inputs'>> {
    readonly inputs?: readonly BatchInput[];
  }

  const inputOf = (n: number): BatchInput => ({ id: uuidv7(), input: `{"n":${n}}` });
  const inputs = (...numbers: readonly number[]): BatchInput[] => numbers.map(inputOf);

  function of({
    waitMs = HOUR,
    size = 3,
    inputs: added = inputs(0),
    ...more
  }: Starting): BatchedStart {
    const input = added[0]!.input;
    return {
      item: startOf(chain, { claims: 0, input, ...more }),
      key,
      waitMs,
      size,
      inputs: added,
    };
  }
  const send = async (start: BatchedStart) =>
    (await tested.store.batches.start([start])).starts[0]!;
  const start = (starting: Starting = {}) => send(of(starting));
  const readOf = async (id: string) =>
    (await tested.store.batches.inputs(id)).map((json) => (JSON.parse(json) as { n: number }).n);
  const claim = () => worker.claim([chain.plan.definitionId], 10);

  test('creates an execution that waits, with its inputs', async () => {
    const { id, created, taken, isFull } = await start({ inputs: inputs(1, 2) });
    expect({ created, taken, isFull }).toEqual({ created: true, taken: 2, isFull: false });
    expect(await tested.statusesOf(id)).toEqual(['Ready', 'NotStarted']);
    expect(await claim()).toEqual([]);
    expect(await readOf(id)).toEqual([1, 2]);
    expect((await tested.store.executions([id]))[0]?.input).toBe('{"n":1}');
  });

  test('adds inputs to one with its key, in order, and leaves its time', async () => {
    const { id } = await start({ inputs: inputs(1), waitMs: HOUR });
    const before = (await tested.taskOf(id, 0)).run_at;
    const second = await start({ inputs: inputs(2), waitMs: 1 });
    expect(second).toEqual({ id, created: false, taken: 1, isFull: false });
    expect((await tested.taskOf(id, 0)).run_at).toEqual(before);
    expect(await readOf(id)).toEqual([1, 2]);
  });

  test('begins at once when it is full, and gets no more', async () => {
    const { id } = await start({ inputs: inputs(1, 2) });
    const filling = await start({ inputs: inputs(3, 4) });
    expect(filling).toEqual({ id, created: false, taken: 1, isFull: true });
    const next = await start({ inputs: inputs(4) });
    expect(next).toMatchObject({ created: true, taken: 1 });
    expect(next.id).not.toBe(id);
    expect((await claim()).map(({ executionId }) => executionId)).toEqual([id]);
    expect(await readOf(id)).toEqual([1, 2, 3]);
    expect(await readOf(next.id)).toEqual([4]);
  });

  test('takes no more than its size of a single start', async () => {
    const first = await start({ inputs: inputs(1, 2, 3, 4) });
    expect(first).toMatchObject({ created: true, taken: 3, isFull: true });
    expect(await readOf(first.id)).toEqual([1, 2, 3]);
    expect(await claim()).toHaveLength(1);
  });

  test.each(['begun', 'cancelled', 'ended'])('leaves one alone that has %s', async (how) => {
    const { id } = await start({ inputs: inputs(1), waitMs: 0 });
    if (how === 'cancelled') await tested.store.cancel(id, null);
    else await claim();
    if (how === 'ended')
      await worker.complete([outcomeOf(chain, id, 0, { claim: false, status: 'Failed' })]);
    const next = await start({ inputs: inputs(2) });
    expect(next).toMatchObject({ created: true, taken: 1 });
    expect(await readOf(id)).toEqual([1]);
    expect(await start({ inputs: inputs(3) })).toMatchObject({ id: next.id, created: false });
  });

  test('leaves one of another definition alone, which begins with what it has', async () => {
    const { id } = await start({ inputs: inputs(1) });
    chain = workflow([[], [0]], { definitionId: tested.newDefinition() });
    expect(await start({ inputs: inputs(2) })).toMatchObject({ created: true });
    expect(await readOf(id)).toEqual([1]);
  });

  test('of which several of one call have different keys', async () => {
    const first = of({ inputs: inputs(1) });
    key = `batch ${++keys}`;
    const second = of({ inputs: inputs(2) });
    const { starts } = await tested.store.batches.start([first, second]);
    expect(starts.map(({ created }) => created)).toEqual([true, true]);
    expect(await readOf(starts[1]!.id)).toEqual([2]);
  });

  test('is apart from a debounced start with the same key', async () => {
    const { id } = await start({ inputs: inputs(1) });
    const debounced = { item: startOf(chain, { claims: 0 }), key, waitMs: HOUR, maxMs: null };
    const { starts } = await tested.store.debounces.start([debounced]);
    expect(starts[0]).toMatchObject({ fate: 'created' });
    expect(await start({ inputs: inputs(2) })).toMatchObject({ id });
  });

  describe('the inputs', () => {
    test('are found by their ids', async () => {
      const [one, two] = inputs(1, 2) as [BatchInput, BatchInput];
      const { id } = await start({ inputs: [one] });
      expect(await tested.store.batches.find([one.id, two.id])).toEqual(new Map([[one.id, id]]));
    });

    test('are missing for an execution without a batch', async () => {
      const id = await worker.startOne(chain);
      expect(await tested.store.batches.inputs(id)).toEqual([]);
    });

    test('are deleted with their execution', async () => {
      const [one] = inputs(1) as [BatchInput];
      const { id } = await start({ inputs: [one] });
      await tested.store.cancel(id, null);
      await tested.store.bulk.delete([id]);
      expect(await tested.store.batches.find([one.id])).toEqual(new Map());
    });
  });
}
