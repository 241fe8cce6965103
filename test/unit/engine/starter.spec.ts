import { beforeEach, describe, expect, it } from '@jest/globals';
import { QueuedBytes } from '../../../lib/engine/starts/queued-bytes.js';
import { Starter } from '../../../lib/engine/starts/starter.js';
import type { StartRequest } from '../../../lib/engine/starts/start-request.js';
import { DatabaseUnavailableError } from '../../../lib/errors/index.js';
import { MemoryFailure, MemoryTransaction } from '../../../lib/testing/memory-store/index.js';
import { noLease, startOf } from '../../conformance/workflows.js';
import { EngineScene, registered } from './engine-scene.js';
import { systemClock, type Clock } from '../../../lib/runtime/clock.js';

let scene: EngineScene;
let starter: Starter;
let queuedBytes: QueuedBytes;
let heldHere: boolean;
/** Executions that were told to be stored. */
let created: string[];
/** How long a start waits, in milliseconds. */
let startTimeoutMs: number;
beforeEach(async () => {
  scene = new EngineScene(
    registered([{ name: 'a' }, { name: 'b' }, { name: 'c', dependsOn: ['a'] }]),
  );
  await scene.catalog.open();
  queuedBytes = new QueuedBytes(1_000);
  heldHere = false;
  created = [];
  startTimeoutMs = 60_000;
  starter = createStarter(systemClock);
});

function createStarter(clock: Clock): Starter {
  return new Starter({
    clock,
    tenant: 't',
    store: scene.store,
    gate: scene.gate,
    get startTimeoutMs() {
      return startTimeoutMs;
    },
    queuedBytes,
    isHeldHere: () => heldHere,
    consequences: {
      created: ({ id }) => created.push(id),
      claimed: (_, claims) => scene.called.push(`claimed ${claims}`),
      leftReady: scene.note('leftReady'),
      waits: scene.note('waits'),
      mayBeWritten: scene.note('mayBeWritten'),
      definitionsMissing: scene.note('definitionsMissing'),
    },
  });
}

let ids = 0;
function request(more: Partial<StartRequest> = {}): StartRequest {
  return {
    id: `execution ${ids++}`,
    definition: scene.definition,
    input: '{}',
    members: new Map(),
    priority: 0,
    runAt: null,
    delayMs: null,
    startBefore: null,
    idempotencyKey: null,
    tags: null,
    limitKeys: null,
    traceContext: null,
    admission: null,
    isAwaited: false,
    ...more,
  };
}

const lost = () => new MemoryFailure('connection', 'lost', { mayBeWritten: true });

