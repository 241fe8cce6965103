import { Logger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits, type Worker } from './workers.js';

describe('A task that is lost with its process again and again', () => {
  it('is abandoned with the owners it had, what follows is skipped, and retry() brings it back', async () => {
    const workers = new Workers([freshSchema()], { maxRecoveryAttempts: 2 });
    let victim = await workers.child();
    const [id = ''] = await victim.start(waits(1));
    for (let lost = 1; lost <= 2; lost++) {
      await workers.begun(lost);
      const next = await workers.child();
      await victim.process.kill();
      victim = next;
    }
    await workers.begun(3);
    const [last] = await workers.here();
    await victim.process.kill();

    const failed = await last!.runner.handle(id).result({ timeout: '60s', settled: true });
    expect(failed).toMatchObject({
      status: 'Failed',
      tasks: [
        { name: 'hold', status: 'Failed', attempt: 1, recoveryAttempts: 2 },
        { name: 'after', status: 'Skipped', skipReason: 'upstreamFailure' },
      ],
    });
    expect(failed.tasks[0]?.error).toMatchObject({ name: 'TaskAbandonedError' });
    const { items } = await last!.recovery.events({ executionId: id });
    expect(items.map(({ kind }) => kind)).toEqual(['abandoned', 'recovered', 'recovered']);
    const owners = items.map(({ previousOwner }) => previousOwner);
    expect(new Set(owners).size).toBe(3);
    for (const owner of owners) expect(failed.tasks[0]?.error?.message).toContain(owner);
    expect(workers.entries('begun').map((entry) => entry.recoveryAttempt)).toEqual([0, 1, 2]);
    const history = (await last!.runner.history(id)) ?? [];
    expect(history.find(({ type }) => type === 'task.abandoned')).toMatchObject({
      owner: owners[0],
    });
    // Not the process that gave it up.
    const attempt = history.find(({ type }) => type === 'task.attempt');
    expect(attempt).toMatchObject({ status: 'Failed', error: { code: 'TASK_ABANDONED' } });
    expect(attempt).not.toHaveProperty('owner');
    expect(await last!.recovery.stats()).toMatchObject({
      recovered: 2,
      abandoned: 1,
      successRate: 2 / 3,
    });
    expect((await last!.recovery.stats(new Date(Date.now() + 60_000))).recovered).toBe(0);

    await last!.runner.retry(id);
    await workers.begun(4);
    expect(workers.entries('begun').at(-1)).toMatchObject({ recoveryAttempt: 0, attempt: 1 });
    workers.release();
    expect(await last!.runner.handle(id).result()).toMatchObject({ status: 'Completed' });
  });

  it('that kills its process each time takes none of fifty others with it', async () => {
    const workers = new Workers([freshSchema()]);
    const [watcher] = await workers.here({ maxConcurrentTasks: 0 });
    let worker: Worker = await workers.child();
    // They take longer than the poison does.
    const innocent = waits(50).map(({ name }) => ({ name, do: 'linger' as const }));
    const ids = await worker.start(innocent);
    await workers.begun(50);
    // All fifty run when it comes; from the second death on, the processes let them end.
    const { id: poison } = await watcher!.runner.start('holding', { name: 'poison', do: 'die' });
    let deaths = 0;
    for (;;) {
      const ended = await Promise.race([
        worker.process.exit.then(() => true),
        watcher!.runner
          .handle(poison)
          .result({ timeout: '60s', settled: true })
          .then(() => false),
      ]);
      if (!ended) break;
      deaths++;
      worker = await workers.child();
      worker.order({ release: true });
    }
    expect(deaths).toBe(4); // the first run, and one for each recovery that a task has
    const results = await Promise.all(
      ids.map((id) => watcher!.runner.handle(id).result({ settled: true })),
    );
    expect(results.filter(({ status }) => status === 'Completed')).toHaveLength(50);
    const [task] = (await watcher!.runner.get(poison))?.tasks ?? [];
    expect(task).toMatchObject({ status: 'Failed', recoveryAttempts: 3 });
    expect(task?.error).toMatchObject({ name: 'TaskAbandonedError' });
    // Those beside it were lost twice at most; after that, each runs alone.
    const worst = Math.max(...results.map(({ tasks }) => tasks[0]?.recoveryAttempts ?? 0));
    expect(worst).toBeLessThanOrEqual(2);
  });

  it('stays as it is where recovery is off', async () => {
    const workers = new Workers([freshSchema()], { enableRecovery: false });
    const [other] = await workers.here();
    const victim = await workers.child();
    await victim.start(waits(4));
    await workers.begun(4);
    const byVictim = workers.entries().filter(({ by }) => by === victim.name).length;
    await victim.process.kill();
    expect(await other!.recovery.run()).toMatchObject({ recovered: 0, abandoned: 0 });
    await other!.close();

    const warnings = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const [next] = await workers.here();
    const told = warnings.mock.calls.map(([message]) => String(message));
    warnings.mockRestore();
    expect(told).toEqual([
      expect.stringMatching(/^Tenant ".*": recovery is off \(enableRecovery: false\)/),
    ]);
    expect(await next!.recovery.run()).toMatchObject({ recovered: 0, abandoned: 0 });
    const [row] = await next!.query<{ count: number }>(
      `SELECT count(*)::integer FROM cloacina_task_execution WHERE status = 'Running'
         AND owner NOT IN (SELECT instance_id FROM cloacina_runner_lease WHERE name LIKE '%:' || $1)`,
      [String(process.pid)],
    );
    expect(row?.count).toBe(byVictim);
    expect((await next!.recovery.events()).items).toEqual([]);
    workers.release();
  });

  it('is taken by recovery.run() at once, as asked for', async () => {
    const schema = freshSchema();
    const off = new Workers([schema], { enableRecovery: false });
    const victim = await off.child();
    await victim.start(waits(3));
    await off.begun(3);
    const [starts] = await off.here({ maxConcurrentTasks: 0 });
    await victim.process.kill();
    await waitFor(
      async () => (await starts!.query('SELECT FROM cloacina_runner_lease')).length > 0,
    );

    const on = new Workers([schema]);
    const [taker] = await on.here({ claiming: false });
    const report = await taker!.recovery.run();
    expect(report).toMatchObject({ recovered: 3, abandoned: 0 });
    expect(await taker!.recovery.run()).toMatchObject({ recovered: 0, abandoned: 0 });
    const first = await taker!.recovery.events({ limit: 2 });
    expect(first.items.map(({ cause }) => cause)).toEqual(['manual', 'manual']);
    const rest = await taker!.recovery.events({ limit: 2, cursor: first.nextCursor ?? '' });
    expect(rest).toMatchObject({ items: [{ cause: 'manual' }], nextCursor: null });
    await expect(taker!.recovery.events({ limit: 501 })).rejects.toThrow(/limit/);
    await expect(taker!.recovery.events({ cursor: 'x' })).rejects.toThrow(/cursor/);
  });
});
