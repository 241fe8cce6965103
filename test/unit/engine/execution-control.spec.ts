import { beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { ExecutionEnds } from '../../../lib/engine/completion/execution-ends.js';
import { ExecutionControl } from '../../../lib/engine/execution-control.js';
import { WorkflowTimeouts } from '../../../lib/engine/workflow-timeouts.js';
import { resultOf } from '../../../lib/engine/execution/task-result.js';
import { TenantEvents } from '../../../lib/events/tenant-events.js';
import type { WorkflowEvent } from '../../../lib/events/workflow-event.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { ContextView } from '../../../lib/workflow/index.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let control: ExecutionControl;
let timeouts: WorkflowTimeouts;
let ends: ExecutionEnds;
let claims: TaskClaim[];
let id: string;
let failures: WorkflowEvent[];
beforeEach(async () => {
  failures = [];
  scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }], { timeout: 1_000 }));
  const events = new TenantEvents('t', {
    wants: () => true,
    next: (event) => {
      scene.called.push('status' in event ? `${event.type} ${event.status}` : event.type);
      if ('error' in event) failures.push(event);
    },
  });
  ends = new ExecutionEnds({
    address: 't',
    claims: scene.claims,
    waiters: { ended: scene.note('waiters'), isAwaited: () => false, startOf: () => undefined },
    contexts: { add: scene.note('context') },
    events,
    services: {
      notifyCancelled: scene.note('notifyCancelled'),
      notifyEnded: scene.note('notifyEnded'),
    },
    reconcile: scene.note('reconcile'),
    settle: (_, unsettled) => {
      if (unsettled !== 0) scene.called.push(`settle ${unsettled}`);
    },
    settleLeft: scene.note('settleLeft'),
  });
  control = new ExecutionControl({
    address: 't',
    store: scene.store,
    claims: scene.claims,
    ends,
    completer: { giveBack: (claim) => scene.called.push(`giveBack ${claim.task.name}`) },
    events,
    services: { notifyPaused: scene.note('notifyPaused') },
    lease: scene.lease,
  });
  timeouts = new WorkflowTimeouts({
    tenant: 't',
    clock: scene.clock,
    store: scene.store,
    claims: scene.claims,
    ends,
    events,
  });
  claims = await scene.running();
  id = claims[0]!.executionId;
});

const lost = () => claims.map((claim) => claim.lost);
const outcome = (status: 'Completed' | 'Failed') =>
  resultOf(
    claims[0]!,
    { view: ContextView.empty, conflicts: [] },
    status,
    status === 'Failed' ? { error: { name: 'E', message: 'no' } } : {},
  );

describe('ExecutionControl', () => {
  it('pauses: what waits here goes back, what runs goes on, and the others are told', async () => {
    claims[0]!.stage = 'running';
    expect(await control.pause(id, null)).toMatchObject({ changed: true });
    expect(scene.called).toEqual(['execution.paused', 'giveBack b', 'notifyPaused']);
    expect(lost()).toEqual([false, false]);
  });

  it('says nothing of a pause, a resumption or a cancellation that changed nothing', async () => {
    await control.resume(id);
    await scene.store.cancel(id, null);
    expect(await control.pause(id, null)).toMatchObject({ changed: false });
    expect(await control.cancel(id, null, false)).toMatchObject({ changed: false });
    expect(scene.called).toEqual([]);
  });

  it('tells of a resumption', async () => {
    await scene.store.pause(id, null);
    await control.resume(id);
    expect(scene.called).toEqual(['execution.resumed']);
  });

  it('finds out which executions another process paused', async () => {
    const other = await scene.running();
    await scene.store.pause(id, null);
    await control.findPaused();
    expect(scene.called).toEqual(['giveBack a', 'giveBack b']);
    expect(other.some((claim) => claim.lost)).toBe(false);
  });

  it('cancels: what is held here is lost, and waiters and others are told', async () => {
    await scene.store.await(id);
    await control.cancel(id, 'why', false);
    expect(lost()).toEqual([true, true]);
    expect(scene.called).toEqual([
      'waiters',
      'notifyCancelled',
      'notifyEnded',
      'execution.ended Cancelled',
    ]);
  });

  it('calls no other process for an execution of which nothing ran, and that no process awaits', async () => {
    id = await scene.start({ claims: 0 });
    await control.cancel(id, null, false);
    expect(scene.called).toEqual(['waiters', 'execution.ended Cancelled']);
  });

  it('loses no claim that has ended while the cancellation was under way', async () => {
    const cancelled = control.cancel(id, null, false);
    scene.claims.release(claims[0]!);
    await cancelled;
    expect(lost()).toEqual([false, true]);
  });

  it('tells all of a cancellation that an earlier send may have made', async () => {
    await scene.store.cancel(id, null);
    await control.cancel(id, null, true);
    expect(scene.called).toEqual([
      'reconcile',
      'settleLeft',
      'waiters',
      'notifyCancelled',
      'notifyEnded',
    ]);
    expect(lost()).toEqual([false, false]);
  });

  it('compares no claims after such a cancellation where it holds none', async () => {
    for (const claim of claims) scene.claims.release(claim);
    await scene.store.cancel(id, null);
    await control.cancel(id, null, true);
    expect(scene.called).not.toContain('reconcile');
  });

  it('tells of a manual retry', () => {
    control.told('retry', id, 'w');
    expect(scene.called).toEqual(['execution.retried']);
  });
});

