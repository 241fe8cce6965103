import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { aborted, gate } from '../../support/gate.js';
import {
  type OpenTenant,
  openTenant,
  processEngineOf,
  sharedTenant,
  stopRounds,
} from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';

const inTenant = sharedTenant();

describe('A task timeout', () => {
  it(
    'aborts the signal, and is a failure that is retried',
    inTenant((serve) => {
      const reasons: Error[] = [];
      const workflow = defineWorkflow('slow')
        .task('only', { timeout: 50, retry: { delay: 1, maxAttempts: 2 } }, async ({ signal }) => {
          reasons.push(await aborted(signal));
          throw signal.reason;
        })
        .build();
      serve(workflow);
      return async ({ runner }) => {
        const result = await runner.execute(workflow, {}, { settled: true });
        const error = { name: 'TaskTimeoutError', code: 'TASK_TIMEOUT' };
        expect(result).toMatchObject({ status: 'Failed', error });
        expect(result.tasks[0]?.attempts).toMatchObject([{ error }, { error }]);
        expect(reasons).toMatchObject([error, error]);
        for (const { durationMs } of result.tasks[0]?.attempts ?? []) {
          expect(durationMs).toBeGreaterThanOrEqual(48); // two clocks
        }
      };
    }),
  );

  it(
    'drops what the handler still returns',
    inTenant((serve) => {
      const returned = gate();
      const workflow = defineWorkflow('late')
        .task('only', { timeout: 20, retry: { maxAttempts: 1 } }, async (context) => {
          await aborted(context.signal);
          await returned.passed;
          context.set('late', 1);
          return { late: 2 };
        })
        .build();
      serve(workflow);
      return async ({ runner, engine }) => {
        const { status, context, id } = await runner.execute(workflow, {}, { settled: true });
        returned.open();
        await waitFor(() => !engine.isBusy);
        expect({ status, context }).toEqual({ status: 'Failed', context: {} });
        expect((await runner.get(id))?.context).toEqual({});
      };
    }),
  );

  it('keeps the slot of a handler that ignores its signal, and its retry back, until it returns', async () => {
    const events: string[] = [];
    const free = gate();
    const workflow = defineWorkflow('deaf')
      .task('only', { timeout: 20, retry: { delay: 0, maxAttempts: 2 } }, async ({ attempt }) => {
        events.push(`begin ${attempt}`);
        if (attempt === 1) await free.passed;
        events.push(`end ${attempt}`);
      })
      .build();
    const other = defineWorkflow('other')
      .task('only', () => void events.push('other'))
      .build();
    const tenant = await openTenant([workflow, other], { maxConcurrentTasks: 1 });
    const handle = await tenant.runner.start(workflow);
    await waitFor(
      async () => (await tenant.runner.get(handle.id))?.tasks[0]?.attempts.length === 1,
    );
    const second = await tenant.runner.start(other);
    // The retry is due, and offered.
    tenant.engine.claimAvailable();
    await tenant.query('SELECT 1');
    expect(events).toEqual(['begin 1']);
    free.open();
    await Promise.all([handle.result(), second.result()]);
    expect(events.slice(0, 2)).toEqual(['begin 1', 'end 1']);
    expect(events.slice(2).sort()).toEqual(['begin 2', 'end 2', 'other']);
    expect((await handle.result()).status).toBe('Completed');
  });

  it('leaves the retry to another process while the handler goes on here', async () => {
    const schema = freshSchema();
    const free = gate();
    const deaf = (host: string) =>
      defineWorkflow('deaf')
        .task('only', { timeout: 20, retry: { delay: 0, maxAttempts: 2 } }, async ({ attempt }) => {
          if (attempt === 1) await free.passed;
          return { host, attempt };
        })
        .build();
    const one = await openTenant([deaf('one')], { schema });
    const handle = await one.runner.start('deaf');
    await waitFor(async () => (await one.runner.get(handle.id))?.tasks[0]?.attempts.length === 1);
    await openTenant([deaf('two')], { schema });
    const { status, context } = await handle.result({ timeout: '60s' });
    free.open();
    expect({ status, context }).toEqual({
      status: 'Completed',
      context: { host: 'two', attempt: 2 },
    });
  });
});

