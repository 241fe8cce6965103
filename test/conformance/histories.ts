import { expect, test } from '@jest/globals';
import type { TestedStore } from './tested-store.js';
import { failureOf, parallel, rescheduleOf, startOf } from './workflows.js';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);

export function describeHistories(tested: TestedStore): void {
  const worker = tested.worker();

  test('rows and events are read together, oldest first', async () => {
    const of = parallel(2, { definitionId: tested.newDefinition(), name: 'told' });
    const id = await worker.startOne(of, { claims: 2, tags: '{"a":"b"}', idempotencyKey: `told` });
    const { instanceId: owner } = worker.claimant;
    await tested.store.writeLease({ claimant: worker.claimant, write: true });
    await tested.store.pause(id, 'lunch');
    await tested.store.resume(id);
    const error = { message: 'no' };
    await tested.store.reschedule([rescheduleOf('retry', id, 0, { error, delayMs: 3_600_000 })]);

    const history = await tested.store.history(id);
    expect(history).toMatchObject({
      workflow: 'told',
      definitionId: of.plan.definitionId,
      status: 'Running',
      idempotencyKey: 'told',
      reason: null,
      runAt: null,
      createdAt: expect.any(Date),
      startedAt: expect.any(Date),
      completedAt: null,
      recoveries: [],
    });
    const attempt = { attempt: 1, startedAt: TIME, owner, error };
    expect(history?.tasks).toEqual([
      {
        taskNo: 0,
        status: 'Ready',
        attempt: 1,
        attempts: [{ ...attempt, completedAt: TIME }],
        error,
        skipReason: null,
        owner: null,
        process: null,
        startedAt: TIME,
        completedAt: null,
      },
      {
        taskNo: 1,
        status: 'Running',
        attempt: 0,
        attempts: null,
        error: null,
        skipReason: null,
        owner,
        process: worker.claimant.name,
        startedAt: TIME,
        completedAt: null,
      },
    ]);
    expect(history?.events).toEqual([
      { taskNo: null, kind: 'paused', detail: { reason: 'lunch' }, at: TIME },
      { taskNo: null, kind: 'resumed', detail: null, at: TIME },
      { taskNo: 0, kind: 'retried', detail: attempt, at: TIME },
    ]);
    await tested.store.cancel(id, null);
    await tested.store.releaseLease(owner);
  });

  test('the first deferral is an event, and the first one after an attempt again', async () => {
    const definitionId = tested.newDefinition();
    const id = await worker.startOne(parallel(1, { definitionId }));
    async function reschedule(kind: 'defer' | 'retry' | 'giveBack'): Promise<void> {
      const { claim_token: token } = await tested.taskOf(id, 0);
      await tested.store.reschedule([rescheduleOf(kind, id, 0, { token, error: {} })]);
      await tested.behind.changeTask(id, 0, { runInMs: 0 });
      expect(await worker.claim([definitionId], 1)).toHaveLength(1);
    }
    for (const kind of ['giveBack', 'defer', 'defer', 'retry', 'defer'] as const) {
      await reschedule(kind);
    }
    const { events } = (await tested.store.history(id))!;
    expect(events.map(({ kind }) => kind)).toEqual(['deferred', 'retried', 'deferred']);
  });

  test('a manual retry tells how it had ended, and a recovery whom the task was taken from', async () => {
    const of = parallel(2, { definitionId: tested.newDefinition() });
    const id = await worker.startOne(of, { claims: 1 });
    const lost = startOf(of).id;
    await tested.behind.changeTask(id, 0, { owner: lost });
    const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'manual', orphanedForMs: 7 };
    await tested.store.recovery.takeOrphans(lost, how, { claimant: worker.claimant, write: false });
    await worker.claim([of.plan.definitionId], 2);
    await worker.complete([failureOf(of, id, 0)]);
    await tested.store.cancel(id, 'enough');
    const reset = { pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true };
    await tested.store.reset(id, async () => ({
      tasks: [
        { taskNo: 1, ...reset },
        { taskNo: 0, ...reset },
      ],
      leaves: 2,
    }));

    const { events, recoveries } = (await tested.store.history(id))!;
    expect(events.find(({ kind }) => kind === 'executionRetried')?.detail).toEqual({
      tasks: 2,
      taskNos: [0, 1],
      status: 'Cancelled',
      reason: 'enough',
      error: null,
      completedAt: TIME,
    });
    expect(recoveries).toEqual([
      {
        taskNo: 0,
        kind: 'recovered',
        cause: 'manual',
        previousOwner: lost,
        orphanedForMs: 7,
        at: TIME,
      },
    ]);
  });

  test('of an execution that does not exist there is none', async () => {
    expect(await tested.store.history(startOf(parallel(1)).id)).toBeUndefined();
  });
}
