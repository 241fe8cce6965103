import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { aborted, gate, type Gate } from '../../support/gate.js';
import { makeDue, type OpenTenant, openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const statuses = async ({ runner }: OpenTenant, id: string): Promise<string[]> =>
  (await runner.get(id))?.tasks.map(({ status }) => status) ?? [];

let pairs = 0;

/** Two tasks, of which the first runs until it is let go or aborted. */
function pair(
  begun: Gate,
  free: Gate,
  reasons: Error[] = [],
  name = `pair-${++pairs}`,
): WorkflowDefinition {
  return defineWorkflow(name)
    .task('first', async ({ signal }) => {
      begun.open();
      await Promise.race([free.passed, aborted(signal).then((reason) => reasons.push(reason))]);
      return { first: true };
    })
    .task('second', { dependsOn: ['first'] }, () => ({ second: true }))
    .build();
}

const inTenant = sharedTenant();

describe('Cancel', () => {
  it(
    'stops what has not begun and aborts what runs; what that returns is not recorded',
    inTenant((serve) => {
      const begun = gate();
      const reasons: Error[] = [];
      const workflow = serve(pair(begun, gate(), reasons));
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow, { given: 1 });
        await begun.passed;
        const waiting = handle.result({ settled: true });
        const rejected = expect(handle.result()).rejects.toMatchObject({
          code: 'WORKFLOW_CANCELLED',
          executionId: handle.id,
          status: 'Cancelled',
          reason: 'changed my mind',
        });
        await handle.cancel({ reason: 'changed my mind' });
        await rejected;
        expect(await waiting).toMatchObject({
          status: 'Cancelled',
          context: { given: 1 },
          tasks: [{ status: 'Cancelled' }, { status: 'Cancelled' }],
        });
        await waitFor(() => reasons.length === 1);
        expect(reasons).toMatchObject([{ code: 'CLAIM_LOST' }]);
        await waitFor(() => !tenant.engine.isBusy);
        expect(await statuses(tenant, handle.id)).toEqual(['Cancelled', 'Cancelled']);
        expect(
          await tenant.query(
            'SELECT kind, detail FROM cloacina_execution_event WHERE execution_id = $1',
            [handle.id],
          ),
        ).toEqual([{ kind: 'cancelled', detail: { reason: 'changed my mind' } }]);
      };
    }),
  );

  it('aborts a task that runs in another process, and tells who waits there', async () => {
    const schema = freshSchema();
    const begun = gate();
    const reasons: Error[] = [];
    const client = await openTenant([pair(gate(), gate(), [], 'pair')], {
      schema,
      maxConcurrentTasks: 0,
    });
    const worker = await openTenant([pair(begun, gate(), reasons, 'pair')], { schema });
    const handle = await client.runner.start('pair');
    await begun.passed;
    const waiting = worker.runner.handle(handle.id).result({ timeout: '60s', settled: true });
    await handle.cancel();
    // Long before the next renewal, which would find it too.
    await waitFor(() => reasons.length === 1);
    expect((await waiting).status).toBe('Cancelled');
  });

  it(
    'of what has not begun leaves nothing to run',
    inTenant((serve) => {
      const begun = gate();
      const workflow = serve(pair(begun, gate()));
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow, {}, { delay: '1h' });
        await handle.cancel();
        expect(await handle.status()).toBe('Cancelled');
        expect(await statuses(tenant, handle.id)).toEqual(['Cancelled', 'Cancelled']);
      };
    }),
  );

  it(
    'is idempotent, and refused for what has ended otherwise',
    inTenant((serve) => {
      const free = gate();
      const workflow = serve(pair(gate(), free));
      return async (tenant) => {
        const one = await tenant.runner.start(workflow, {}, { delay: '1h' });
        await Promise.all([one.cancel(), one.cancel()]);
        await one.cancel();
        free.open();
        const { id } = await tenant.runner.execute(workflow);
        await expect(tenant.runner.cancel(id)).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          executionId: id,
          from: 'Completed',
          action: 'cancel',
        });
      };
    }),
  );

  it(
    'does not hit what was retried since, however late the notification comes',
    inTenant((serve) => {
      const begins: AbortSignal[] = [];
      const free = gate();
      const workflow = serve(
        defineWorkflow('again')
          .task('only', async ({ signal }) => {
            begins.push(signal);
            await Promise.race([free.passed, aborted(signal)]);
          })
          .build(),
      );
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow);
        await waitFor(() => begins.length === 1);
        await handle.cancel();
        await tenant.runner.retry(handle.id);
        await waitFor(() => begins.length === 2);
        const waiting = handle.result();
        // The same notification again, as if it had taken its time.
        await tenant.query('SELECT pg_notify($1, $2)', [
          'cloacina',
          `c${tenant.engine.settings.address}${handle.id}`,
        ]);
        await tenant.query('SELECT pg_notify($1, $2)', [
          'cloacina',
          `e${tenant.engine.settings.address}${handle.id}`,
        ]);
        // Its place in the line of notifications is before this one's, which does its work.
        const other = await tenant.runner.start(workflow);
        await waitFor(() => begins.length === 3);
        await other.cancel();
        await waitFor(() => begins[2]?.aborted);
        expect(begins[1]?.aborted).toBe(false);
        free.open();
        expect((await waiting).status).toBe('Completed');
      };
    }),
  );
});

