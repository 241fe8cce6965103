import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  ChildStarter,
  type ChildRequest,
  type ChildStarterParts,
} from '../../../lib/engine/children/child-starter.js';
import type { StartRequest } from '../../../lib/engine/starts/start-request.js';
import type {
  ChildAttachment,
  ChildFate,
  ChildrenReply,
  ChildStart,
} from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let starter: ChildStarter;
/** What was sent and what followed from it, in order. */
let log: string[];
/** The fates of the next statement; `started` for what is missing. */
let fates: ChildFate[];
/** Thrown by the next statement. */
let failure: Error | undefined;
/** The executions that have an idempotency key, one read after the other. */
let owners: (string | undefined)[];
let heldUp: string[];
let attached: ChildAttachment[];
let isHeld: boolean;

function reply(starts: readonly ChildStart[]): ChildrenReply {
  if (failure !== undefined) {
    const error = failure;
    failure = undefined;
    throw error;
  }
  const children = starts.map(() => ({ fate: fates.shift() ?? ('started' as const), tags: null }));
  return { children, definitionsAreStored: true };
}

const sent = (what: string, starts: readonly ChildStart[]): number =>
  log.push(`${what} ${starts.map(({ item }) => `${item.id}:${item.claims}`).join(' ')}`);

beforeEach(() => {
  scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }]));
  log = [];
  fates = [];
  failure = undefined;
  owners = [];
  heldUp = [];
  attached = [];
  isHeld = true;
  const children = {
    startChildren: async (starts: readonly ChildStart[]) => {
      sent('start', starts);
      return reply(starts);
    },
    startKeyedChild: async (start: ChildStart) => {
      sent('start with a key', [start]);
      return reply([start]);
    },
    startChildIn: async (_: unknown, start: ChildStart) => {
      sent('start in a transaction', [start]);
      return reply([start]);
    },
    markParent: async (id: string) => void log.push(`mark ${id}`),
    heldUpBy: async () => heldUp,
    attachChildren: async (attachments: readonly ChildAttachment[]) => {
      attached.push(...attachments);
      return attachments.map(() => isHeld);
    },
  };
  const store = {
    classifyFailure: (error: unknown) => scene.store.classifyFailure(error),
    findByKeys: async () => [owners.shift()],
    children,
  };
  starter = new ChildStarter({
    clock: scene.clock,
    tenant: 't',
    schema: 's',
    startTimeoutMs: 1_000,
    store: store as unknown as ChildStarterParts['store'],
    gate: scene.gate,
    consequences: {
      created: ({ id }) => log.push(`created ${id}`),
      claimed: ({ id }, claims) => log.push(`claimed ${claims} of ${id}`),
      leftReady: ({ id }, roots) => log.push(`left ${roots} of ${id}`),
      waits: ({ id }) => log.push(`${id} waits`),
      mayBeWritten: () => log.push('may be written'),
      definitionsMissing: () => log.push('definitions missing'),
    },
    workPayload: () => 'payload',
    use: { noted: () => undefined },
  });
});

function child(id: string, parent = 'p1', more: Partial<StartRequest> = {}): ChildRequest {
  const request = {
    id,
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
  } as StartRequest;
  return {
    request,
    parent: { executionId: parent, taskNo: 0, itemNo: 0, token: 1, step: 'child', waits: true },
    onParentEnd: 'cancel',
    inheritsTags: false,
    inheritsPriority: false,
  };
}

describe('ChildStarter', () => {
  it('starts what comes together in one statement, in lock order of the parents', async () => {
    fates = ['started', 'refused'];
    const results = await Promise.all([
      starter.start(child('x', 'p2')),
      starter.start(child('y', 'p1')),
    ]);
    expect(log[0]).toBe('start y:2 x:2');
    expect(results).toEqual([
      { fate: 'refused', id: 'x', isAttached: false },
      { fate: 'started', id: 'y', isAttached: false },
    ]);
  });

  it('goes on with the claimed roots of children that were started, and with no others', async () => {
    fates = ['started', 'exists'];
    await Promise.all([starter.start(child('x', 'p1')), starter.start(child('y', 'p2'))]);
    expect(log.slice(1)).toEqual(['created x', 'claimed 2 of x']);
  });

  it('leaves roots for others where there is no room', async () => {
    const ids = Array.from({ length: 6 }, (_, no) => `x${no}`);
    await Promise.all(ids.map((id) => starter.start(child(id, id))));
    expect(log[0]).toBe('start x0:2 x1:2 x2:2 x3:2 x4:2 x5:0');
    expect(log.slice(-2)).toEqual(['created x5', 'left 2 of x5']);
  });

  it('claims nothing of a child that waits for its turn', async () => {
    const admission = { key: 'k', numbers: { concurrency: 1 }, skips: false } as never;
    await starter.start(child('x', 'p1', { admission }));
    expect(log).toEqual(['start x:0', 'created x', 'x waits']);
  });

  it('wakes workers for a child that an earlier send may have started and claimed', async () => {
    failure = new MemoryFailure('connection', 'lost', { mayBeWritten: true });
    const started = starter.start(child('x'));
    fates = ['exists'];
    await scene.clock.advance(0);
    await scene.clock.advance(1_000);
    expect(await started).toMatchObject({ fate: 'exists' });
    expect(log).toEqual(['start x:2', 'may be written', 'start x:2', 'left 2 of x']);
  });

  const keyed = (id = 'x'): ChildRequest => child(id, 'p1', { idempotencyKey: 'k' });

  it('attaches the step to the child that it has started with a key', async () => {
    expect(await starter.start(keyed())).toEqual({ fate: 'started', id: 'x', isAttached: true });
    expect(attached.map(({ childId }) => childId)).toEqual(['x']);
  });

  it('attaches the step to the execution that has the key', async () => {
    fates = ['exists'];
    owners = ['other'];
    expect(await starter.start(keyed())).toEqual({ fate: 'exists', id: 'other', isAttached: true });
    expect(attached.map(({ childId }) => childId)).toEqual(['other']);
  });

  it('tries again when the execution that had the key is gone', async () => {
    fates = ['exists', 'started'];
    owners = [undefined];
    expect(await starter.start(keyed())).toMatchObject({ fate: 'started', id: 'x' });
  });

  it('refuses to wait for an execution that waits for the parent', async () => {
    fates = ['exists'];
    owners = ['above'];
    heldUp = ['above'];
    await expect(starter.start(keyed())).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(attached).toEqual([]);
  });

  it('has started nothing for a parent whose claim was lost before the step', async () => {
    isHeld = false;
    expect(await starter.start(keyed())).toMatchObject({ fate: 'refused' });
  });

  it('claims nothing in the transaction of its parent, whose row it marks first', async () => {
    await starter.startIn({}, child('x'));
    expect(log).toEqual(['mark p1', 'start in a transaction x:0']);
  });

  it('says that another transaction holds the key', async () => {
    failure = new MemoryFailure('conflict', 'lock timeout', { isLockTimeout: true });
    await expect(starter.startIn({}, keyed())).rejects.toThrow(/idempotency key "k"/);
  });
});
