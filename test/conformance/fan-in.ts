import { describe, expect, test } from '@jest/globals';
import { claimCount, heldToken, isHeld } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, fanIn, outcomeOf, workflow } from './workflows.js';
import { tasksOf } from './tasks-of.js';

const join = fanIn(2);

export function describeFanIn(tested: TestedStore): void {
  const first = tested.worker();
  const second = tested.worker();

  describe('two dependencies that complete one after the other', () => {
    test.each([
      ['the second has room', false, true, 'Running'],
      ['the second has none', true, false, 'Ready'],
    ])('%s', async (_, firstClaims, secondClaims, status) => {
      const id = await first.startOne(join);

      const early = await first.complete([outcomeOf(join, id, 0, { claim: firstClaims })]);
      const late = await second.complete([outcomeOf(join, id, 1, { claim: secondClaims })]);

      expect(early).toEqual({ accepted: [true], readied: [], ended: [] });
      expect(late.readied).toEqual([
        {
          outcome: 0,
          taskNo: 2,
          claimed: secondClaims,
          paused: false,
          token: secondClaims ? heldToken(1) : 0,
          unmetDependencies: 0,
          generation: 0,
          wakes: 0,
          hasSteps: false,
        },
      ]);
      expect(await tested.taskOf(id, 2)).toMatchObject({
        status,
        pending_dependencies: 0,
        owner: secondClaims ? second.claimant.instanceId : null,
        run_at: secondClaims ? null : expect.any(Date),
        started_at: secondClaims ? expect.any(Date) : null,
      });
    });

    test('one of them failed: the dependent is claimed to be decided', async () => {
      const id = await first.startOne(join);
      await first.complete([failureOf(join, id, 0)]);
      const { readied } = await first.complete([outcomeOf(join, id, 1)]);
      expect(readied).toEqual([
        expect.objectContaining({ taskNo: 2, claimed: true, unmetDependencies: 1 }),
      ]);
      expect(await tested.taskOf(id, 2)).toMatchObject({
        pending_dependencies: 0,
        unmet_dependencies: 1,
      });
    });
  });

  describe('in one batch', () => {
    test('both dependencies count, and the dependent is claimed once', async () => {
      const id = await first.startOne(join);

      const { accepted, readied } = await first.complete([
        outcomeOf(join, id, 0),
        failureOf(join, id, 1),
      ]);

      expect(accepted).toEqual([true, true]);
      expect(readied).toEqual([
        expect.objectContaining({ taskNo: 2, token: heldToken(1), claimed: true }),
      ]);
      expect(await tested.taskOf(id, 2)).toMatchObject({
        status: 'Running',
        pending_dependencies: 0,
        unmet_dependencies: 1,
        claim_token: heldToken(1),
      });
    });

    test('a dependent is claimed when any of its dependencies found room for it', async () => {
      const id = await first.startOne(join);
      const { readied } = await first.complete([
        outcomeOf(join, id, 0, { claim: false }),
        outcomeOf(join, id, 1, { claim: true }),
      ]);
      expect(readied).toEqual([expect.objectContaining({ taskNo: 2, claimed: true })]);
    });

    test('every dependent of many executions gets its own count', async () => {
      // A diamond: 1 and 2 depend on 0, 3 on both.
      const diamond = workflow([[], [0], [0], [1, 2]]);
      const ids = await first.startMany(diamond, 50);
      const fanOut = await first.complete(ids.map((id) => outcomeOf(diamond, id, 0)));
      expect(fanOut.readied).toHaveLength(100);
      expect(
        fanOut.readied.every(
          ({ claimed, token }) => claimed && claimCount(token) === 1 && isHeld(token),
        ),
      ).toBe(true);

      const joined = await first.complete(
        ids.flatMap((id) => [outcomeOf(diamond, id, 1), outcomeOf(diamond, id, 2)]),
      );

      expect(joined.accepted).toEqual(new Array(100).fill(true));
      expect(joined.readied.map(({ taskNo }) => taskNo)).toEqual(new Array(50).fill(3));
      const joins = (await tasksOf(tested.store, ids)).filter(({ taskNo }) => taskNo === 3);
      expect(joins).toHaveLength(50);
      for (const task of joins) {
        expect(task).toMatchObject({ status: 'Running', pendingDependencies: 0 });
      }
    });
  });
}
