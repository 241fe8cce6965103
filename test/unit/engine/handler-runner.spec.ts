import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ReadResults } from '../../../lib/engine/items/item-results.js';
import type { MapRunner } from '../../../lib/engine/map/map-runner.js';
import { Observable, of } from 'rxjs';
import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { Attempt } from '../../../lib/engine/execution/attempt.js';
import type { HandlerOutcome } from '../../../lib/engine/execution/handler-outcome.js';
import { HandlerRunner } from '../../../lib/engine/execution/handler-runner.js';
import { MessageTaker } from '../../../lib/engine/messages/message-taker.js';
import { TokenIssuer } from '../../../lib/engine/messages/token-issuer.js';
import type { Children } from '../../../lib/engine/children/children.js';
import { StepServices } from '../../../lib/engine/waits/step-services.js';
import { TaskInterceptors } from '../../../lib/engine/execution/task-interceptors.js';
import { OutcomeRecorder } from '../../../lib/engine/execution/outcome-recorder.js';
import { ProgressReports } from '../../../lib/engine/execution/progress-reports.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { OverdueTransactionError, type TaskTransaction } from '../../../lib/store/port/index.js';
import { gate } from '../../support/gate.js';
import { EngineScene, registered } from './engine-scene.js';
import { systemClock } from '../../../lib/runtime/clock.js';

const Go = defineSignal('go');
const Paid = defineEvent('paid');

let scene: EngineScene;
let handle: (context: TaskContext) => unknown;
let claim: TaskClaim;
/** What the attempt told its listener, in order. */
let told: string[];

async function scenario(transactional = false): Promise<void> {
  const a = { run: (context: TaskContext): unknown => handle(context) };
  scene = new EngineScene(
    registered([{ name: 'a', transactional, timeout: 60_000 }], { handlers: { a } }),
  );
  handle = () => undefined;
  told = [];
  [claim] = (await scene.running({ input: '{"a":1}' })) as [TaskClaim];
}

/** Runs one attempt; resolves with its outcome, or undefined if something else had settled it. */
function run(begun: (attempt: Attempt) => void = () => undefined) {
  const recorder = new OutcomeRecorder(scene.store, scene.claims, scene.gate, systemClock, {
    isAwaited: () => false,
    claimed: scene.note('claimed'),
    leftReady: scene.note('leftReady'),
    limitedReady: scene.note('limitedReady'),
    ended: scene.note('ended'),
    recorded: scene.note('recorded'),
    refused: scene.note('refused'),
    mayBeWritten: scene.note('mayBeWritten'),
  });
  const steps = new StepServices({
    clock: scene.clock,
    store: scene.store,
    maxSteps: 3,
    maxStepsSize: 33_554_432,
    maxResultSize: 100,
    stored: () => undefined,
    refused: scene.note('refused'),
  });
  const runner = new HandlerRunner({
    clock: scene.clock,
    settings: { tenant: 't', maxContextSize: 100 },
    store: scene.store,
    dataSource: { manager: 'shared' } as unknown as TaskContext['dataSource'],
    runner: () => ({ tenant: 't' }) as TaskContext['runner'],
    interceptors: new TaskInterceptors(),
    recorder,
    steps,
    messages: new MessageTaker({
      clock: scene.clock,
      store: scene.store,
      steps,
      refused: scene.note('refused'),
    }),
    tokens: new TokenIssuer('t', scene.clock, []),
    // No handler of these tests has children.
    children: undefined as unknown as Children,
    progress: new ProgressReports({
      clock: scene.clock,
      store: scene.store,
      holds: () => true,
      stored: scene.note('progress'),
    }),
    // No handler of these tests is that of a map.
    results: undefined as unknown as ReadResults,
    batch: () => Promise.resolve([]),
    maps: undefined as unknown as MapRunner,
    gate: scene.gate,
    events: { taskStarted: () => told.push('started') },
  });
  return new Promise<HandlerOutcome | undefined>((resolve) => {
    let outcome: HandlerOutcome | undefined;
    const listener = {
      timedOut: () => told.push('timedOut'),
      concluded: (_: Attempt, concluded: HandlerOutcome) => {
        told.push(scene.inFlight.isBusy ? 'concluded under way' : 'concluded');
        outcome = concluded;
      },
      aborted: () => told.push('aborted'),
      returned: () => told.push('returned'),
    };
    const input = claim.cache.inputOf(claim.task.no);
    const free = (): void => {
      told.push('free');
      resolve(outcome);
    };
    const attempt = new Attempt(claim, input, listener, free, scene.clock);
    begun(attempt);
    runner.run(attempt);
  });
}

const fail = (error: unknown) => () => {
  throw error;
};

