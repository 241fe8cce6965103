import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from 'nestjs-cloacina';
import {
  cloacinaMatchers,
  createTestingTenant,
  type OwnTestingTenant,
} from 'nestjs-cloacina/testing';

expect.extend(cloacinaMatchers);

const nap = defineWorkflow('nap')
  .task('nap', async (context) => {
    await context.sleep('long', '14d');
  })
  .build();

/** Two test files that run at the same time have the same workflows, names and keys, and do not meet. */
export function describeApart(store: 'memory' | 'postgres'): void {
  let tenants: OwnTestingTenant[];
  beforeEach(async () => {
    const open = () => createTestingTenant({ store, workflows: [nap] });
    tenants = await Promise.all([open(), open()]);
  });
  afterEach(() => Promise.all(tenants.map((tenant) => tenant.close())));

  const pair = (): [OwnTestingTenant, OwnTestingTenant] => [tenants[0]!, tenants[1]!];

  describe(`Two tests at once on ${store}`, () => {
    it('have executions, keys and times of their own', async () => {
      const [one, other] = pair();
      const [mine, yours] = await Promise.all(
        [one, other].map((tenant) => tenant.runner.start(nap, {}, { idempotencyKey: 'k' })),
      );
      expect([mine!.created, yours!.created]).toEqual([true, true]);
      await one.time.advance('15d');
      expect(await one.runner.get(mine!.id)).toHaveCompleted();
      expect(await other.runner.get(mine!.id)).toBeNull();
      await other.drain();
      expect(await other.runner.handle(yours!.id).status()).toBe('Running');
      expect(other.time.now().toISOString()).toBe('2030-01-01T00:00:00.000Z');
      expect(await other.time.advanceUntil(yours!.id)).toHaveCompleted();
    });

    it('go on when the other crashes, restarts and closes', async () => {
      const [one, other] = pair();
      const { id } = await other.runner.start(nap);
      await one.runner.start(nap);
      await one.crash();
      await other.time.advance('1d');
      expect(other.isDown).toBe(false);
      await one.restart();
      await one.close();
      expect(await other.time.advanceUntil(id)).toHaveCompleted();
      expect((await other.runner.get(id))?.tasks[0]?.recoveryAttempts).toBe(0);
    });
  });
}
