import { beforeEach, describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type ClaimedTask } from '../../lib/store/port/index.js';
import { heldToken, releasedToken } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, noLease, outcomeOf, rescheduleOf, workflow } from './workflows.js';
import type { TestWorkflow } from './workflows.js';

const COUNTS = 2 ** 20;
/** What a claim leaves that was the last to be counted before the count begins anew. */
const LAST_RELEASED = (COUNTS - 1) * FIRST_TOKEN + 2 * (2 ** 32 - 1) + 1;
const ORPHANS = { limit: 10, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 };

export function describeClaimTokens(tested: TestedStore): void {
  const worker = tested.worker();
  const other = tested.worker();
  let chain: TestWorkflow;
  let id: string;
  beforeEach(async () => {
    // 1 depends on 0; 2 is alone, so that the execution has not ended with these two.
    chain = workflow([[], [0], []], { definitionId: tested.newDefinition() });
    id = await worker.startOne(chain, { claims: 0 });
  });

  async function claim(): Promise<ClaimedTask> {
    const claims = await worker.claim([chain.plan.definitionId], 10);
    return claims.find(({ taskNo }) => taskNo === 0)!;
  }

  describe.each<[string, number, number]>([
    ['of a task that was never claimed', 0, 1],
    ['of the highest count', LAST_RELEASED - FIRST_TOKEN, COUNTS - 1],
    ['of the count that begins anew', LAST_RELEASED, 0],
  ])('the token %s', (_, before, count) => {
    test('is told by a claim as the row has it', async () => {
      await tested.behind.changeTask(id, 0, { claimToken: before });
      const { token } = await claim();
      expect(token).toEqual(heldToken(count));
      expect((await tested.taskOf(id, 0)).claim_token).toBe(token);
      const held = await tested.store.claimsOf(worker.claimant.instanceId);
      expect(held.map((one) => one.token)).toContain(token);
      const outcome = outcomeOf(chain, id, 0, { claim: false });
      expect((await worker.complete([outcome])).accepted).toEqual([true]);
      expect((await tested.taskOf(id, 0)).claim_token).toBe(token + 1);
    });

    test('is told by a completion as the row has it', async () => {
      await tested.behind.changeTask(id, 1, { claimToken: before });
      await claim();
      const { readied } = await worker.complete([outcomeOf(chain, id, 0)]);
      expect(readied).toEqual([expect.objectContaining({ taskNo: 1, token: heldToken(count) })]);
      expect((await tested.taskOf(id, 1)).claim_token).toBe(readied[0]?.token);
      expect((await worker.complete([outcomeOf(chain, id, 1)])).accepted).toEqual([true]);
    });
  });

  describe('every way out of Running adds 1', () => {
    const record = (options: Parameters<typeof outcomeOf>[3]) => () =>
      worker.complete([outcomeOf(chain, id, 0, { ...options, claim: false })]);
    const reschedule = (kind: 'retry' | 'defer' | 'giveBack') => () =>
      tested.store.reschedule([rescheduleOf(kind, id, 0, { error: { message: 'no' } })]);

    test.each<[string, () => Promise<unknown>]>([
      ['a success', record({})],
      ['a failure', () => worker.complete([failureOf(chain, id, 0, { claim: false })])],
      ['a skip', record({ status: 'Skipped', detail: { skipReason: 'rule' } })],
      ['a retry', reschedule('retry')],
      ['a deferral', reschedule('defer')],
      ['a claim that is given back', reschedule('giveBack')],
      ['a cancel', () => tested.store.cancel(id, null)],
      [
        "the workflow's timeout",
        async () => {
          await tested.behind.setDeadline(id, 0);
          const overdue = await tested.store.pastDeadlines();
          await tested.store.timeOut(overdue, () => ({ message: 'too long' }));
        },
      ],
      [
        'a recovery',
        () => {
          const { instanceId } = worker.claimant;
          const how = { ...ORPHANS, limit: 1_000 };
          return tested.store.recovery.takeOrphans(instanceId, how, noLease());
        },
      ],
    ])('%s', async (_, leave) => {
      const { token } = await claim();
      await leave();
      const task = await tested.taskOf(id, 0);
      expect(task.status).not.toBe('Running');
      expect(task.claim_token).toBe(token + 1);
      expect(task.claim_token).toEqual(releasedToken(1));
    });

    test('but an orphan that was lost too often, which is claimed once more', async () => {
      await claim();
      const taken = await tested.store.recovery.takeOrphans(
        worker.claimant.instanceId,
        { ...ORPHANS, limit: 1_000, maxRecoveryAttempts: 0 },
        noLease(other.claimant),
      );
      const { claim_token: token, owner } = await tested.taskOf(id, 0);
      expect(owner).toBe(other.claimant.instanceId);
      expect(token).toEqual(heldToken(2));
      const own = taken.find(({ executionId, taskNo }) => executionId === id && taskNo === 0);
      expect(own).toMatchObject({ token, abandoned: true });
    });
  });
}
