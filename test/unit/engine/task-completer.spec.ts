import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TaskRescheduler } from '../../../lib/engine/claims/task-rescheduler.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { Abandonment } from '../../../lib/engine/execution/abandonment.js';
import { REFUSED, SUPERSEDED } from '../../../lib/engine/execution/handler-outcome.js';
import { OutcomeRecorder } from '../../../lib/engine/execution/outcome-recorder.js';
import { TaskCompleter } from '../../../lib/engine/execution/task-completer.js';
import { resultOf } from '../../../lib/engine/execution/task-result.js';
import { InputReader } from '../../../lib/engine/memory/input-reader.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { TenantEvents } from '../../../lib/events/tenant-events.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { waitFor } from '../../support/wait-for.js';
import { EngineScene, registered } from './engine-scene.js';
import { tasksOf } from '../../conformance/tasks-of.js';

let scene: EngineScene;
let completer: TaskCompleter;
let recorder: OutcomeRecorder;
let rescheduler: TaskRescheduler;
let claim: TaskClaim;
/** When tasks that were given back are due, in milliseconds. */
let dueIn: number[];
beforeEach(async () => {
  const retry = { maxAttempts: 2, delay: 1_000, jitter: false } as const;
  const retryIf = (error: unknown): boolean => (error as Error).message !== 'hopeless';
  scene = new EngineScene(registered([{ name: 'a', retry }], { handlers: { a: { retryIf } } }));
  dueIn = [];
  rescheduler = new TaskRescheduler(scene.store, scene.claims, scene.clock);
  recorder = new OutcomeRecorder(scene.store, scene.claims, scene.gate, scene.clock, {
    isAwaited: () => false,
    claimed: scene.note('claimed'),
    leftReady: scene.note('leftReady'),
    limitedReady: scene.note('limitedReady'),
    ended: (_, { status }) => scene.called.push(`ended ${status}`),
    recorded: ({ status }) => scene.called.push(`recorded ${status}`),
    refused: scene.note('refused'),
    mayBeWritten: scene.note('mayBeWritten'),
  });
  completer = new TaskCompleter({
    clock: scene.clock,
    state: scene.state,
    store: scene.store,
    claims: scene.claims,
    recorder,
    rescheduler,
    events: new TenantEvents('t', {
      wants: () => true,
      next: ({ type }) => scene.called.push(type),
    }),
    cancelItems: async () => true,
    consequences: {
      dueIn: (ms) => dueIn.push(ms),
      reconcile: scene.note('reconcile'),
    },
  });
  [claim] = (await scene.running()) as [TaskClaim];
});
afterEach(() => void jest.restoreAllMocks());

const inputOf = (of: TaskClaim) => of.cache.inputOf(of.task.no);
const failed = (error: Error) => ({ kind: 'failed', input: inputOf(claim), error }) as const;

/** The task's row, once the claim has ended here. */
async function ended() {
  await waitFor(() => !scene.claims.holds(claim), { every: 1, what: 'the end of the claim' });
  await Promise.all([recorder.whenIdle(), rescheduler.whenIdle()]);
  const [task] = await tasksOf(scene.store, [claim.executionId]);
  return { ...task!, error: task!.error === null ? null : (JSON.parse(task!.error) as unknown) };
}

