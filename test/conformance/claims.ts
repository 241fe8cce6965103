import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type ClaimedTask } from '../../lib/store/port/index.js';
import { heldToken } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import { newClaimant, noLease, outcomeOf, parallel, workflow } from './workflows.js';

interface Waiting {
  readonly definitionId?: string;
  readonly priority?: number;
  /** Seconds since it is due; negative: until then. */
  readonly waited?: number;
}

const idsOf = (claims: readonly ClaimedTask[]) => claims.map(({ executionId }) => executionId);

export function describeClaims(tested: TestedStore): void {
  const worker = tested.worker();
  let definition: string;
  let others: readonly [string, string];
  beforeEach(() => {
    definition = tested.newDefinition();
    others = [tested.newDefinition(), tested.newDefinition()];
  });

  /** An execution of one task that waits to be claimed; returns its id. */
  async function waiting({ definitionId, priority = 0, waited = 1 }: Waiting = {}) {
    const of = parallel(1, { definitionId: definitionId ?? definition });
    const id = await worker.startOne(of, { claims: 0, priority });
    await tested.behind.changeTask(id, 0, { runInMs: -1_000 * waited });
    return id;
  }

  describe('the order of claims', () => {
    test('the higher priority first, of one priority the longest waiting', async () => {
      const third = await waiting({ waited: 300 });
      const second = await waiting({ priority: 5, waited: 10 });
      const last = await waiting({ priority: -1, waited: 900 });
      const first = await waiting({ priority: 5, waited: 20 });
      const fourth = await waiting({ waited: 200 });

      expect(idsOf(await worker.claim([definition], 3))).toEqual([first, second, third]);
      expect(idsOf(await worker.claim([definition], 3))).toEqual([fourth, last]);
      expect(await worker.claim([definition], 3)).toEqual([]);
    });

    test('priorities count across definitions, whatever the order of these', async () => {
      const [other] = others;
      const low = await waiting({ priority: 1, waited: 900 });
      const high = await waiting({ definitionId: other, priority: 2 });
      const middle = await waiting({ priority: 1, waited: 1000 });

      expect(idsOf(await worker.claim([definition, other], 2))).toEqual([high, middle]);
      expect(idsOf(await worker.claim([definition, other], 2))).toEqual([low]);
    });

    test('of definitions with one priority, the one with the longest waiting task goes first', async () => {
      const second = await waiting({ waited: 200 });
      const first = await waiting({ definitionId: others[0], waited: 300 });
      const third = await waiting({ definitionId: others[1], waited: 100 });
      const claims: string[] = [];
      for (let n = 0; n < 3; n++) {
        claims.push(...idsOf(await worker.claim([definition, ...others], 1)));
      }
      expect(claims).toEqual([first, second, third]);
    });
  });

  describe('left alone', () => {
    test('tasks of definitions that were not asked for', async () => {
      const mine = await waiting();
      await waiting({ definitionId: others[0], priority: 100 });
      expect(idsOf(await worker.claim([definition], 10))).toEqual([mine]);
      expect(await worker.claim([], 10)).toEqual([]);
    });

    test('tasks without a handler here, however long they wait', async () => {
      const id = await worker.startOne(parallel(3, { definitionId: definition }), { claims: 0 });
      const claims = await worker.claim([definition], 1, {
        unknown: [
          [definition, 0],
          [definition, 2],
          [others[0], 1],
        ],
      });
      expect(claims.map(({ taskNo }) => taskNo)).toEqual([1]);
      expect(await tested.statusesOf(id)).toEqual(['Ready', 'Running', 'Ready']);
    });

    test('tasks that the claim excepts', async () => {
      const id = await worker.startOne(parallel(3, { definitionId: definition }), { claims: 0 });
      const except = [0, 2].map((taskNo) => ({ executionId: id, taskNo, itemNo: 0 }));
      const claims = await worker.claim([definition], 10, { except });
      expect(claims.map(({ taskNo }) => taskNo)).toEqual([1]);
    });

    test('tasks that are not due, and none behind them waits for that', async () => {
      const early = await waiting({ priority: 9, waited: -3600 });
      const due = await waiting({ priority: 0 });
      expect(idsOf(await worker.claim([definition], 10))).toEqual([due]);
      expect(await tested.statusesOf(early)).toEqual(['Ready']);
    });

    test('tasks that are paused, not begun, running or at their end', async () => {
      const of = workflow([[], [0], []], { definitionId: definition });
      const paused = await waiting();
      await tested.store.pause(paused, null);
      const id = await worker.startOne(of);
      await worker.complete([outcomeOf(of, id, 2)]);
      expect(await worker.claim([definition], 10)).toEqual([]);
    });
  });

  test('a claim says what the claimant has to know', async () => {
    const id = await waiting({ priority: 3 });
    await tested.behind.changeTask(id, 0, {
      claimToken: 7 * FIRST_TOKEN + 1,
      attempt: 2,
      recoveryAttempts: 1,
      unmetDependencies: 3,
      generation: 4,
    });
    expect(await worker.claim([definition], 1)).toEqual([
      {
        executionId: id,
        taskNo: 0,
        itemNo: 0,
        definitionId: definition,
        token: heldToken(8),
        priority: 3,
        attempt: 2,
        recoveryAttempts: 1,
        unmetDependencies: 3,
        generation: 4,
        deferredForMs: null,
        wakes: 0,
        hasSteps: false,
        input: '{}',
      },
    ]);
    expect(await tested.taskOf(id, 0)).toMatchObject({
      status: 'Running',
      owner: worker.claimant.instanceId,
      run_at: null,
      started_at: expect.any(Date),
    });
  });

  test('what an instance holds is told to it again', async () => {
    const { store } = tested;
    const claimant = newClaimant();
    const ids = [await waiting({ waited: 2 }), await waiting({ waited: 1 })];
    const claims = await store.claim([definition], [], 2, noLease(claimant));
    expect(idsOf(claims)).toEqual(ids);
    const held = await store.claimsOf(claimant.instanceId);
    expect(
      held.toSorted((a, b) => ids.indexOf(a.executionId) - ids.indexOf(b.executionId)),
    ).toEqual(claims.map((claim) => ({ ...claim, input: undefined, batch: undefined })));
    expect(await store.claimsOf(newClaimant().instanceId)).toEqual([]);
  });

  test('of many claims at once each task has one', async () => {
    const ids = await worker.startMany(parallel(1, { definitionId: definition }), 60, {
      claims: 0,
    });
    const claims = await Promise.all(
      Array.from({ length: 6 }, () => tested.worker().claim([definition], 10)),
    );
    const all = [...claims.flatMap(idsOf), ...idsOf(await worker.claim([definition], 60))];
    expect(all.toSorted()).toEqual(ids.toSorted());
  });

  describe('the first claim of an execution', () => {
    test('begins it: it runs, and its deadline counts from now', async () => {
      const of = parallel(2, { definitionId: definition, timeoutMs: 60_000 });
      const id = await worker.startOne(of, { claims: 0 });
      await worker.claim([definition], 1);

      const { execution } = await tested.rowsOf(id);
      expect(execution).toMatchObject({ status: 'Running', started_at: expect.any(Date) });
      const limit = Number(execution?.deadline_at) - Number(execution?.started_at);
      expect(limit).toBeGreaterThan(59_000);
      expect(limit).toBeLessThan(61_000);

      await worker.claim([definition], 1);
      expect((await tested.rowsOf(id)).execution).toEqual(execution);
    });

    test('an execution without a timeout has no deadline', async () => {
      const id = await waiting();
      await worker.claim([definition], 1);
      expect((await tested.rowsOf(id)).execution).toMatchObject({
        status: 'Running',
        deadline_at: null,
      });
    });
  });

  describe('the input of an execution', () => {
    const input = JSON.stringify({ order: 17, text: 'with "quotes", {braces} and ünïcode' });
    const two = () => parallel(2, { definitionId: definition });

    test('comes with the claim that begins it, to each of its tasks', async () => {
      const id = await worker.startOne(two(), { claims: 0, input });
      const claims = await worker.claim([definition], 10);
      expect(claims.map((claim) => [claim.executionId, claim.input])).toEqual([
        [id, input],
        [id, input],
      ]);
    });

    test('does not come with later ones: another process has it, or reads it', async () => {
      const id = await worker.startOne(two(), { claims: 1, input });
      const claims = await worker.claim([definition], 10);
      expect(claims.map((claim) => claim.input)).toEqual([undefined]);
      expect(await tested.store.inputs([id])).toEqual(
        new Map([[id, { input, deadlineInMs: null, traceContext: null }]]),
      );
    });

    test('does not come when it is large', async () => {
      const large = JSON.stringify({ noise: randomBytes(4_000).toString('base64') });
      await worker.startOne(two(), { claims: 0, input: large });
      const claims = await worker.claim([definition], 10);
      expect(claims.map((claim) => claim.input)).toEqual([undefined, undefined]);
    });
  });
}
