import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v4 as uuid, v7 as uuidv7 } from 'uuid';
import { workflowNameOf } from '../../../lib/discovery/workflow-ref.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { TaskHandler } from '../../../lib/discovery/registered-workflow.js';
import type { ProcessServices } from '../../../lib/engine/process-services.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import { QueuedBytes } from '../../../lib/engine/starts/queued-bytes.js';
import { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import { MemoryDatabase, MemoryStore } from '../../../lib/testing/memory-store/index.js';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { registered } from './engine-scene.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { tasksOf } from '../../conformance/tasks-of.js';

// Whole engines on a store in memory: that the parts are wired, and that the store holds what they ask of it.

let database: MemoryDatabase;
let store: MemoryStore;
/** The processes, in the order in which they were opened. */
let engines: TenantEngine[];
beforeEach(() => {
  database = new MemoryDatabase(systemClock);
  store = new MemoryStore(database);
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) {
    await engine.drain(0);
    engine.close();
  }
});

/** What a process does for its tenant, where all processes hear each other at once. */
function services(): ProcessServices {
  const processId = uuid();
  const others = (tell: (engine: TenantEngine) => void): void => engines.forEach(tell);
  return {
    clock: systemClock,
    slots: new SlotScheduler(10, systemClock),
    queuedBytes: new QueuedBytes(),
    identity: () => ({ processId, name: 'host/1', lockEpoch: null, lockSession: null }),
    isConnected: () => true,
    hearsNotifications: () => true,
    mustAnnounceLeases: () => false,
    askForWatch: () => undefined,
    renewLeases: () => undefined,
    announceServing: () => undefined,
    notifyWork: () => others((engine) => engine.wakeUp(false)),
    workPayload: () => 'work',
    messagePayload: () => 'messages',
    notifyMessages: () => others((engine) => engine.deliverMessages()),
    notifyPauses: () => undefined,
    notifySchedules: () => undefined,
    schedulePayload: () => '',
    notifyChildren: () => others((engine) => engine.childUse.notedElsewhere()),
    notifyCancelled: () => undefined,
    notifyPaused: () => undefined,
    notifyEnded: (_, id) => others((engine) => engine.waiters.ended(id)),
    notifyWatched: (_, id) => others((engine) => engine.changes.watchedElsewhere(id)),
    notifyChanged: (_, id) => others((engine) => engine.changes.changedElsewhere(id)),
    schedule: ({ kind, inMs }) => {
      if (kind !== 'task') return;
      setTimeout(() => others((engine) => engine.claimAvailable()), inMs).unref();
    },
  };
}

type Handlers = Readonly<Record<string, TaskHandler['run']>>;

async function open(tasks: readonly TaskSource[], handlers: Handlers, slots = 10) {
  const workflow = registered(tasks, {
    handlers: Object.fromEntries(Object.entries(handlers).map(([name, run]) => [name, { run }])),
  });
  const engine = new TenantEngine({
    settings: {
      tenant: 't',
      schema: store.schema,
      address: 't',
      maxConcurrentTasks: slots,
      maxContextSize: 1_000_000,
      maxSteps: 10_000,
      maxStepsSize: 33_554_432,
      signalSecrets: [],
      startTimeoutMs: 60_000,
      handlerGraceMs: 60_000,
      leaseDurationMs: 60_000,
      maxRecoveryAttempts: 3,
    },
    store: new MemoryStore(database),
    dataSource: {} as TaskContext['dataSource'],
    runner: () => ({}) as TaskContext['runner'],
    registry: { list: () => [workflow], get: () => workflow, nameOf: workflowNameOf },
    serves: () => true,
    services: services(),
    events: { wants: () => false, next: () => undefined },
  });
  engines.push(engine);
  await engine.open();
  engine.allowClaims(true);
  return engine;
}

async function start(engine: TenantEngine, input: Record<string, unknown> = {}): Promise<string> {
  const members = new Map(Object.entries(input).map(([key, v]) => [key, JSON.stringify(v)]));
  const { id } = await engine.starts.start({
    id: uuidv7(),
    definition: await engine.catalog.toStart('w'),
    input: JSON.stringify(input),
    members,
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
  });
  return id;
}

async function ended(engine: TenantEngine, id: string) {
  await engine.waiters.wait(id).ended;
  const [{ status, context } = { status: undefined, context: null }] = await store.executions([id]);
  return { status, context: JSON.parse(context ?? 'null') as unknown };
}

const DIAMOND: TaskSource[] = [
  { name: 'a' },
  { name: 'b', dependsOn: ['a'] },
  { name: 'c', dependsOn: ['a'] },
  { name: 'd', dependsOn: ['b', 'c'] },
];

describe('TenantEngine on a store in memory', () => {
  it('runs a workflow to its end, and joins what its tasks wrote', async () => {
    const engine = await open(DIAMOND, { a: () => ({ a: 1 }), b: () => ({ b: 2 }) });
    const { status, context } = await ended(engine, await start(engine, { given: true }));
    expect(status).toBe('Completed');
    expect(context).toEqual({ given: true, a: 1, b: 2 });
    expect(store.handle.events).toEqual([]);
  });

  it('gives a failed attempt another one, with its failure in the row', async () => {
    let attempts = 0;
    const fail = (): void => {
      if (++attempts === 1) throw new Error('once');
    };
    const retry = { maxAttempts: 2, delay: 0 };
    const engine = await open([{ name: 'a', retry }], { a: fail });
    const id = await start(engine);
    expect(await ended(engine, id)).toMatchObject({ status: 'Completed' });
    expect(await tasksOf(store, [id])).toMatchObject([{ attempt: 1 }]);
    expect(store.handle.events).toMatchObject([{ kind: 'retried', taskNo: 0 }]);
  });

  it('skips what follows a failure, and fails the execution', async () => {
    const fail = (): void => {
      throw new Error('no');
    };
    const engine = await open(
      DIAMOND.map((task) => ({ ...task, retry: { maxAttempts: 1 } })),
      { b: fail },
    );
    const id = await start(engine);
    expect(await ended(engine, id)).toMatchObject({ status: 'Failed' });
    const statuses = (await tasksOf(store, [id])).map(({ status }) => status);
    expect(statuses).toEqual(['Completed', 'Failed', 'Completed', 'Skipped']);
  });

  it('records the outcome of a transactional task with its transaction', async () => {
    const tasks: TaskSource[] = [{ name: 'a', transactional: true }];
    const engine = await open(tasks, { a: () => ({ a: 1 }) });
    const { status, context } = await ended(engine, await start(engine));
    expect([status, context]).toEqual(['Completed', { a: 1 }]);
  });

  it('leaves to another process what it has no slots for, and hears of the end', async () => {
    const starting = await open(DIAMOND, {}, 0);
    await open(DIAMOND, { a: () => ({ by: 'the other' }) });
    const { status, context } = await ended(starting, await start(starting));
    expect([status, context]).toEqual(['Completed', { by: 'the other' }]);
  });

  it('gives back what runs when it is drained, and another process carries on', async () => {
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const hang = ({ signal }: TaskContext): Promise<void> => {
      begun();
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)),
      );
    };
    const first = await open([{ name: 'a' }], { a: hang });
    const id = await start(first);
    await running;
    await first.drain(0);
    expect(store.handle.leases.size).toBe(0);
    const second = await open([{ name: 'a' }], {});
    second.claimAvailable();
    expect(await ended(second, id)).toMatchObject({ status: 'Completed' });
    expect(await tasksOf(store, [id])).toMatchObject([{ attempt: 0, recoveryAttempts: 0 }]);
  });
});
