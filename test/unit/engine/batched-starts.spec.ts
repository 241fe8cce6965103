import { beforeEach, describe, expect, it } from '@jest/globals';
import { BatchedStarts } from '../../../lib/engine/starts/batched-starts.js';
import { QueuedBytes } from '../../../lib/engine/starts/queued-bytes.js';
import type { Started, StartRequest } from '../../../lib/engine/starts/start-request.js';
import type { BatchStore } from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let starts: BatchedStarts;
let created: string[];
let dueIn: number[];
/** What a send does to the one of the store. */
let around: (send: () => ReturnType<BatchStore['start']>) => ReturnType<BatchStore['start']>;
beforeEach(async () => {
  scene = new EngineScene(registered([{ name: 'a' }]));
  await scene.catalog.open();
  [created, dueIn] = [[], []];
  around = (send) => send();
  const { batches } = scene.store;
  starts = new BatchedStarts({
    clock: systemClock,
    tenant: 't',
    startTimeoutMs: 60_000,
    queuedBytes: new QueuedBytes(1_000),
    store: {
      classifyFailure: (error) => scene.store.classifyFailure(error),
      batches: {
        start: (items) => around(() => batches.start(items)),
        find: (inputs) => batches.find(inputs),
        inputs: (id) => batches.inputs(id),
      },
    },
    consequences: {
      created: ({ id }) => created.push(id),
      dueIn: (ms) => dueIn.push(ms),
      definitionsMissing: scene.note('definitionsMissing'),
    },
  });
});

let ids = 0;
function request(n: number): StartRequest {
  return {
    id: `execution ${ids++}`,
    definition: scene.definition,
    input: `{"n":${n}}`,
    members: new Map(),
    priority: 0,
    runAt: null,
    delayMs: null,
    startBefore: null,
    idempotencyKey: null,
    tags: null,
    traceContext: null,
    limitKeys: null,
    admission: null,
    isAwaited: false,
  };
}

const send = (count: number, size = 3, key = 'k'): Promise<Started[]> =>
  Promise.all(
    Array.from({ length: count }, (_, n) => starts.start(request(n), { key, size, waitMs: 500 })),
  );
const inputsOf = async (started: readonly Started[]): Promise<number[][]> =>
  Promise.all(
    [...new Set(started.map(({ id }) => id))].map(async (id) =>
      (await scene.store.batches.inputs(id)).map((json) => (JSON.parse(json) as { n: number }).n),
    ),
  );
const lost = () => new MemoryFailure('connection', 'lost', { mayBeWritten: true });

describe('BatchedStarts', () => {
  it('fills one batch after the other, in the order of the calls', async () => {
    const started = await send(7);
    expect(await inputsOf(started)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(started.map((one) => one.created)).toEqual([1, 0, 0, 1, 0, 0, 1].map(Boolean));
    expect(dueIn).toEqual([0, 0, 500]);
    expect(created).toHaveLength(3);
  });

  it('keeps keys apart that are sent together', async () => {
    const [a, b] = await Promise.all([send(2, 3, 'a'), send(2, 3, 'b')]);
    expect(a[0]?.id).not.toBe(b[0]?.id);
    expect(await inputsOf([...a, ...b])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('sends no input again that is stored although the reply was lost', async () => {
    around = async (store) => {
      around = (again) => again();
      await store();
      throw lost();
    };
    const started = await send(5);
    expect(await inputsOf(started)).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
    expect(started.map((one) => one.created)).toEqual([1, 0, 0, 1, 0].map(Boolean));
    // Whether the first one is full was in the reply.
    expect(dueIn).toContain(0);
  });

  it('sends inputs again that were not taken, until they are', async () => {
    let refused = 2;
    around = async (store) => {
      const { starts: results, ...reply } = refused > 0 ? await nothingOf() : await store();
      refused--;
      return { ...reply, starts: results };
    };
    const nothingOf = async () => ({
      starts: [{ id: 'other', created: false, taken: 0, isFull: false }],
      definitionsAreStored: true,
    });
    expect(await inputsOf(await send(2))).toEqual([[0, 1]]);
    expect(refused).toBe(-1);
  });

  it('says that definitions are missing', async () => {
    around = async (store) => ({ ...(await store()), definitionsAreStored: false });
    await send(1);
    expect(scene.called).toEqual(['definitionsMissing']);
  });
});