describe('HandlerRunner', () => {
  beforeEach(() => scenario());

  it('makes an outcome of what the handler wrote and returned', async () => {
    handle = (context) => {
      context.set('b', 2);
      context.delete('a');
      return { c: 3 };
    };
    expect(await run()).toMatchObject({
      kind: 'ended',
      status: 'Completed',
      output: '{"b":2,"c":3}',
      deletedKeys: ['a'],
    });
    expect(told).toEqual(['started', 'concluded', 'returned', 'free']);
    expect(claim.stage).toBe('settled');
  });

  it('hands the input on where the handler wrote nothing', async () => {
    const input = claim.cache.inputOf(claim.task.no);
    expect(await run()).toMatchObject({ kind: 'ended', output: null, view: input.view });
  });

  it("gives the handler the tenant's runner", async () => {
    handle = ({ runner }) => ({ of: runner.tenant });
    expect(await run()).toMatchObject({ kind: 'ended', output: '{"of":"t"}' });
  });

  it('takes the last value of an Observable', async () => {
    handle = () => of({ b: 1 }, { b: 2 });
    expect(await run()).toMatchObject({ kind: 'ended', output: '{"b":2}' });
  });

  it('ends an Observable with the signal', async () => {
    handle = () => {
      queueMicrotask(() => claim.abort(new Error('stop')));
      return new Observable();
    };
    expect(await run()).toMatchObject({ kind: 'failed', error: { message: 'stop' } });
  });

  it.each([
    ['what the handler throws', () => fail(new Error('no')), 'no'],
    ['what it rejects with', () => () => Promise.reject(new Error('later')), 'later'],
    ['a value that no context can have', () => () => ({ b: 1n }), 'b'],
    ['a context that is too large', () => () => ({ b: 'x'.repeat(100) }), 'bytes'],
  ])('charges the attempt with %s', async (_, handler, message) => {
    handle = handler();
    const outcome = await run();
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringContaining(message) },
    });
  });

  it('charges the attempt of a task that the running code does not have', async () => {
    Object.assign(scene.definition, { handlers: [undefined] });
    expect(await run()).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringContaining('No handler') },
    });
  });

  it.each(['lets it pass', 'catches it'])('suspends, where the handler %s', async (how) => {
    handle = async (context) => {
      const sleeping = context.sleep('pause', 7_000);
      await (how === 'catches it' ? sleeping.catch(() => undefined) : sleeping);
    };
    expect(await run()).toEqual({ kind: 'suspended', delayMs: 7_000 });
    expect(await scene.store.steps([claim])).toEqual([
      expect.objectContaining({ name: 'pause', kind: 'sleep', status: 'Open', dueInMs: 7_000 }),
    ]);
  });

  it('suspends until the first end of several sleeps', async () => {
    handle = (context) =>
      Promise.all([context.sleep('long', '1d'), context.sleep('short', 3_000)]).then(() => ({}));
    expect(await run()).toEqual({ kind: 'suspended', delayMs: 3_000 });
  });

  it.each<[string, string, (context: TaskContext) => Promise<unknown>]>([
    ['a step', 'add a key', (context) => context.step('a', () => 1)],
    ['a sleep', 'Give each sleep a name', (context) => context.sleep('a', '1d')],
    ['a signal', 'Give the wait a name', (context) => context.waitFor(Go)],
    ['an event', 'Give the wait a name', (context) => context.waitFor(Paid, { key: '1' })],
    ['several messages', 'Give the wait a name', (context) => context.waitForAny({ Go })],
  ])('says how to name %s that has the name of another one', async (_, advice, call) => {
    let refused: unknown;
    handle = async (context) => {
      const first = call(context);
      refused = await call(context).catch((error: unknown) => error);
      await first;
    };
    await run();
    expect(refused).toMatchObject({
      code: 'DUPLICATE_STEP',
      message: expect.stringContaining(advice),
    });
  });

  it('fails the attempt with what a step throws, and records nothing', async () => {
    handle = (context) => context.step('bad', fail(new Error('bad')));
    expect(await run()).toMatchObject({ kind: 'failed', error: { message: 'bad' } });
    expect(await scene.store.steps([claim])).toEqual([]);
  });

  it('records no step of a claim that is lost', async () => {
    handle = async (context) => {
      await scene.takeAway();
      await context.step('late', () => 1);
    };
    await run();
    expect(scene.called).toEqual(['refused']);
    expect(await scene.store.steps([claim])).toEqual([]);
  });

  it('refuses steps after the handler has returned', async () => {
    let late: Promise<unknown> | undefined;
    const returned = gate();
    handle = (context) => {
      late = returned.passed.then(() => context.step('late', () => 1));
    };
    await run();
    returned.open();
    await expect(late).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it.each(['lets it pass', 'catches it'])('defers, where the handler %s', async (how) => {
    handle = async (context) => {
      const deferred = context.deferUntil(() => false, { every: 7_000 });
      await (how === 'catches it' ? deferred.catch(() => undefined) : deferred);
    };
    expect(await run()).toEqual({ kind: 'deferred', delayMs: 7_000 });
  });

  it('tells of no outcome that comes after the timeout', async () => {
    expect(await run((attempt) => attempt.settle('timeout'))).toBeUndefined();
    expect(told).toEqual(['started', 'returned', 'free']);
  });

  it("gives the handler the tenant's manager", async () => {
    let manager: unknown;
    handle = (context) => {
      ({ manager } = context);
    };
    await run();
    expect(manager).toBe('shared');
  });
});

