import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

const other = defineWorkflow('other')
  .task('only', () => undefined)
  .build();
/** What a deploy made of the workflow: the task of those that wait has no handler any more. */
const without = defineWorkflow('holding')
  .task('after', () => ({ after: true }))
  .build();

async function lose(workers: Workers): Promise<readonly string[]> {
  const victim = await workers.child();
  const ids = await victim.start(waits(2));
  await workers.begun(2);
  await victim.process.kill();
  return ids;
}

async function blockedIn({ recovery }: OpenTenant): Promise<string[]> {
  const blocked = await waitFor(async () => {
    const found = await recovery.blocked();
    return found.length === 2 ? found : undefined;
  });
  for (const { taskName, reason } of blocked) {
    expect([taskName, reason]).toEqual([
      'hold',
      'This process has no handler for task "hold" of workflow "holding".',
    ]);
  }
  return blocked.map(({ executionId }) => executionId).sort();
}

it('What is lost stays, listed with the reason, while no process knows it, and goes on with one that does', async () => {
  const workers = new Workers([freshSchema()]);
  const ids = [...(await lose(workers))].sort();
  const { schema } = workers;
  // One knows nothing of the workflow, the other another version of it.
  const stranger = await openTenant([other], { schema });
  const newer = await openTenant([other, without], { schema });
  // Recovered as any: whoever knows it shall not have to wait for that.
  expect((await stranger.recovery.events()).items).toHaveLength(2);
  for (const process of [stranger, newer]) {
    expect(await blockedIn(process)).toEqual(ids);
    expect(await process.recovery.run()).toEqual({ recovered: 0, abandoned: 0, blocked: 2 });
    // It works on what it knows.
    expect((await process.runner.execute(other)).status).toBe('Completed');
  }
  const { items } = await stranger.runner.list({ workflow: 'holding' });
  const shown = await Promise.all(items.map(({ id }) => stranger.runner.get(id)));
  expect(shown.map((each) => each?.tasks[0])).toEqual(
    ids.map(() =>
      expect.objectContaining({
        status: 'Ready',
        recoveryAttempts: 1,
        waitingFor: expect.objectContaining({ reason: 'handler' }) as unknown,
      }),
    ),
  );
  expect(await blockedIn(newer)).toEqual(ids);

  const [knows] = await workers.here();
  await workers.begun(4);
  workers.release();
  for (const id of ids) {
    expect((await knows!.runner.handle(id).result()).status).toBe('Completed');
  }
  for (const { recovery } of [stranger, newer]) expect(await recovery.blocked()).toEqual([]);
  expect(await knows!.recovery.run()).toEqual({ recovered: 0, abandoned: 0, blocked: 0 });
  expect(await illegalHistories(stranger.query)).toEqual([]);
});
