import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { StartOptions } from '../../../lib/runner/start-request.js';
import { openTenant, type OpenTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const HOUR_MS = 3_600_000;
const inTenant = sharedTenant();
/** A process that only starts. */
const inClient = sharedTenant({ maxConcurrentTasks: 0 });

const noted = (name: string, ran: string[] = []) =>
  defineWorkflow(name, { timeout: '2h' })
    .task('first', ({ executionId }) => {
      ran.push(executionId);
    })
    .task('second', { dependsOn: ['first'] }, () => ({ done: true }))
    .build();

/** Brings the time until which the executions must begin to this moment. */
async function isOver(tenant: OpenTenant, ids: readonly string[]): Promise<void> {
  await tenant.query(
    'UPDATE cloacina_workflow_execution SET deadline_at = now() WHERE id = ANY ($1) AND started_at IS NULL',
    [ids],
  );
}

describe('An execution with startBefore', () => {
  it(
    'that has not begun by then is cancelled, and says so',
    inClient((serve) => {
      const of = serve(noted('late'));
      return async (tenant) => {
        const { runner, engine } = tenant;
        const at = new Date(Date.now() + HOUR_MS);
        const handle = await runner.start(of, {}, { startBefore: at });
        const limit = `It is cancelled if it has not begun by ${at.toISOString()}.`;
        expect(await runner.get(handle.id)).toMatchObject({
          status: 'Pending',
          startBefore: at,
          waitingFor: { reason: 'slot', detail: expect.stringContaining(limit) },
        });
        const ended: unknown[] = [];
        const subscription = runner.events$.subscribe((event) => ended.push(event));
        const result = handle.result({ settled: true });
        await isOver(tenant, [handle.id]);
        expect(await engine.enforceDeadlines()).toBe(true);
        expect(await result).toMatchObject({ status: 'Cancelled', reason: 'expired' });
        await expect(handle.result()).rejects.toMatchObject({ code: 'WORKFLOW_CANCELLED' });
        const shown = await runner.get(handle.id);
        expect(shown).not.toHaveProperty('startBefore');
        expect(shown).not.toHaveProperty('startedAt');
        expect((await runner.history(handle.id))?.at(-1)).toMatchObject({
          type: 'execution.ended',
          status: 'Cancelled',
          reason: 'expired',
        });
        expect(ended).toContainEqual(
          expect.objectContaining({ type: 'execution.ended', status: 'Cancelled' }),
        );
        subscription.unsubscribe();
      };
    }),
  );

  it(
    'that begins in time has its timeout from then on',
    inTenant((serve) => {
      const ran: string[] = [];
      const of = serve(noted('in time', ran));
      return async ({ runner }) => {
        const options: StartOptions[] = [
          { startBefore: '1h' },
          { startBefore: HOUR_MS },
          { startBefore: new Date(Date.now() + HOUR_MS) },
          { startBefore: '1h', delay: 1 },
          { startBefore: '1h', idempotencyKey: 'key', tags: { a: 'b' } },
        ];
        for (const each of options) {
          const result = (await runner.execute(of, {}, each)).orThrow();
          expect(result.context).toEqual({ done: true });
        }
        const { ids } = await runner.startMany(of, [{}, [{}, { startBefore: '2h' }]], {
          startBefore: '1h',
        });
        for (const id of ids) (await runner.handle(id).result()).orThrow();
        expect(ran).toHaveLength(options.length + 2);
      };
    }),
  );

  it('does not run a backlog that is out of date, however many processes begin with it', async () => {
    const ran: string[] = [];
    const of = noted('backlog', ran);
    const schema = freshSchema();
    const client = await openTenant([of], { schema, maxConcurrentTasks: 0 });
    const inputs = Array.from({ length: 60 }, () => ({}));
    const stale = await client.runner.startMany(of, inputs, { startBefore: '1h' });
    const fresh = await client.runner.startMany(of, inputs, { startBefore: '2h' });
    await isOver(client, stale.ids);
    await Promise.all([openTenant([of], { schema }), openTenant([of], { schema })]);
    for (const id of fresh.ids) (await client.runner.handle(id).result()).orThrow();
    for (const id of stale.ids) {
      const result = await client.runner.handle(id).result({ settled: true });
      expect(result).toMatchObject({ status: 'Cancelled', reason: 'expired' });
    }
    expect(ran.toSorted()).toEqual(fresh.ids.toSorted());
    const left = await client.query("SELECT FROM cloacina_task_execution WHERE status = 'Running'");
    expect(left).toEqual([]);
  });

  it('in a transaction expires too, by the timer of the process', async () => {
    const of = noted('in a transaction');
    const { runner, dataSource } = await openTenant([of], { maxConcurrentTasks: 0 });
    const handle = await dataSource.transaction((manager) =>
      runner.start(of, {}, { manager, startBefore: 1 }),
    );
    const result = await handle.result({ settled: true });
    expect(result).toMatchObject({ status: 'Cancelled', reason: 'expired' });
  });

  it('can be retried, and may begin at any time then', async () => {
    const ran: string[] = [];
    const of = noted('again', ran);
    const schema = freshSchema();
    const client = await openTenant([of], { schema, maxConcurrentTasks: 0 });
    const handle = await client.runner.start(of, {}, { startBefore: 1 });
    await waitFor(async () => (await handle.status()) === 'Cancelled');
    await client.runner.retry(handle.id);
    await openTenant([of], { schema });
    (await handle.result()).orThrow();
    expect(ran).toEqual([handle.id]);
  });

  it(
    'must have a time that can be met',
    inClient((serve) => {
      const of = serve(noted('checked'));
      return async ({ runner }) => {
        const refused = async (options: StartOptions, problem: string): Promise<void> => {
          await expect(runner.start(of, {}, options)).rejects.toMatchObject({
            code: 'INVALID_ARGUMENT',
            message: expect.stringContaining(problem),
          });
        };
        await refused({ startBefore: 0 }, 'more than 0');
        await refused({ startBefore: 'soon' }, 'must be a Date');
        await refused({ startBefore: new Date(Number.NaN) }, 'startBefore must be');
        await refused({ startBefore: '1h', delay: '1h' }, 'later than delay');
        const runAt = new Date(Date.now() + HOUR_MS);
        await refused({ startBefore: runAt, runAt }, 'later than runAt');
        await runner.start(of, {}, { startBefore: '2h', runAt });
      };
    }),
  );
});