describe('TaskCompleter', () => {
  it('gives a failed attempt another one, after the pause of its retry policy', async () => {
    completer.complete(claim, failed(new Error('once')));
    expect(claim.stage).toBe('settled');
    expect(await ended()).toMatchObject({
      status: 'Ready',
      attempt: 1,
      error: { message: 'once' },
      runAt: new Date(scene.clock.wallTime() + 1_000),
    });
    expect([scene.called, dueIn]).toEqual([['task.retrying'], [1_000]]);
  });

  it.each([
    ['that is not to be retried', new NonRetryableError('no')],
    ['that retryIf refuses', new Error('hopeless')],
  ])('fails the task with an error %s', async (_, error) => {
    completer.complete(claim, failed(error));
    expect(await ended()).toMatchObject({ status: 'Failed', error: { message: error.message } });
    expect(scene.called).toEqual(['recorded Failed', 'ended Failed']);
  });

  it('fails the task with the last of its attempts', async () => {
    completer.complete(claim, failed(new Error('once')));
    await ended();
    await scene.clock.advance(1_000);
    const lease = scene.lease.withoutClaim();
    await scene.store.claim([scene.definition.id], [], 1, lease);
    [claim] = (await scene.adopt(claim.executionId)) as [TaskClaim];
    completer.complete(claim, failed(new Error('twice')));
    expect(await ended()).toMatchObject({ status: 'Failed', attempt: 2 });
  });

  it('charges no attempt for a failure while the process stops', async () => {
    scene.state.on('drain');
    completer.complete(claim, failed(new Error('aborted')));
    expect(await ended()).toMatchObject({ status: 'Ready', attempt: 0, error: null });
    expect(scene.called).toEqual([]);
  });

  it('does nothing for a claim that is lost already', async () => {
    scene.claims.lose(claim);
    completer.complete(claim, failed(new Error('late')));
    expect(await ended()).toMatchObject({ status: 'Running', attempt: 0 });
  });

  it('tells of a deferral, and when it is due', async () => {
    completer.complete(claim, { kind: 'deferred', delayMs: 5_000 });
    expect(await ended()).toMatchObject({ status: 'Ready', deferred: true });
    expect([scene.called, dueIn]).toEqual([['task.deferred'], [5_000]]);
  });

  it('tells of a claim that was lost when it is given back, and compares', async () => {
    await scene.takeAway();
    completer.giveBack(claim);
    await ended();
    expect([scene.called, dueIn, claim.lost]).toEqual([['claim.lost', 'reconcile'], [], true]);
  });

  it('follows what a transaction of its own has recorded', async () => {
    const result = resultOf(claim, inputOf(claim), 'Completed', {});
    const completion = await scene.store.transaction(
      (transaction) => recorder.recordIn(transaction, result),
      claim.signal,
    );
    completer.complete(claim, { kind: 'committed', result, completion });
    expect(await ended()).toMatchObject({ status: 'Completed' });
    expect(scene.called).toEqual(['recorded Completed', 'ended Completed']);
  });

  it('loses a claim whose outcome was refused, and compares', () => {
    completer.complete(claim, REFUSED);
    expect([scene.claims.holds(claim), claim.lost]).toEqual([false, true]);
    expect(scene.called).toEqual(['claim.lost', 'reconcile']);
  });

  it.each([REFUSED, { kind: 'unrecordable', error: new Error('late') } as const])(
    'keeps a claim until it is given back, though its run ends as $kind before',
    async (outcome) => {
      completer.giveBack(claim);
      completer.complete(claim, outcome);
      expect(scene.claims.holds(claim)).toBe(true);
      expect(await ended()).toMatchObject({ status: 'Ready', attempt: 0, recoveryAttempts: 0 });
      expect(scene.called).toEqual([]);
    },
  );

  it('charges no attempt for what begins again after a pause', async () => {
    completer.complete(claim, { kind: 'givenBack', delayMs: 250 });
    const runAt = new Date(scene.clock.wallTime() + 250);
    expect(await ended()).toMatchObject({ status: 'Ready', attempt: 0, error: null, runAt });
    expect([scene.called, dueIn]).toEqual([[], [250]]);
  });

  it('leaves alone what something else has decided', () => {
    completer.complete(claim, SUPERSEDED);
    expect([scene.claims.holds(claim), claim.stage, scene.called]).toEqual([true, 'waiting', []]);
  });

  it.each([
    [null, []],
    [5_000, [5_000]],
  ])('tells of a suspension for %p ms, and when the task is due', async (delayMs, due) => {
    completer.complete(claim, { kind: 'suspended', delayMs, joins: 0 });
    expect(await ended()).toMatchObject({ status: 'Waiting', attempt: 0 });
    expect([scene.called, dueIn]).toEqual([['task.suspended'], due]);
  });

  it('wakes workers for a task that was woken before it was suspended', async () => {
    await scene.store.wake([{ executionId: claim.executionId, taskNo: 0, itemNo: 0 }]);
    completer.complete(claim, { kind: 'suspended', delayMs: null, joins: 0 });
    expect(await ended()).toMatchObject({ status: 'Waiting', runAt: expect.any(Date) });
    expect(dueIn).toEqual([0]);
  });

  it('wakes workers where a suspension was refused: an earlier send may have met a wake-up', async () => {
    await scene.takeAway();
    completer.complete(claim, { kind: 'suspended', delayMs: null, joins: 0 });
    await ended();
    expect(dueIn).toEqual([0]);
  });

  it('defers no task whose claim is lost', async () => {
    scene.claims.lose(claim);
    completer.complete(claim, { kind: 'deferred', delayMs: 0 });
    expect([await ended(), scene.called]).toMatchObject([{ status: 'Running' }, []]);
  });

  it('gives a claim up by an error of the library itself', async () => {
    const bug = { kind: 'failed', input: inputOf(claim), error: new Error('no') } as const;
    Object.defineProperty(claim.definition, 'handlers', { value: undefined });
    completer.complete(claim, bug);
    expect(await ended()).toMatchObject({ status: 'Running' });
    expect(claim.lost).toBe(true);
  });

  it('looks when a task is due that a send with a lost reply may have given back', async () => {
    await scene.takeAway();
    completer.complete(claim, { kind: 'deferred', delayMs: 5_000 });
    await ended();
    expect(dueIn).toEqual([5_000]);
  });

  it('fails a task that was lost too often, with its owners, though its input is not in memory', async () => {
    const [row] = await scene.store.claimsOf(scene.lease.instanceId);
    scene.claims.lose(claim);
    const abandonment = new Abandonment(
      { ownersOf: async () => ['one', 'two'] },
      scene.claims,
      new InputReader(scene.store, scene.clock),
      completer,
    );
    await abandonment.abandon({ ...row!, abandoned: true }, scene.definition);
    [claim] = scene.claims.all() as [TaskClaim];
    expect(claim.stage).toBe('settled');
    expect(await ended()).toMatchObject({
      status: 'Failed',
      error: { name: 'TaskAbandonedError', message: expect.stringContaining('two') },
    });
  });

  it('fails a task whose output cannot be stored, with the reason', async () => {
    const output = { output: '{"a":"\\u0000"}' };
    completer.complete(claim, resultOf(claim, inputOf(claim), 'Completed', output));
    expect(await ended()).toMatchObject({
      status: 'Failed',
      output: null,
      error: { message: expect.stringContaining('cannot be stored') },
    });
  });

  it('stores in ASCII a failure that cannot be stored otherwise', async () => {
    const error = { name: 'Error', message: 'bad ü text' };
    scene.failNext('complete', new MemoryFailure('data', 'the encoding lacks a character'));
    completer.complete(claim, resultOf(claim, inputOf(claim), 'Failed', { error }));
    const { status, error: stored } = await ended();
    expect(status).toBe('Failed');
    expect(stored).toMatchObject({ message: 'bad \\u00fc text' });
  });

  it('stores in ASCII the error of a retry that cannot be stored otherwise', async () => {
    scene.failNext('reschedule', new MemoryFailure('data', 'the encoding lacks a character'));
    completer.complete(claim, failed(new Error('bad ü text')));
    const { status, error: stored } = await ended();
    expect(status).toBe('Ready');
    expect(stored).toMatchObject({ message: 'bad \\u00fc text' });
  });

  it.each(['complete', 'reschedule'] as const)(
    'gives a claim up when the database refuses to go on with it: %s',
    async (method) => {
      scene.failNext(method, new MemoryFailure('refused', 'no table'));
      if (method === 'complete')
        completer.complete(claim, resultOf(claim, inputOf(claim), 'Completed', {}));
      else completer.giveBack(claim);
      expect(await ended()).toMatchObject({ status: 'Running' });
      expect(claim.lost).toBe(true);
    },
  );

  it('gives a claim up when not even the error of a retry in ASCII can be stored', async () => {
    let sends = 0;
    const { reschedule } = scene.store;
    scene.store.reschedule = (...args) => {
      if (++sends > 2) return reschedule.apply(scene.store, args);
      return Promise.reject(new MemoryFailure('data', 'nothing is taken'));
    };
    completer.complete(claim, failed(new Error('bad ü text')));
    expect(await ended()).toMatchObject({ status: 'Running' });
    expect([claim.lost, sends]).toEqual([true, 2]);
  });

  it.each([true, false])('reports what it gives up, unless it was lost: %p', async (isLost) => {
    const report = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    if (isLost) scene.claims.lose(claim);
    completer.complete(claim, { kind: 'unrecordable', error: new Error('no') });
    await ended();
    expect(report).toHaveBeenCalledTimes(isLost ? 0 : 1);
  });

  it('gives a claim up when not even the failure in ASCII can be stored', async () => {
    scene.store.complete = () => Promise.reject(new MemoryFailure('data', 'nothing is taken'));
    completer.complete(claim, resultOf(claim, inputOf(claim), 'Completed', { output: '{"a":1}' }));
    expect(await ended()).toMatchObject({ status: 'Running' });
    expect(claim.lost).toBe(true);
  });
});
