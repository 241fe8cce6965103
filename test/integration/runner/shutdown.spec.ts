import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { aborted, gate } from '../../support/gate.js';
import { openTenant, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { startChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';

const single = (run: (context: TaskContext) => object | void | Promise<object | void>) =>
  defineWorkflow('single')
    .task('only', { retry: { delay: 1 } }, run)
    .build();

async function rows(
  tenant: OpenTenant,
): Promise<{ status: string; attempt: number; owner: unknown }[]> {
  return tenant.query(
    'SELECT status, attempt, recovery_attempts AS recoveries, owner FROM cloacina_task_execution',
  );
}

const READY = { status: 'Ready', attempt: 0, recoveries: 0, owner: null };

describe('A shutdown', () => {
  it('waits for what runs, gives back what has not begun, and leaves no lease', async () => {
    const begun = gate();
    const free = gate();
    const workflow = single(async () => {
      begun.open();
      await free.passed;
      return { done: true };
    });
    const tenant = await openTenant([workflow], { maxConcurrentTasks: 1 });
    const running = await tenant.runner.start(workflow);
    await begun.passed;
    const waiting = await tenant.runner.start(workflow);
    const closing = tenant.host.drain();
    // It is stopping: nothing new begins.
    const late = await tenant.runner.start(workflow);
    free.open();
    await closing;
    const statuses = [running, waiting, late].map(({ id }) =>
      tenant.query('SELECT status, attempt FROM cloacina_task_execution WHERE execution_id = $1', [
        id,
      ]),
    );
    expect(await Promise.all(statuses)).toEqual([
      [{ status: 'Completed', attempt: 0 }],
      [{ status: 'Ready', attempt: 0 }],
      [{ status: 'Ready', attempt: 0 }],
    ]);
    expect(await tenant.query('SELECT FROM cloacina_runner_lease')).toEqual([]);
    await tenant.close();
  });

  it('gives back what was prefetched and waits for a slot', async () => {
    const begun: string[] = [];
    const free = gate();
    const workflow = single(async ({ executionId, data }) => {
      begun.push(executionId);
      if ('slow' in data) await free.passed;
    });
    const tenant = await openTenant([workflow], { maxConcurrentTasks: 1 });
    for (let i = 0; i < 5; i++) await tenant.runner.execute(workflow);
    await tenant.runner.start(workflow, { slow: true });
    await Promise.all(
      Array.from({ length: 20 }, () => tenant.runner.start(workflow, { slow: true })),
    );
    await waitFor(() => begun.length === 6);
    const draining = tenant.host.drain();
    free.open();
    await draining;
    const left = (await rows(tenant)).filter(({ status }) => status !== 'Completed');
    expect(begun).toHaveLength(6);
    expect(left).toEqual(Array.from({ length: 20 }, () => READY));
  });

  it('aborts what runs after shutdownTimeout and gives it back: no attempt is charged, whatever it throws', async () => {
    const schema = freshSchema();
    const reasons: unknown[] = [];
    const begun = gate();
    const heeding = single(async ({ signal }) => {
      begun.open();
      reasons.push(await aborted(signal));
      throw new Error('aborted');
    });
    const one = await openTenant([heeding], { schema, shutdownTimeoutMs: 100 });
    const { id } = await one.runner.start(heeding);
    await begun.passed;
    const two = await openTenant(
      [single(({ attempt, recoveryAttempt }) => ({ attempt, recoveryAttempt }))],
      {
        schema,
        maxConcurrentTasks: 0,
      },
    );
    await one.close();
    expect(reasons).toHaveLength(1);
    expect(await rows(two)).toEqual([READY]);
    expect(await two.query('SELECT FROM cloacina_runner_lease')).toEqual([]);
    const three = await openTenant(
      [single(({ attempt, recoveryAttempt }) => ({ attempt, recoveryAttempt }))],
      {
        schema,
      },
    );
    const { context, tasks } = await three.runner.handle(id).result();
    expect(context).toEqual({ attempt: 1, recoveryAttempt: 0 });
    expect(tasks[0]?.attempts).toHaveLength(1);
  });

  it('is not held up by a handler that ignores its signal, in a transaction or not', async () => {
    const begun: string[] = [];
    const never = gate();
    const deaf = defineWorkflow('deaf')
      .task('plain', async () => {
        begun.push('plain');
        await never.passed;
      })
      .task('transactional', { transactional: true }, async ({ manager }) => {
        await manager.query('SELECT 1');
        begun.push('transactional');
        await never.passed;
      })
      .build();
    const tenant = await openTenant([deaf], { shutdownTimeoutMs: 50 });
    await tenant.runner.start(deaf);
    await waitFor(() => begun.length === 2);
    await tenant.close(); // while it waits, the test does
    const left = await rows(tenant);
    expect(left).toEqual([READY, READY]);
    never.open();
  });

  it('records nothing for a task that fails while it stops: it is given back', async () => {
    const begun = gate();
    const free = gate();
    const workflow = single(async () => {
      begun.open();
      await free.passed;
      throw new Error('the database of another service is closed already');
    });
    const tenant = await openTenant([workflow]);
    await tenant.runner.start(workflow);
    await begun.passed;
    const draining = tenant.host.drain();
    free.open();
    await draining;
    expect(await rows(tenant)).toEqual([READY]);
  });

  it('claims nothing more, though its control connection is lost and comes back meanwhile', async () => {
    const begun = gate();
    const free = gate();
    let runs = 0;
    const workflow = single(async () => {
      runs++;
      begun.open();
      await free.passed;
    });
    const tenant = await openTenant([workflow], { maxConcurrentTasks: 2 });
    await tenant.runner.start(workflow);
    await begun.passed;
    const draining = tenant.host.drain();
    const process = processEngineOf(tenant);
    const before = process.session;
    await tenant.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
       WHERE application_name = $1 AND locktype = 'advisory'`,
      [`cloacina:${process.processId}`],
    );
    await waitFor(() => process.session !== undefined && process.session !== before);
    const late = await tenant.runner.start(workflow);
    free.open();
    await draining;
    expect(runs).toBe(1);
    expect(await late.status()).toBe('Pending');
  });

  it('tells those who wait, and leaves the rest to the other processes', async () => {
    const schema = freshSchema();
    const free = gate();
    const two = await openTenant([single(() => ({ host: 'two' }))], {
      schema,
      maxConcurrentTasks: 0,
    });
    const one = await openTenant([single(() => free.passed)], { schema, shutdownTimeoutMs: 50 });
    const handle = await one.runner.start('single');
    const waiting = handle.result();
    const told = expect(waiting).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
    await one.close();
    await told;
    await expect(one.runner.start('single')).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
    await expect(handle.result()).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
    await two.close();
    const three = await openTenant([single(() => ({ host: 'three' }))], { schema });
    expect((await three.runner.handle(handle.id).result()).context).toEqual({ host: 'three' });
    free.open();
  });

  it('leaves no connection behind', async () => {
    const workflow = single(() => undefined);
    const tenant = await openTenant([workflow]);
    await Promise.all(Array.from({ length: 50 }, () => tenant.runner.execute(workflow)));
    const connections = (): Promise<object[]> =>
      tenant.query('SELECT FROM pg_stat_activity WHERE application_name = $1', [
        `cloacina:${processId}`,
      ]);
    const { processId } = processEngineOf(tenant);
    expect((await connections()).length).toBeGreaterThan(1);
    await tenant.close();
    await waitFor(async () => (await connections()).length === 0);
  });

  it('of the runner is that of its tenant', async () => {
    const workflow = single(() => undefined);
    const tenant = await openTenant([workflow]);
    await tenant.runner.execute(workflow);
    await tenant.runner.shutdown();
    await expect(tenant.runner.start(workflow)).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
    expect(await tenant.query('SELECT FROM cloacina_runner_lease')).toEqual([]);
  });

  it('leaves nothing that keeps the process alive', async () => {
    const schema = freshSchema();
    const child = startChild(new URL('run-and-close.ts', import.meta.url), {
      env: { DATABASE_URL: databaseUrl(), SCHEMA: schema },
    });
    await child.message<{ closed: boolean }>((message) => message.closed);
    expect(await child.exit).toEqual({ code: 0, signal: null });
    expect(child.messages).toEqual([{ completed: 300 }, { closed: true }]);
  });
});
