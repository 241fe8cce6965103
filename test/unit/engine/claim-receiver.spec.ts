import { beforeEach, describe, expect, it } from '@jest/globals';
import { ClaimReceiver } from '../../../lib/engine/claims/claim-receiver.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let receiver: ClaimReceiver;
let taken: TaskClaim[];
let deadlines: number[];
beforeEach(async () => {
  const tasks = [
    { name: 'low' },
    { name: 'high', priority: 5 },
    { name: 'next', dependsOn: ['low', 'high'], priority: 2 },
  ];
  scene = new EngineScene(registered(tasks, { timeout: 60_000 }));
  await scene.catalog.open();
  taken = [];
  deadlines = [];
  receiver = new ClaimReceiver({
    catalog: scene.catalog,
    claims: scene.claims,
    take: (claim) => taken.push(claim),
    deadlineIn: (ms) => deadlines.push(ms),
  });
});

const request = (id: string, priority = 0) => ({
  id,
  definition: scene.definition,
  input: '{"a":1}',
  members: new Map([['a', '1']]),
  priority,
  runAt: null,
  delayMs: null,
  idempotencyKey: null,
  tags: null,
  traceContext: null,
  isAwaited: false,
});

describe('ClaimReceiver', () => {
  it('goes on with a claimed task, with its input, and watches the deadline', async () => {
    await scene.start({ claims: 0, input: '{"a":1}' });
    const { id } = scene.definition;
    const [row] = await scene.store.claim([id], [], 1, scene.lease.withoutClaim());
    receiver.fromRow(row!);
    receiver.fromRow(row!);
    expect(taken).toMatchObject([{ token: row!.token, priority: 5 }]);
    expect(taken[0]!.cache.inputOf(taken[0]!.task.no).view.toJson()).toBe('{"a":1}');
    expect(deadlines).toEqual([60_000, 60_000]);
  });

  it('leaves a task of a definition that this process does not know', async () => {
    await scene.start({ claims: 0 });
    const { id } = scene.definition;
    const [row] = await scene.store.claim([id], [], 1, scene.lease.withoutClaim());
    receiver.fromRow({ ...row!, definitionId: '42' });
    expect([taken, deadlines]).toEqual([[], []]);
  });

  it('goes on with the first roots of a start, by priority', () => {
    receiver.fromStart(request('x', 100), 1);
    const facts = { token: FIRST_TOKEN, priority: 105, failures: 0, recoveryAttempts: 0 };
    expect(taken).toMatchObject([{ executionId: 'x', task: { name: 'high' }, ...facts }]);
    expect(taken[0]!.cache.inputKnown).toBe(true);
    expect(deadlines).toEqual([60_000]);
  });

  it('remembers nothing of a start of which it took up no claim', () => {
    receiver.fromStart(request('x'), 2);
    for (const claim of taken) scene.claims.release(claim);
    receiver.fromStart(request('y'), 0);
    expect(scene.claims.cacheOf('y', scene.definition, 0).inputKnown).toBe(false);
    expect(taken).toHaveLength(2);
  });

  it("goes on with a dependent, with the execution's priority and the task's", () => {
    receiver.fromStart(request('x', 100), 2);
    const [high] = taken;
    const readied = {
      taskNo: 2,
      token: FIRST_TOKEN,
      unmetDependencies: 1,
      generation: 0,
      wakes: 3,
      hasSteps: true,
    };
    receiver.fromOutcome(high!, readied);
    receiver.fromOutcome(high!, readied);
    const next = { task: { name: 'next' }, priority: 102, unmetDependencies: 1, failures: 0 };
    expect(taken.slice(2)).toMatchObject([next]);
    expect(taken[2]!.cache).toBe(high!.cache);
  });
});