describe('Starter', () => {
  it('claims the roots with the start where there is room', async () => {
    const asked = request();
    expect(await starter.start(asked)).toMatchObject({ id: asked.id, created: true, claims: 2 });
    expect(scene.called).toEqual(['claimed 2']);
    expect(await scene.statusesOf(asked.id)).toEqual(['Running', 'Running', 'NotStarted']);
    const { reserved } = scene.queue;
    expect([scene.lease.isHeld, reserved, queuedBytes.bytes]).toEqual([true, 0, 0]);
  });

  it('leaves roots to others where there is no room for them', async () => {
    scene.queue.occupy(9);
    expect(await starter.start(request())).toMatchObject({ claims: 1 });
    expect(scene.called).toEqual(['claimed 1', 'leftReady']);
  });

  it('leaves half of the room to what is known to wait', async () => {
    scene.queue.occupy(8);
    scene.queue.hasBacklog = true;
    expect(await starter.start(request())).toMatchObject({ claims: 1 });
  });

  it.each([{ delayMs: 1_000 }, { runAt: new Date('2100-01-01T00:00:00Z') }])(
    'claims nothing of what is due later: %j',
    async (when) => {
      expect(await starter.start(request(when))).toMatchObject({ created: true, claims: 0 });
      expect(scene.lease.mayStand).toBe(false);
    },
  );

  it('sends what comes together in one statement', async () => {
    const { start } = scene.store;
    const batches: number[] = [];
    scene.store.start = (...args) => {
      batches.push(args[0].length);
      return start.apply(scene.store, args);
    };
    await Promise.all([1, 2, 3].map(() => starter.start(request())));
    expect(batches).toEqual([3]);
    await starter.whenIdle();
  });

  it.each([0, 2])(
    'notes that a caller waits unless it claims the roots: %p claimed',
    async (claims) => {
      if (claims === 0) scene.queue.occupy(10);
      const { hasWaiters } = await starter.start(request({ isAwaited: true }));
      expect(hasWaiters).toBe(claims === 0);
    },
  );

  it('finds the execution of a key that is taken', async () => {
    const first = request({ idempotencyKey: 'k' });
    await starter.start(first);
    const again = request({ idempotencyKey: 'k' });
    const found = { id: first.id, created: false, claims: 0 };
    expect(await starter.start(again)).toMatchObject(found);
    expect(await scene.statusesOf(again.id)).toEqual([]);
  });

  it('starts one execution of the same key in one batch', async () => {
    const both = [request({ idempotencyKey: 'k' }), request({ idempotencyKey: 'k' })] as const;
    const [first, second] = await Promise.all(both.map((one) => starter.start(one)));
    expect(first).toMatchObject({ id: both[0].id, created: true });
    expect(second).toMatchObject({ id: both[0].id, created: false, claims: 0 });
  });

  const admission = { key: 'w', numbers: { concurrency: 1 }, skips: false };

  it.each([
    ['without a key', {}, ['leftReady']],
    ['with a key', { idempotencyKey: 'k' }, ['leftReady']],
    ['with an admission', { admission }, ['waits', 'leftReady']],
    ['with both', { idempotencyKey: 'k', admission }, ['waits', 'leftReady']],
  ])(
    'starts once after a reply that was lost, and looks for its tasks: %s',
    async (_, more, follows) => {
      scene.failNext('start', lost(), { executed: true });
      const asked = request(more);
      expect(await starter.start(asked)).toMatchObject({ id: asked.id, created: true });
      expect(scene.called.toSorted()).toEqual(['mayBeWritten', ...follows].toSorted());
      expect(created).toEqual([asked.id]);
      expect(await scene.statusesOf(asked.id)).toHaveLength(3);
    },
  );

  it('claims after a connection that was lost before the statement', async () => {
    scene.failNext('start', lost());
    expect(await starter.start(request())).toMatchObject({ created: true, claims: 2 });
    expect(scene.called).toEqual(['claimed 2', 'mayBeWritten']);
  });

  it('does not say of a start that may be stored that it failed', async () => {
    startTimeoutMs = 0;
    scene.store.start = () => Promise.reject(lost());
    const error: unknown = await starter.start(request()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
    expect(error).toMatchObject({ mayBeWritten: true });
  });

  it('says how long a database was away that took no statement', async () => {
    startTimeoutMs = 0;
    scene.store.start = () => Promise.reject(new MemoryFailure('connection', 'away'));
    const error: unknown = await starter.start(request()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
    expect(error).toMatchObject({ mayBeWritten: false });
    expect(queuedBytes.bytes).toBe(0);
  });

  it.each([
    { mayBeWritten: false, waitsMs: 1_000 },
    { mayBeWritten: true, waitsMs: 6_000 },
  ])('waits six times as long for a start that may be stored: %j', async (failure) => {
    const { mayBeWritten, waitsMs } = failure;
    startTimeoutMs = 1_000;
    starter = createStarter(scene.clock);
    scene.store.start = () =>
      Promise.reject(new MemoryFailure('connection', 'away', { mayBeWritten }));
    const started = starter.start(request({ input: '{"a":1}' }));
    const rejected = expect(started).rejects.toMatchObject({ mayBeWritten });
    await scene.clock.advance(0);
    await scene.clock.advance(waitsMs - 100);
    expect(queuedBytes.bytes).toBe(7);
    await scene.clock.advance(2_000);
    await rejected;
  });

  it('blames no other transaction for a key where the database is away', async () => {
    startTimeoutMs = 0;
    scene.store.start = () => Promise.reject(new MemoryFailure('connection', 'away'));
    const started = starter.start(request({ idempotencyKey: 'k' }));
    await expect(started).rejects.toThrow(/^(?!.*transaction)/);
  });

  it('stores keys in one order, as every process does', async () => {
    const sent: (string | null)[] = [];
    const { start } = scene.store;
    scene.store.start = (...args) => {
      sent.push(...args[0].map(({ idempotencyKey }) => idempotencyKey));
      return start.apply(scene.store, args);
    };
    const keys = ['b', 'c', 'a'];
    await Promise.all(keys.map((idempotencyKey) => starter.start(request({ idempotencyKey }))));
    expect(sent).toEqual(['a', 'b', 'c']);
  });

  it.each([
    [true, /transaction is one of this process/],
    [false, /pg_stat_activity/],
  ])('tells who holds a key; this process: %p', async (isHere, message) => {
    startTimeoutMs = 0;
    heldHere = isHere;
    await MemoryTransaction.run(scene.store.handle, async (transaction) => {
      const item = startOf(scene.definition, { idempotencyKey: 'k' });
      await scene.store.startIn(transaction, [item], noLease(), 'work');
      await expect(starter.start(request({ idempotencyKey: 'k' }))).rejects.toThrow(message);
      expect(await starter.start(request({ idempotencyKey: 'other' }))).toMatchObject({
        created: true,
      });
    });
  });

  it('rejects the start that cannot be stored, and starts the others of its batch', async () => {
    const started = await Promise.allSettled([
      starter.start(request({ input: '{"a":"\\u0000"}' })),
      starter.start(request()),
    ]);
    expect(started).toMatchObject([
      { status: 'rejected', reason: { kind: 'data' } },
      { status: 'fulfilled', value: { created: true } },
    ]);
  });

  it('tells when the database has lost the definition', async () => {
    scene.store.handle.definitions.clear();
    await starter.start(request());
    expect(scene.called).toEqual(['definitionsMissing', 'claimed 2']);
  });

  it('refuses more bytes than may wait', async () => {
    const large = JSON.stringify({ text: 'x'.repeat(600) });
    const first = starter.start(request({ input: large }));
    expect(() => starter.start(request({ input: large }))).toThrow(
      /has reached the limit .*, with 1 start and/,
    );
    await first;
    expect(await starter.start(request({ input: large }))).toMatchObject({ created: true });
  });

  it('rejects what waits for a database that is away when it is closed', async () => {
    scene.store.start = () => Promise.reject(new MemoryFailure('connection', 'away'));
    const started = starter.start(request());
    starter.close();
    await expect(started).rejects.toThrow('away');
  });
});