describe('ExecutionEnds', () => {
  const FAILED = {
    outcome: 0,
    status: 'Failed',
    hasWaiters: false,
    contextMissing: false,
    unsettled: 0,
  } as const;

  it.each([
    [{ hasWaiters: false, contextMissing: false, unsettled: 0 }, []],
    [{ hasWaiters: true, contextMissing: false, unsettled: 0 }, ['notifyEnded']],
    [{ hasWaiters: false, contextMissing: false, unsettled: 3 }, ['settle 3']],
  ])('tells of an end that was recorded: %o', (end, more) => {
    ends.recorded(outcome('Completed'), { outcome: 0, status: 'Completed', ...end });
    expect(scene.called).toEqual(['execution.ended Completed', 'waiters', ...more]);
  });

  it('has the final context written that the ending statement did not know', () => {
    const end = { ...FAILED, contextMissing: true };
    ends.recorded(outcome('Completed'), end);
    expect(scene.called).toEqual(['context', 'execution.ended Failed', 'waiters']);
    expect(failures).toEqual([]);
  });

  it('tells the error of the task whose failure ended it', () => {
    const end = FAILED;
    const error = { name: 'E', message: 'no' };
    claims[0]!.cache.record(0, { status: 'Failed', error, view: ContextView.empty });
    ends.recorded(outcome('Failed'), end);
    expect(failures).toMatchObject([{ type: 'execution.ended', error, failedTask: 'a' }]);
  });

  it('tells it too where another task was the last one', () => {
    const end = FAILED;
    const error = { name: 'E', message: 'no' };
    claims[0]!.cache.record(1, { status: 'Failed', error, view: ContextView.empty });
    claims[0]!.cache.record(0, { status: 'Completed', view: ContextView.empty });
    ends.recorded(outcome('Completed'), end);
    expect(failures).toMatchObject([{ type: 'execution.ended', error, failedTask: 'b' }]);
  });
});

describe('WorkflowTimeouts', () => {
  it('ends what is overdue, and loses what is held of it', async () => {
    await scene.clock.advance(1_001);
    const [later] = await scene.running();
    expect(await timeouts.enforce()).toBe(true);
    expect([...lost(), later!.lost]).toEqual([true, true, false]);
    expect(scene.called).toEqual(['waiters', 'notifyCancelled', 'execution.ended Failed']);
  });

  it('ends nothing that is not overdue', async () => {
    expect(await timeouts.enforce()).toBe(true);
    expect([scene.called, lost()]).toEqual([[], [false, false]]);
  });

  it('says that some are left where another process is at it, or holds their rows', async () => {
    await scene.clock.advance(1_001);
    const timeOut = scene.store.timeOut.bind(scene.store);
    scene.store.timeOut = async () => undefined;
    expect(await timeouts.enforce()).toBe(false);
    let held = true;
    scene.store.timeOut = async (executions, errorOf) => {
      if (!held) return timeOut(executions, errorOf);
      held = false;
      await timeOut(executions, errorOf);
      return [];
    };
    expect(await timeouts.enforce()).toBe(false);
    expect(lost()).toEqual([false, false]);
  });

  it('looks once for calls that come together, and sends again what lost a race', async () => {
    await scene.clock.advance(1_001);
    const timeOut = scene.store.timeOut.bind(scene.store);
    let sent = 0;
    scene.store.timeOut = (executions, errorOf) =>
      ++sent === 1 ? Promise.reject(new MemoryFailure('conflict')) : timeOut(executions, errorOf);
    const both = [timeouts.enforce(), timeouts.enforce()];
    expect(both[0]).toBe(both[1]);
    // Until it pauses, then past the pause.
    await scene.clock.advance(0);
    await scene.clock.advance(10);
    expect([await both[0], sent]).toEqual([true, 2]);
  });
});