describe('A workflow timeout', () => {
  const endless = (seen: Error[], begun = gate()) =>
    defineWorkflow('endless', { timeout: '1h' })
      .task('quick', () => ({ quick: 1 }))
      .task('slow', { dependsOn: ['quick'] }, async ({ signal }) => {
        begun.open();
        seen.push(await aborted(signal));
      })
      .task('never', { dependsOn: ['slow'] }, () => undefined)
      .build();

  /** Has the deadlines of all executions pass, and the process look at them. */
  async function passDeadlines(tenant: OpenTenant): Promise<void> {
    await tenant.query(
      'UPDATE cloacina_workflow_execution SET deadline_at = now() WHERE deadline_at IS NOT NULL',
    );
    await processEngineOf(tenant).sweepOnce();
  }

  it('ends the execution Failed, cancels what has not ended and aborts what runs', async () => {
    const seen: Error[] = [];
    const begun = gate();
    const tenant = await openTenant([endless(seen, begun)]);
    const handle = await tenant.runner.start('endless', { given: 1 });
    await begun.passed;
    await passDeadlines(tenant);
    expect(await handle.result({ timeout: '60s', settled: true })).toMatchObject({
      status: 'Failed',
      error: { name: 'WorkflowTimeoutError', code: 'WORKFLOW_TIMEOUT' },
      context: { given: 1, quick: 1 },
      tasks: [
        { name: 'quick', status: 'Completed' },
        { name: 'slow', status: 'Cancelled' },
        { name: 'never', status: 'Cancelled' },
      ],
    });
    await waitFor(() => seen.length === 1);
    expect(seen).toMatchObject([{ code: 'CLAIM_LOST' }]);
  });

  it.each([
    ['that started it', 100],
    ['that did not start it, for one that only watches', 0],
  ])('is enforced by the timer of a process %s', async (_, maxConcurrentTasks) => {
    const schema = freshSchema();
    const hanging = defineWorkflow('hanging', { timeout: 300 })
      .task('only', async ({ signal }) => void (await aborted(signal)))
      .build();
    const one = await openTenant([hanging], { schema, maxConcurrentTasks });
    const tenants = [one];
    if (maxConcurrentTasks === 0) tenants.push(await openTenant([hanging], { schema }));
    for (const tenant of tenants) stopRounds(tenant);
    const result = await one.runner.execute('hanging', {}, { timeout: '60s', settled: true });
    expect(result).toMatchObject({ status: 'Failed', error: { code: 'WORKFLOW_TIMEOUT' } });
    expect(Number(result.completedAt) - Number(result.startedAt)).toBeGreaterThanOrEqual(300);
  });

  it('is enforced by another process when the one that runs it is deaf', async () => {
    const schema = freshSchema();
    const seen: Error[] = [];
    const begun = gate();
    const one = await openTenant([endless(seen, begun)], { schema });
    const handle = await one.runner.start('endless');
    await begun.passed;
    // It looks no more, as if its event loop stood still.
    one.engine.enforceDeadlines = () => Promise.resolve(true);
    const two = await openTenant([endless([])], { schema });
    await passDeadlines(two);
    const result = await two.runner.handle(handle.id).result({ timeout: '60s', settled: true });
    expect(result).toMatchObject({ status: 'Failed', error: { code: 'WORKFLOW_TIMEOUT' } });
    await waitFor(() => seen.length === 1);
    expect((await handle.result({ settled: true })).status).toBe('Failed');
  });

  it('goes on counting while the execution is paused', async () => {
    const begun = gate();
    const tenant = await openTenant([endless([], begun)]);
    const handle = await tenant.runner.start('endless');
    await begun.passed;
    await handle.pause();
    await passDeadlines(tenant);
    expect(await handle.result({ timeout: '60s', settled: true })).toMatchObject({
      status: 'Failed',
      error: { code: 'WORKFLOW_TIMEOUT' },
    });
  });

  it(
    'counts from the first task, not from the start',
    inTenant((serve) => {
      const [begun, free] = [gate(), gate()];
      const timed = defineWorkflow('timed', { timeout: '1m' })
        .task('only', async () => {
          begun.open();
          await free.passed;
        })
        .build();
      serve(timed);
      return async ({ runner, query, engine }) => {
        const handle = await runner.start(timed, {}, { delay: '1h' });
        const counted = () =>
          query(
            `SELECT extract(epoch FROM deadline_at - started_at)::integer AS seconds
             FROM cloacina_workflow_execution WHERE id = $1`,
            [handle.id],
          );
        expect(await counted()).toEqual([{ seconds: null }]);
        // The hour is over.
        await query(
          `WITH started AS (UPDATE cloacina_workflow_execution
             SET created_at = created_at - interval '1 hour', run_at = now() WHERE id = $1)
           UPDATE cloacina_task_execution SET run_at = now() WHERE execution_id = $1 AND run_at IS NOT NULL`,
          [handle.id],
        );
        engine.claimAvailable();
        await begun.passed;
        expect(await counted()).toEqual([{ seconds: 60 }]);
        free.open();
        expect((await handle.result()).status).toBe('Completed');
      };
    }),
  );

  it('of hundreds that fall due together is enforced by three processes without a lost race', async () => {
    const count = 300;
    const url = await scratchDatabase();
    const schema = freshSchema();
    const seen: Error[] = [];
    const tenants = await Promise.all(
      [0, 1, 2].map(() => openTenant([endless(seen)], { schema, databaseUrl: url })),
    );
    const [one] = tenants;
    const handles = await Promise.all(
      Array.from({ length: count }, () => one!.runner.start('endless', {}, { delay: '1h' })),
    );
    await rowsOf(
      url,
      `UPDATE "${schema}".cloacina_workflow_execution SET started_at = now(), deadline_at = now() + interval '10 ms'`,
    );
    for (const tenant of tenants) void processEngineOf(tenant).sweepOnce();
    const results = await Promise.all(
      handles.map((handle) => handle.result({ timeout: '60s', settled: true })),
    );
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Failed']));
    const events = await rowsOf<{ n: number }>(
      url,
      `SELECT count(*)::integer AS n FROM "${schema}".cloacina_execution_event WHERE kind = 'timedOut'`,
    );
    expect(events).toEqual([{ n: count }]);
    // A connection has said all that it counted when it is closed.
    await Promise.all(tenants.map((tenant) => tenant.close()));
    const [stats] = await rowsOf<{ n: number }>(
      url,
      `SELECT xact_rollback::integer AS n FROM pg_stat_database WHERE datname = current_database()`,
    );
    expect(stats?.n).toBeLessThan(count / 10);
  });
});
