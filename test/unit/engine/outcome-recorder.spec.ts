import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { OutcomeRecorder } from '../../../lib/engine/execution/outcome-recorder.js';
import { resultOf, type TaskResult } from '../../../lib/engine/execution/task-result.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { EngineScene, registered } from './engine-scene.js';
import { systemClock, type Clock } from '../../../lib/runtime/clock.js';

let scene: EngineScene;
let recorder: OutcomeRecorder;
const awaited = new Set<string>();
const TASKS: readonly TaskSource[] = [
  { name: 'a' },
  { name: 'low', dependsOn: ['a'] },
  { name: 'high', dependsOn: ['a'], priority: 1 },
];
beforeEach(() => scenario(registered(TASKS)));

function scenario(workflow: RegisteredWorkflow, clock: Clock = systemClock): void {
  scene = new EngineScene(workflow);
  const nameOf = ({ claim }: TaskResult): string => claim.task.name;
  const taskOf = (no: number): string => scene.definition.workflow.tasks[no]!.name;
  recorder = new OutcomeRecorder(scene.store, scene.claims, scene.gate, clock, {
    isAwaited: (id) => awaited.has(id),
    claimed: (_, { taskNo }) => scene.called.push(`claimed ${taskOf(taskNo)}`),
    leftReady: scene.note('leftReady'),
    limitedReady: scene.note('limitedReady'),
    ended: (_, { status }) => scene.called.push(`ended ${status}`),
    recorded: (of) => scene.called.push(`recorded ${nameOf(of)}`),
    refused: (of) => scene.called.push(`refused ${nameOf(of)}`),
    mayBeWritten: scene.note('mayBeWritten'),
  });
}

function completed(claim: TaskClaim, output: string | null = null): TaskResult {
  return resultOf(claim, claim.cache.inputOf(claim.task.no), 'Completed', { output });
}