describe('Pause', () => {
  it(
    'lets what runs end, and nothing begins until it is resumed',
    inTenant((serve) => {
      const begun = gate();
      const free = gate();
      const workflow = serve(pair(begun, free));
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow);
        await begun.passed;
        await handle.pause({ reason: 'maintenance' });
        expect(await handle.status()).toBe('Paused');
        free.open();
        await waitFor(async () => (await statuses(tenant, handle.id))[0] === 'Completed');
        tenant.engine.claimAvailable();
        await waitFor(() => !tenant.engine.isBusy);
        expect(await tenant.runner.get(handle.id)).toMatchObject({
          status: 'Paused',
          context: { first: true },
          tasks: [{ status: 'Completed' }, { status: 'Ready', waitingFor: { reason: 'paused' } }],
        });
        await handle.resume();
        expect(await handle.result()).toMatchObject({
          status: 'Completed',
          context: { first: true, second: true },
        });
      };
    }),
  );

  it(
    'lets the last running task end the execution',
    inTenant((serve) => {
      const begun = gate();
      const free = gate();
      const single = serve(
        defineWorkflow('single')
          .task('only', async () => {
            begun.open();
            await free.passed;
          })
          .build(),
      );
      return async ({ runner }) => {
        const handle = await runner.start(single);
        await begun.passed;
        await handle.pause();
        free.open();
        expect((await handle.result()).status).toBe('Completed');
        await expect(handle.resume()).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
      };
    }),
  );

  it(
    'holds what has not begun, with retries and deferrals that become due',
    inTenant((serve) => {
      const runs: string[] = [];
      const workflow = serve(
        defineWorkflow('due')
          .task('fails', { retry: { delay: '1h' } }, ({ attempt }) => {
            runs.push(`fails ${attempt}`);
            if (attempt === 1) throw new Error('once');
          })
          .task('waits', async (context) => {
            runs.push('waits');
            await context.deferUntil(() => runs.filter((run) => run === 'waits').length > 1, {
              every: '1h',
            });
          })
          .build(),
      );
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow);
        const waiting = `SELECT FROM cloacina_task_execution WHERE execution_id = $1 AND status = 'Ready' AND run_at > now()`;
        await waitFor(async () => (await tenant.query(waiting, [handle.id])).length === 2);
        await handle.pause();
        await makeDue(tenant, handle.id);
        await waitFor(() => !tenant.engine.isBusy);
        expect(runs).toHaveLength(2);
        await handle.resume();
        expect((await handle.result()).status).toBe('Completed');
        expect(runs).toHaveLength(4);
      };
    }),
  );

  it('gives back what was claimed and waits for a slot, here and in other processes', async () => {
    const schema = freshSchema();
    const ran: number[] = [];
    const begun = gate();
    const free = gate();
    const fan = (() => {
      let builder = defineWorkflow('fan').task('root', () => undefined);
      for (let i = 0; i < 20; i++) {
        builder = builder.task(`leaf ${i}`, { dependsOn: ['root'] }, async () => {
          ran.push(i);
          begun.open();
          await free.passed;
        });
      }
      return builder.build();
    })();
    const quick = defineWorkflow('quick')
      .task('only', () => undefined)
      .build();
    const worker = await openTenant([fan, quick], { schema, maxConcurrentTasks: 1 });
    const client = await openTenant([fan, quick], { schema, maxConcurrentTasks: 0 });
    // Short ones first, so that the worker claims more than it has slots.
    for (let i = 0; i < 5; i++) await worker.runner.execute(quick);
    const handle = await worker.runner.start(fan);
    await begun.passed;
    await client.runner.pause(handle.id);
    await waitFor(async () => {
      const all = await statuses(client, handle.id);
      return all.filter((status) => status === 'Running').length === 1;
    });
    free.open();
    await waitFor(async () => !(await statuses(client, handle.id)).includes('Running'));
    expect(ran).toHaveLength(1);
    await client.runner.resume(handle.id);
    expect((await handle.result({ timeout: '60s' })).status).toBe('Completed');
    expect([...ran].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it(
    'of what has not begun is Pending again when it is resumed',
    inTenant((serve) => {
      const free = gate();
      free.open();
      const workflow = serve(pair(gate(), free));
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow, {}, { delay: '1h' });
        await handle.pause();
        await handle.pause();
        expect(await handle.status()).toBe('Paused');
        await handle.resume();
        expect(await handle.status()).toBe('Pending');
        await makeDue(tenant, handle.id);
        expect((await handle.result({ timeout: '60s' })).status).toBe('Completed');
      };
    }),
  );

  it(
    'can be cancelled, and is refused for what has ended',
    inTenant((serve) => {
      const workflow = serve(pair(gate(), gate()));
      return async ({ runner }) => {
        const handle = await runner.start(workflow, {}, { delay: '1h' });
        await handle.pause();
        await handle.cancel();
        await expect(handle.pause()).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          from: 'Cancelled',
        });
        await expect(handle.resume()).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
      };
    }),
  );
});

