import { describe, expect, it } from '@jest/globals';
import { stopRounds } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

describe('A process that is killed', () => {
  it('is noticed by a survivor, which has all of its tasks running again long before its lease is over', async () => {
    const workers = new Workers([freshSchema()]);
    const [survivor] = await workers.here();
    const victim = await workers.child();
    const ids = await victim.start(waits(20));
    await workers.begun(20);
    const byVictim = workers.entries().filter(({ by }) => by === victim.name).length;
    await victim.process.kill();
    await workers.begun(20 + byVictim);
    workers.release();
    const results = await Promise.all(ids.map((id) => survivor!.runner.handle(id).result()));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Completed']));
    expect(results[0]).toMatchObject({ tasks: [{ attempt: 1 }, { attempt: 1 }] });
    expect(workers.entries('ended')).toHaveLength(20);

    const { items } = await survivor!.recovery.events({ limit: 100 });
    expect(items).toHaveLength(byVictim);
    for (const item of items) {
      expect(item).toMatchObject({ kind: 'recovered', cause: 'lockGone', taskName: 'hold' });
      expect(item.orphanedForMs).toBeGreaterThan(0);
    }
    expect(new Set(items.map(({ previousOwner }) => previousOwner)).size).toBe(1);
    expect(await survivor!.recovery.stats()).toMatchObject({
      recovered: byVictim,
      abandoned: 0,
      successRate: 1,
    });
  });

  it('is recovered from by the next boot, before that is ready', async () => {
    const workers = new Workers([freshSchema()]);
    const victim = await workers.child();
    const [id] = await victim.start(waits(1));
    await workers.begun(1);
    await victim.process.kill();

    const [next] = await workers.here({ maxConcurrentTasks: 0 });
    // Nothing is claimed here, so what is seen is what the boot left.
    const [task] = await next!.query<{ status: string; recovery_attempts: number }>(
      'SELECT status, recovery_attempts FROM cloacina_task_execution WHERE task_no = 0',
    );
    expect(task).toEqual({ status: 'Ready', recovery_attempts: 1 });
    const { items } = await next!.recovery.events();
    expect(items).toEqual([expect.objectContaining({ cause: 'boot', executionId: id })]);
    const { previousOwner } = items[0]!;
    expect(
      await next!.query('SELECT FROM cloacina_runner_lease WHERE instance_id = $1', [
        previousOwner,
      ]),
    ).toEqual([]);
  });

  it('leaves its future retries and deferrals to the survivors, who look for them', async () => {
    const workers = new Workers([freshSchema()]);
    const [survivor] = await workers.here();
    stopRounds(survivor!);
    const victim = await workers.child({ maxConcurrentTasks: 0 });
    await victim.start([{ name: 'now', do: 'go' }]);
    await workers.begun(1);
    // As a retry that the victim alone has a timer for.
    const [id] = await victim.start([{ name: 'later', do: 'go' }]);
    await waitFor(async () => (await survivor!.runner.get(id ?? ''))?.status === 'Completed');
    await survivor!.query(
      `UPDATE cloacina_task_execution SET status = 'Ready', run_at = clock_timestamp() + interval '2 s'
       WHERE execution_id = $1 AND task_no = 0`,
      [id],
    );
    const before = workers.entries('begun').length;
    await victim.process.kill();
    await workers.begun(before + 1);
  });

  it('gives its tasks back uncharged when it ends in good order', async () => {
    const workers = new Workers([freshSchema()]);
    const child = await workers.child({ shutdownTimeoutMs: 50 });
    const ids = await child.start(waits(3));
    await workers.begun(3);
    const [other] = await workers.here();
    await child.close();
    await workers.begun(6);
    expect(workers.entries('aborted')).toHaveLength(3);
    workers.release();
    const results = await Promise.all(ids.map((id) => other!.runner.handle(id).result()));
    for (const { tasks } of results) {
      expect(tasks[0]).toMatchObject({ status: 'Completed', attempt: 1, recoveryAttempts: 0 });
    }
    expect(await other!.recovery.events()).toEqual({ items: [], nextCursor: null });
  });
});
