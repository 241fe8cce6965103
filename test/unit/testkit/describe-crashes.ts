import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from 'nestjs-cloacina';
import {
  cloacinaMatchers,
  createTestingTenant,
  type OwnTestingTenant,
} from 'nestjs-cloacina/testing';

expect.extend(cloacinaMatchers);

/** What the handlers have done outside. */
let done: string[] = [];

const pair = defineWorkflow('pair')
  .task('first', ({ recoveryAttempt }) => void done.push(`first ${recoveryAttempt}`))
  .task('second', { dependsOn: ['first'] }, () => void done.push('second'))
  .build();
const other = defineWorkflow('other')
  .task('first', () => void done.push('other'))
  .build();

/** Each crash is at its point, and at no other, on each store. */
export function describeCrashes(store: 'memory' | 'postgres'): void {
  // Each test leaves it restarted, without a crash that is to come.
  let tenant: OwnTestingTenant;
  beforeAll(async () => {
    tenant = await createTestingTenant({ store, workflows: [pair, other] });
  });
  afterAll(() => tenant.close());
  beforeEach(() => {
    done = [];
  });

  /** The tasks' attempts and recoveries, after a crash and a restart. */
  async function recovered(id: string): Promise<unknown> {
    await tenant.restart();
    const { tasks } = await tenant.time.advanceUntil(id);
    return tasks.map(({ attempt, recoveryAttempts }) => [attempt, recoveryAttempts]);
  }

  describe(`A crash on ${store}`, () => {
    it('after the claim comes before the handler', async () => {
      await tenant.crash({ after: 'claim', workflow: pair, task: 'first' });
      const { id } = await tenant.runner.start(pair);
      await tenant.drain();
      expect([tenant.isDown, done]).toEqual([true, []]);
      expect(await recovered(id)).toEqual([
        [1, 1],
        [1, 0],
      ]);
      expect(done).toEqual(['first 1', 'second']);
    });

    it('after the handler comes before its outcome is stored', async () => {
      await tenant.crash({ after: 'handler', workflow: pair, task: 'first' });
      const { id } = await tenant.runner.start(pair);
      await tenant.drain();
      expect([tenant.isDown, done]).toEqual([true, ['first 0']]);
      expect(await recovered(id)).toEqual([
        [1, 1],
        [1, 0],
      ]);
      expect(done).toEqual(['first 0', 'first 1', 'second']);
    });

    it('after the record comes before the next task', async () => {
      await tenant.crash({ after: 'record', workflow: pair, task: 'first' });
      const { id } = await tenant.runner.start(pair);
      await tenant.drain();
      expect([tenant.isDown, done]).toEqual([true, ['first 0']]);
      await recovered(id);
      // The statement that stored the outcome has claimed the next task already.
      expect(done).toEqual(['first 0', 'second']);
    });

    it('in the handler ends it at its next use of the context', async () => {
      const seen: unknown[] = [];
      const mock = tenant.mockTask(pair, 'first', async (context) => {
        await tenant.crash();
        await context.step('never', () => void seen.push('a step of a dead process'));
      });
      const { id } = await tenant.runner.start(pair);
      await tenant.drain();
      expect(tenant.isDown).toBe(true);
      mock.restore();
      expect(await recovered(id)).toEqual([
        [1, 1],
        [1, 0],
      ]);
      expect([done, seen]).toEqual([['first 1', 'second'], []]);
    });

    it('waits for its workflow and task, and comes once', async () => {
      await tenant.crash({ after: 'handler', workflow: pair, task: 'second' });
      expect(await tenant.run(other)).toHaveCompleted();
      const { id } = await tenant.runner.start(pair);
      await tenant.drain();
      expect([tenant.isDown, done]).toEqual([true, ['other', 'first 0', 'second']]);
      await recovered(id);
      expect(await tenant.run(pair)).toHaveCompleted();
      expect(tenant.isDown).toBe(false);
    });

    it('at once loses what is in memory, and keeps what is stored', async () => {
      const { id } = await tenant.runner.start(pair, {}, { delay: '1h' });
      await tenant.crash();
      await tenant.time.advance('2h');
      expect(done).toEqual([]);
      await tenant.restart();
      expect(await tenant.runner.get(id)).toHaveCompleted();
    });
  });
}