describe('OutcomeRecorder', () => {
  it('records an outcome and claims the dependents that it made ready', async () => {
    const [claim] = await scene.running();
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['recorded a', 'claimed low', 'claimed high']);
    expect(await scene.statusesOf(claim!.executionId)).toEqual(['Completed', 'Running', 'Running']);
    expect(claim!.cache.outcome(0)).toMatchObject({ status: 'Completed' });
    expect(scene.claims.holds(claim!)).toBe(false);
    expect(scene.lease.isHeld).toBe(true);
    expect([scene.queue.reserved, recorder.isBusy, scene.inFlight.isBusy]).toEqual([
      0,
      false,
      false,
    ]);
  });

  it.each([
    [1, false, true],
    [11, false, false],
    [11, true, true],
  ])('of %p outcomes, asks for times if a caller waits (%p): %p', async (count, waits, asks) => {
    const claims: TaskClaim[] = [];
    for (let n = 0; n < count; n++) claims.push(...(await scene.running()));
    awaited.clear();
    if (waits) awaited.add(claims.at(-1)!.executionId);
    await Promise.all(claims.map((claim) => recorder.record(completed(claim))));
    const times = { startedAt: expect.any(Number), completedAt: expect.any(Number) };
    expect(claims[0]!.cache.outcome(0)?.times).toEqual(asks ? times : undefined);
  });

  it('says which outcome could not be recorded for some seconds, and why', async () => {
    const clock = new ManualClock();
    scenario(registered(TASKS), clock);
    const complete = scene.store.complete.bind(scene.store);
    scene.store.complete = () => Promise.reject(new MemoryFailure('passing', 'the disk is full'));
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    try {
      const [claim] = await scene.running();
      const recorded = recorder.record(completed(claim!));
      for (let passed = 0; passed < 30_000; passed += 250) await clock.advance(250);
      expect(warn.mock.calls.map(String)).toEqual([
        expect.stringMatching(
          `outcome of task a of execution ${claim!.executionId} could not be recorded for some seconds .*: the disk is full`,
        ),
      ]);
      scene.store.complete = complete;
      for (let passed = 0; passed < 30_000; passed += 250) await clock.advance(250);
      await recorded;
      expect(scene.called).toContain('recorded a');
    } finally {
      warn.mockRestore();
    }
  });

  it('sends the outcome of a task beside a batch of items that is under way', async () => {
    const complete = scene.store.complete.bind(scene.store);
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    scene.store.complete = async (outcomes, lease) => {
      if (outcomes.every(({ itemNo }) => itemNo === 0)) return complete(outcomes, lease);
      await gate;
      return { accepted: outcomes.map(() => true), readied: [], ended: [] };
    };
    const [item] = await scene.running();
    const [task] = await scene.running();
    const recorded = recorder.record(completed(Object.assign(item!, { itemNo: 1 })));
    await recorder.record(completed(task!));
    expect(recorder.isBusy).toBe(true);
    open();
    await recorded;
  });

  it('claims the dependents of the highest priority where there is not room for all', async () => {
    const [claim] = await scene.running();
    scene.queue.occupy(9);
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['recorded a', 'leftReady', 'claimed high']);
    expect(scene.queue.reserved).toBe(9);
  });

  it('writes no lease, and leaves the dependents to others, where there is no room', async () => {
    const [claim] = await scene.running();
    scene.queue.occupy(10);
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['recorded a', 'leftReady', 'leftReady']);
    expect(scene.lease.mayStand).toBe(false);
  });

  it('leaves dependents without a handler to other processes', async () => {
    scenario(registered(TASKS, { handlers: { low: null } }));
    const [claim] = await scene.running();
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['recorded a', 'leftReady', 'claimed high']);
  });

  it('handles the failures that a task completes after, and nothing else', async () => {
    const rules = ['a', 'b'].map((task) => ({ kind: 'taskFailed', task }) as const);
    scenario(
      registered([
        { name: 'a' },
        { name: 'b' },
        { name: 'c', dependsOn: ['a', 'b'], when: { kind: 'any', rules } },
      ]),
    );
    const sent: (readonly number[])[] = [];
    const complete = scene.store.complete.bind(scene.store);
    scene.store.complete = (outcomes, lease) => {
      sent.push(...outcomes.map(({ handles }) => handles));
      return complete(outcomes, lease);
    };
    const [a, b] = await scene.running();
    await recorder.record(completed(b!));
    const error = { name: 'Error', message: 'no' };
    await recorder.record(resultOf(a!, a!.cache.inputOf(0), 'Failed', { error }));
    const [c] = await scene.adopt(a!.executionId);
    c!.cache.record(0, a!.cache.outcome(0)!);
    c!.cache.record(1, b!.cache.outcome(1)!);
    await recorder.record(completed(c!));
    expect(sent).toEqual([[], [], [0]]);
    expect(scene.called.at(-1)).toBe('ended Completed');
  });

  it('calls no process for dependents that a pause holds', async () => {
    const [claim] = await scene.running();
    await scene.store.pause(claim!.executionId, null);
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['recorded a']);
  });

  it('tells of the end of an execution', async () => {
    const [claim] = await scene.running();
    await recorder.record(completed(claim!));
    const dependents = await scene.adopt(claim!.executionId);
    for (const one of dependents) one.cache.record(0, claim!.cache.outcome(0)!);
    await Promise.all(dependents.map((one) => recorder.record(completed(one))));
    expect(scene.called.slice(3)).toEqual(['recorded low', 'recorded high', 'ended Completed']);
  });

  it('tells of an outcome whose claim was lost, and sends none that is known to be', async () => {
    const [claim] = await scene.running();
    await scene.takeAway();
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['refused a']);
    scene.claims.lose(claim!);
    scene.store.complete = () => Promise.reject(new Error('nothing is to be sent'));
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['refused a']);
  });

  it('finds out after a lost reply that the outcome was recorded', async () => {
    const [claim] = await scene.running();
    const lost = new MemoryFailure('connection', 'lost', { mayBeWritten: true });
    scene.failNext('complete', lost, { executed: true });
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['mayBeWritten', 'leftReady', 'recorded a']);
    expect(await recorder.isRecorded(completed(claim!))).toBe(true);
  });

  it('finds out after a lost reply that a failure was recorded', async () => {
    const [claim] = await scene.running();
    const lost = new MemoryFailure('connection', 'lost', { mayBeWritten: true });
    scene.failNext('complete', lost, { executed: true });
    const error = { name: 'Error', message: 'no' };
    await recorder.record(resultOf(claim!, claim!.cache.inputOf(0), 'Failed', { error }));
    expect(scene.called).toEqual(['mayBeWritten', 'leftReady', 'recorded a']);
  });

  it('takes no cancellation for the outcome that it sent', async () => {
    const [claim] = await scene.running();
    await scene.store.cancel(claim!.executionId, null);
    expect(await recorder.isRecorded(completed(claim!))).toBe(false);
  });

  it('records an outcome again that a lost connection kept from the database', async () => {
    const [claim] = await scene.running();
    const lost = new MemoryFailure('connection', 'lost', { mayBeWritten: true });
    scene.failNext('complete', lost);
    expect(await recorder.isRecorded(completed(claim!))).toBe(false);
    await recorder.record(completed(claim!));
    expect(scene.called).toEqual(['mayBeWritten', 'recorded a', 'claimed low', 'claimed high']);
  });

  it('rejects an outcome that cannot be stored, with the claim held, and records the others', async () => {
    const [bad] = await scene.running();
    const [good] = await scene.running();
    const recorded = await Promise.allSettled([
      recorder.record(completed(bad!, '{"a":"\\u0000"}')),
      recorder.record(completed(good!)),
    ]);
    expect(recorded).toMatchObject([
      { status: 'rejected', reason: { kind: 'data' } },
      { status: 'fulfilled' },
    ]);
    expect([scene.claims.holds(bad!), scene.claims.holds(good!)]).toEqual([true, false]);
    expect(scene.queue.reserved).toBe(0);
  });

  it('gives up the wait for a database that is away when it is closed', async () => {
    const [claim] = await scene.running();
    scene.store.complete = () => Promise.reject(new MemoryFailure('connection', 'away'));
    const recorded = recorder.record(completed(claim!));
    recorder.close();
    await expect(recorded).rejects.toThrow('away');
    await recorder.whenIdle();
  });
});