describe('A control of what is not there', () => {
  for (const action of ['cancel', 'pause', 'resume', 'retry'] as const) {
    it(
      `is refused: ${action}`,
      inTenant((serve) => {
        const workflow = serve(pair(gate(), gate()));
        return async ({ runner }) => {
          for (const id of ['01890000-0000-7000-8000-000000000000', 'no id', undefined]) {
            await expect(runner[action](id as string)).rejects.toMatchObject({
              code: 'UNKNOWN_EXECUTION',
            });
          }
          const handle = await runner.start(workflow, {}, { delay: '1h' });
          for (const options of [{ reason: 'a\u0000b' }, { reason: 5 }, { reasn: 'why' }, 'why']) {
            if (action !== 'cancel' && action !== 'pause') break;
            await expect(runner[action](handle.id, options as object)).rejects.toMatchObject({
              code: 'INVALID_ARGUMENT',
            });
          }
          expect(await handle.status()).toBe('Pending');
        };
      }),
    );
  }
});

describe('Word of a pause from another process', () => {
  it('is looked up in the database, which says which claims go back', async () => {
    const schema = freshSchema();
    let begun = 0;
    const single = defineWorkflow('single')
      .task('only', () => void begun++)
      .build();
    const client = await openTenant([single], { schema, maxConcurrentTasks: 0 });
    const { id } = await client.runner.start(single, {}, { delay: '1h' });
    // A suspect waits until it is noted that it begins.
    await client.query('UPDATE cloacina_task_execution SET recovery_attempts = 2, run_at = now()');
    const worker = await openTenant([single], { schema, claiming: false });
    const { claims, control, settings, store } = worker.engine;
    const noted = gate();
    const note = store.beginSuspect.bind(store);
    store.beginSuspect = async (...args) => {
      await noted.passed;
      return note(...args);
    };
    await worker.host.startClaiming();
    const isWaiting = (): boolean => claims.ofExecution(id)[0]?.stage === 'waiting';
    await waitFor(isWaiting);

    // Every role may say it.
    const answers: string[][] = [];
    const ask = store.pausedExecutions.bind(store);
    store.pausedExecutions = async (instance) => {
      const ids = await ask(instance);
      answers.push(ids);
      return ids;
    };
    await client.query(`SELECT pg_notify('cloacina', $1)`, [`p${settings.address}${id}`]);
    await waitFor(() => answers.length === 1);
    await control.findPaused();
    expect(answers).toEqual([[], []]);
    expect(isWaiting()).toBe(true);

    await client.runner.pause(id);
    await waitFor(() => claims.ofExecution(id).length === 0);
    noted.open();
    await waitFor(() => !worker.engine.isBusy);
    expect(await statuses(client, id)).toEqual(['Ready']);
    expect(begun).toBe(0);
    await client.runner.resume(id);
    (await worker.runner.handle(id).result()).orThrow();
  });
});
