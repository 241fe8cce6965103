import { beforeEach, describe, expect, it } from '@jest/globals';
import { ItemReader } from '../../../lib/engine/items/item-reader.js';
import type { ClaimRow, TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import type { Attempt } from '../../../lib/engine/execution/attempt.js';
import { Executor } from '../../../lib/engine/execution/executor.js';
import type { HandlerOutcome } from '../../../lib/engine/execution/handler-outcome.js';
import { Overruns } from '../../../lib/engine/execution/overruns.js';
import { Suspects } from '../../../lib/engine/execution/suspects.js';
import type { TaskCompleter } from '../../../lib/engine/execution/task-completer.js';
import { InputReader } from '../../../lib/engine/memory/input-reader.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { waitFor } from '../../support/wait-for.js';
import { EngineScene, registered } from './engine-scene.js';
import { tasksOf } from '../../conformance/tasks-of.js';

let scene: EngineScene;
let executor: Executor;
let overruns: Overruns;
let suspects: Suspects;
/** Attempts that began and have not returned. */
let running: Attempt[];
let outcomes: HandlerOutcome[];
beforeEach(() => scenario([{ name: 'a' }]));

function scenario(tasks: readonly TaskSource[]): void {
  scene = new EngineScene(registered(tasks));
  scene.state.on('live');
  [running, outcomes] = [[], []];
  const completer: Pick<TaskCompleter, 'complete' | 'giveBack'> = {
    complete: (claim, outcome) => {
      outcomes.push(outcome);
      scene.called.push(`${outcome.kind} ${claim.task.name}`);
    },
    giveBack: (claim, delayMs?: number) => {
      claim.stage = 'settled';
      scene.called.push(`giveBack ${claim.task.name} ${delayMs ?? 0}`);
    },
  };
  suspects = new Suspects(scene.store, completer);
  overruns = new Overruns({
    clock: scene.clock,
    tenant: 't',
    graceMs: 60_000,
    queue: scene.queue,
    ended: scene.note('overrunEnded'),
  });
  executor = new Executor({
    clock: scene.clock,
    state: scene.state,
    queue: scene.queue,
    inputs: new InputReader(scene.store, scene.clock),
    items: new ItemReader(scene.store, scene.clock),
    handlers: {
      run: (attempt) => {
        attempt.begin();
        running.push(attempt);
      },
    },
    completer,
    suspects,
    overruns,
    mustNotBegin: scene.note('mustNotBegin'),
    maxContextSize: 100,
  });
}

/** Waits for what is planned for the end of this turn: the filling of slots, and readings of inputs. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The row by which the claim could be taken up again. */
const rowOf = ({ executionId, taskNo, token }: TaskClaim): ClaimRow => ({
  executionId,
  taskNo,
  itemNo: 0,
  wakes: 0,
  hasSteps: false,
  token,
  attempt: 0,
  recoveryAttempts: 0,
  unmetDependencies: 0,
  deferredForMs: null,
  priority: 0,
});

/** An attempt that has timed out, while its handler runs on. */
async function timedOut(): Promise<{ claim: TaskClaim; attempt: Attempt }> {
  const [claim] = await scene.running();
  executor.take(claim!);
  await turn();
  const [attempt] = running;
  attempt!.settle('timeout');
  executor.timedOut(attempt!);
  return { claim: claim!, attempt: attempt! };
}

/** The claim of the next attempt, which the executor has taken. */
async function takenAgain(claim: TaskClaim): Promise<TaskClaim> {
  scene.claims.release(claim);
  const again = scene.claims.adopt({ ...rowOf(claim), attempt: 1 }, 0, scene.definition)!;
  again.cache.setInput(new Map());
  executor.take(again);
  await turn();
  return again;
}

/** A suspect, as the database holds it. */
async function suspect(): Promise<TaskClaim> {
  const [claim] = await scene.running();
  Object.assign(claim!, { recoveryAttempts: scene.store.suspectAfter });
  return claim!;
}

describe('Executor', () => {
  it('runs a task whose input is in memory, and hands its outcome on', async () => {
    const [claim] = await scene.running();
    executor.take(claim!);
    expect(scene.queue.waiting).toHaveLength(1);
    await turn();
    expect([running[0]?.claim, claim!.stage, scene.queue.running]).toEqual([claim, 'running', 1]);
    running[0]!.conclude({ kind: 'deferred', delayMs: 1 });
    running[0]!.end();
    expect([scene.called, scene.queue.running]).toEqual([['deferred a'], 0]);
  });

  it('reads an input that memory does not know, with a place reserved', async () => {
    const id = await scene.start();
    const [row] = await scene.store.claimsOf(scene.lease.instanceId);
    const claim = scene.claims.adopt(row!, 0, scene.definition)!;
    executor.take(claim);
    expect([scene.queue.reserved, scene.queue.waiting.length]).toEqual([1, 0]);
    await waitFor(() => running.length === 1, { every: 1, what: 'the begin' });
    expect([scene.queue.reserved, running[0]!.claim.executionId]).toEqual([0, id]);
  });

  it('gives up a claim whose input cannot be read, and its place', async () => {
    await scene.start();
    const [row] = await scene.store.claimsOf(scene.lease.instanceId);
    scene.store.inputs = () => Promise.reject(new MemoryFailure('refused', 'no table'));
    executor.take(scene.claims.adopt(row!, 0, scene.definition)!);
    await waitFor(() => outcomes.length === 1, { every: 1, what: 'the outcome' });
    expect([scene.called, scene.queue.reserved]).toEqual([['unrecordable a'], 0]);
  });

  it('skips a task by its rule, without a slot', async () => {
    scenario([{ name: 'a' }, { name: 'b', dependsOn: ['a'] }]);
    const [first] = await scene.running();
    const { view } = first!.cache.inputOf(0);
    first!.cache.record(0, { status: 'Failed', view });
    const facts = { ...rowOf(first!), taskNo: 1, unmetDependencies: 1 };
    executor.take(scene.claims.adopt(facts, 0, scene.definition)!);
    expect(outcomes).toMatchObject([{ kind: 'ended', status: 'Skipped' }]);
    expect(scene.queue.waiting).toHaveLength(0);
  });

  it('fails a task whose input is too large', async () => {
    const [claim] = await scene.running({ input: `{"a":"${'x'.repeat(100)}"}` });
    executor.take(claim!);
    expect(outcomes).toMatchObject([{ kind: 'failed', error: { name: 'ContextTooLargeError' } }]);
  });

  it('lets nothing begin that was lost while it waited', async () => {
    const [claim] = await scene.running();
    executor.take(claim!);
    scene.claims.lose(claim!);
    await turn();
    expect([running, scene.called, scene.queue.running]).toEqual([[], [], 0]);
  });

  it.each(['pause', 'drain'] as const)('gives back what would begin after a %s', async (event) => {
    const [claim] = await scene.running();
    scene.state.on(event);
    executor.take(claim!);
    expect([scene.called, scene.queue.waiting]).toEqual([['giveBack a 0'], []]);
  });

  it('reads no input during the drain', async () => {
    await scene.start();
    const [row] = await scene.store.claimsOf(scene.lease.instanceId);
    scene.state.on('drain');
    executor.take(scene.claims.adopt(row!, 0, scene.definition)!);
    expect([scene.called, scene.queue.reserved]).toEqual([['giveBack a 0'], 0]);
  });

  it('gives back what gets its slot during the drain', async () => {
    const [claim] = await scene.running();
    executor.take(claim!);
    scene.state.on('drain');
    await turn();
    expect([scene.called, running, scene.queue.running]).toEqual([['giveBack a 0'], [], 0]);
  });

  it('gives back what waits for a slot in vain', async () => {
    const [claim] = await scene.running();
    const other = await suspect();
    executor.take(claim!);
    executor.take(other);
    for (const task of scene.queue.removeQueued()) task.giveBack();
    expect(scene.called).toEqual(['giveBack a 0', 'giveBack a 500']);
  });

  it('fails an attempt by its timeout, and begins the task again when the handler has returned', async () => {
    const { claim, attempt } = await timedOut();
    expect(outcomes).toMatchObject([{ kind: 'failed', error: { name: 'TaskTimeoutError' } }]);
    expect([claim.signal.aborted, overruns.tasks()]).toEqual([
      true,
      [{ executionId: claim.executionId, taskNo: 0, itemNo: 0 }],
    ]);
    const again = await takenAgain(claim);
    expect([running.length, scene.queue.waiting.length]).toEqual([1, 0]);
    attempt.end();
    await turn();
    expect([running[1]?.claim, overruns.tasks()]).toEqual([again, []]);
    expect(scene.called).toEqual(['failed a', 'overrunEnded']);
    for (const each of running) each.end();
  });

  it('gives the claim of the next attempt back if the handler goes on ignoring its signal', async () => {
    const { claim, attempt } = await timedOut();
    const again = await takenAgain(claim);
    expect(again.mayBegin).toBe(true);
    attempt.keep();
    await turn();
    expect([again.mayBegin, running.length]).toEqual([false, 1]);
    attempt.end();
    await turn();
    expect(running.length).toBe(1);
  });

  it('records no timeout of a claim that was lost before', async () => {
    const [claim] = await scene.running();
    executor.take(claim!);
    await turn();
    scene.claims.lose(claim!);
    executor.timedOut(running[0]!);
    expect([outcomes, overruns.tasks()]).toEqual([[], []]);
    running[0]!.end();
  });
});

describe('Executor, with a suspect', () => {
  const started = async (of: TaskClaim) =>
    (await tasksOf(scene.store, [of.executionId]))[0]!.startedAt !== null;

  it('notes that it begins before it does', async () => {
    const claim = await suspect();
    executor.take(claim);
    await turn();
    await waitFor(() => running.length === 1, { every: 1, what: 'the begin' });
    expect([await started(claim), suspects.isNoting]).toEqual([true, false]);
    running[0]!.end();
  });

  it('runs none whose claim is not held any more', async () => {
    const claim = await suspect();
    const begin = scene.store.beginSuspect.bind(scene.store);
    scene.store.beginSuspect = async (begun) => {
      expect(suspects.isNoting).toBe(true);
      await begin(begun);
      claim.lose(new Error('gone'));
      return false;
    };
    executor.take(claim);
    await waitFor(() => outcomes.length === 1, { every: 1, what: 'the outcome' });
    await turn();
    expect([scene.called, running, scene.queue.running]).toEqual([['refused a'], [], 0]);
  });

  it('gives it back for a while where the note cannot be made', async () => {
    const claim = await suspect();
    scene.store.beginSuspect = () => Promise.reject(new MemoryFailure('connection', 'away'));
    executor.take(claim);
    await waitFor(() => scene.called.length === 1, { every: 1, what: 'the return' });
    await turn();
    expect([scene.called, running, scene.queue.running]).toEqual([['giveBack a 500'], [], 0]);
  });

  it('gives back none that was lost while the note was made', async () => {
    const claim = await suspect();
    scene.store.beginSuspect = () => {
      claim.lose(new Error('gone'));
      return Promise.reject(new MemoryFailure('connection', 'away'));
    };
    executor.take(claim);
    await turn();
    await waitFor(() => !suspects.isNoting && scene.queue.running === 0, {
      every: 1,
      what: 'the free slot',
    });
    expect([scene.called, running]).toEqual([[], []]);
  });

  it('runs one at a time', async () => {
    executor.take(await suspect());
    executor.take(await suspect());
    await waitFor(() => running.length === 1, { every: 1, what: 'the begin' });
    await turn();
    expect([running.length, scene.queue.waiting.length]).toEqual([1, 1]);
    running[0]!.end();
    await waitFor(() => running.length === 2, { every: 1, what: 'the next begin' });
    running[1]!.end();
  });
});
