import { expect, test } from '@jest/globals';
import type { TestedStore } from './tested-store.js';
import { newClaimant, noLease, parallel, startOf } from './workflows.js';

const one = parallel(1);
/** More than a store has connections. */
const MANY = 20;

export function describePermits(tested: TestedStore): void {
  const start = () => tested.store.start([startOf(one)], noLease(newClaimant()), false);

  test('are for one statement each, and end with it', async () => {
    for (let i = 0; i < MANY; i++) {
      const permit = await tested.store.permit();
      await expect(start()).resolves.toMatchObject({ created: 'all' });
      permit.release();
      permit.release();
    }
  });

  test('that no statement has used go to the next one that waits', async () => {
    for (let i = 0; i < MANY; i++) (await tested.store.permit()).release();
    await expect(start()).resolves.toMatchObject({ created: 'all' });
  });

  test('do not hold up statements that have none', async () => {
    const permit = await tested.store.permit();
    const others = Array.from({ length: MANY }, start);
    await Promise.all(others);
    permit.release();
    await expect(start()).resolves.toMatchObject({ created: 'all' });
  });
}