describe('HandlerRunner, with a transactional task', () => {
  beforeEach(() => scenario(true));

  /** Fails the transaction at a phase, as the store does. */
  function failAt(phase: 'begin' | 'outcome' | 'commit', error: Error, more = {}): void {
    const transaction = scene.store.transaction.bind(scene.store);
    scene.store.transaction = async (work, signal) => {
      if (phase === 'begin') throw error;
      return transaction(async (own) => {
        const complete: TaskTransaction['complete'] =
          phase === 'outcome' ? () => Promise.reject(error) : own.complete;
        const result = await work({ ...own, ...more, complete });
        if (phase === 'commit') throw error;
        return result;
      }, signal);
    };
  }

  it('records the outcome in the transaction, and tells of it while its claims are under way', async () => {
    handle = () => ({ b: 2 });
    const outcome = await run();
    expect(outcome).toMatchObject({ kind: 'committed', result: { output: '{"b":2}' } });
    expect(told).toEqual(['started', 'concluded under way', 'returned', 'free']);
    expect(await scene.statusesOf(claim.executionId)).toEqual(['Completed']);
    expect([scene.inFlight.isBusy, scene.called]).toEqual([false, []]);
  });

  it('charges the attempt with what the handler throws, and writes nothing', async () => {
    handle = fail(new Error('no'));
    expect(await run()).toMatchObject({ kind: 'failed', error: { message: 'no' } });
    expect(await scene.statusesOf(claim.executionId)).toEqual(['Running']);
  });

  it('defers', async () => {
    handle = (context) => context.deferUntil(() => false, { every: 7_000 });
    expect(await run()).toEqual({ kind: 'deferred', delayMs: 7_000 });
  });

  it('rolls back an outcome that the database refuses', async () => {
    await scene.takeAway();
    expect(await run()).toEqual({ kind: 'refused' });
  });

  it('begins no handler whose claim was lost while it waited for the connection', async () => {
    handle = () => told.push('handled');
    scene.claims.lose(claim);
    expect(await run()).toEqual({ kind: 'refused' });
    expect(told).not.toContain('handled');
  });

  it('does nothing more for a claim that was lost when the transaction failed', async () => {
    handle = () => {
      scene.claims.lose(claim);
      throw new Error('aborted');
    };
    expect(await run()).toEqual({ kind: 'superseded' });
  });

  it('commits nothing after the timeout', async () => {
    expect(await run((attempt) => attempt.settle('timeout'))).toBeUndefined();
    expect(await scene.statusesOf(claim.executionId)).toEqual(['Running']);
  });

  it.each([
    ['begin', 'conflict', { kind: 'givenBack', delayMs: 50 }],
    ['begin', 'connection', { kind: 'givenBack', delayMs: 250 }],
    ['begin', 'refused', { kind: 'givenBack', delayMs: 5_000 }],
    ['outcome', 'passing', { kind: 'givenBack', delayMs: 250 }],
    ['outcome', 'data', { kind: 'ended', status: 'Failed' }],
    ['outcome', 'refused', { kind: 'unrecordable' }],
    ['commit', 'conflict', { kind: 'givenBack', delayMs: 50 }],
    ['commit', 'data', { kind: 'failed' }],
  ] as const)('at %s, after a failure of the kind %s: %o', async (phase, kind, outcome) => {
    failAt(phase, new MemoryFailure(kind));
    expect(await run()).toMatchObject(outcome);
    expect(scene.inFlight.isBusy).toBe(false);
  });

  it('begins again where the server had lost a prepared statement', async () => {
    failAt('commit', new Error('unused'), { hasLostPlan: true });
    handle = fail(new Error('plan'));
    expect(await run()).toEqual({ kind: 'givenBack', delayMs: 50 });
  });

  it('charges the attempt where its handler took most of an overdue transaction', async () => {
    failAt('commit', new OverdueTransactionError('too long'));
    const now = performance.now.bind(performance);
    handle = () => {
      performance.now = () => now() + 60_000;
    };
    try {
      expect(await run()).toMatchObject({ kind: 'failed' });
    } finally {
      performance.now = now;
    }
  });

  const lost = new MemoryFailure('connection', 'lost', { mayBeWritten: true });

  it('looks up whether it was committed when the reply to COMMIT is lost, and it was not', async () => {
    failAt('commit', lost);
    expect(await run()).toEqual({ kind: 'givenBack', delayMs: 250 });
  });

  it('looks up whether it was committed when the reply to COMMIT is lost, and it was', async () => {
    const transaction = scene.store.transaction.bind(scene.store);
    scene.store.transaction = async (work, signal) => {
      await transaction(work, signal);
      throw lost;
    };
    expect(await run()).toMatchObject({ kind: 'committed' });
  });

  it('gives up a claim whose fate cannot be looked up', async () => {
    failAt('commit', lost);
    scene.store.outcomes = () => Promise.reject(new MemoryFailure('refused', 'no table'));
    expect(await run()).toMatchObject({ kind: 'unrecordable', error: { message: 'no table' } });
  });
});
