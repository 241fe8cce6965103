import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import {
  type OpenTenant,
  openTenant,
  poolsOf,
  processEngineOf,
} from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';

const ROUNDS = sized(6, 2);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Cuts all connections of the tenant's process, its control connection too. */
async function cut(tenant: OpenTenant): Promise<number> {
  const rows = await tenant.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
    [`cloacina:${processEngineOf(tenant).processId}`],
  );
  return rows.length;
}

describe('Connections that are cut under load', () => {
  // A rejection that nobody handles would fail it, too: jest sees to that.
  it('lose nothing that was accepted, and nothing is recorded twice', async () => {
    const begins = new Map<string, number>();
    const begin = async ({ executionId, taskName }: { executionId: string; taskName: string }) => {
      const key = `${executionId}/${taskName}`;
      begins.set(key, (begins.get(key) ?? 0) + 1);
      await turn();
    };
    const workflow = defineWorkflow('cut')
      .task('first', begin)
      .task(
        'left',
        { dependsOn: ['first'], retry: { delay: 1, maxAttempts: 20 } },
        async (context) => {
          await begin(context);
          if (context.attempt === 1) throw new Error('once');
        },
      )
      .task(
        'right',
        { dependsOn: ['first'], transactional: true, retry: { maxAttempts: 50, delay: 5 } },
        async (context) => {
          await context.manager.query('INSERT INTO ledger VALUES ($1)', [context.executionId]);
          await begin(context);
        },
      )
      .task('last', { dependsOn: ['left', 'right'] }, begin)
      .build();
    const tenant = await openTenant([workflow], { maxConcurrentTasks: 30, startTimeoutMs: 30_000 });
    await tenant.query('CREATE TABLE ledger (execution_id uuid)');
    const handles = [];
    for (let round = 0; round < ROUNDS; round++) {
      const started = Array.from({ length: 60 }, (_, i) =>
        tenant.runner.start(workflow, {}, i % 5 === 0 ? { idempotencyKey: `${round}/${i}` } : {}),
      );
      const before = begins.size;
      await waitFor(() => begins.size > before + 20, { every: 1 });
      // None before the round that went before has connected again.
      await waitFor(async () => (await cut(tenant)) > 0);
      handles.push(...(await Promise.all(started)));
    }
    const results = await Promise.all(
      handles.map((handle) => handle.result({ timeout: '60s', settled: true })),
    );
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 'Completed'));
    // One recorded outcome a task, and the transaction's writes once with it.
    for (const { tasks } of results) {
      expect(
        tasks.map(({ attempts }) => attempts.filter(({ error }) => error === undefined).length),
      ).toEqual([1, 1, 1, 1]);
    }
    const ledger = await tenant.query('SELECT DISTINCT execution_id FROM ledger');
    const entries = await tenant.query('SELECT execution_id FROM ledger');
    expect([ledger.length, entries.length]).toEqual([ROUNDS * 60, ROUNDS * 60]);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(ROUNDS * 60);
    expect((await tenant.query('SELECT FROM cloacina_workflow_execution')).length).toBe(
      ROUNDS * 60,
    );
    // Nothing is left: no claim, no memory, no waiter, no lease.
    await waitFor(() => !tenant.engine.isBusy);
    expect(tenant.engine.claims.size).toBe(0);
    expect((Reflect.get(tenant.engine.claims, 'caches') as Map<string, unknown>).size).toBe(0);
    expect(tenant.engine.waiters.size).toBe(0);
    await waitFor(() => processEngineOf(tenant).session !== undefined);
    await processEngineOf(tenant).renewOnce();
    await waitFor(
      async () => (await tenant.query('SELECT FROM cloacina_runner_lease')).length === 0,
    );
    expect(
      await tenant.query('SELECT FROM cloacina_task_execution WHERE owner IS NOT NULL'),
    ).toEqual([]);
  });

  it('break while they are checked out and idle, which must not end the process', async () => {
    const tenant = await openTenant([]);
    const { general } = poolsOf(tenant);
    const client = await general.connect();
    await client.query('BEGIN');
    const ended = new Promise((resolve) => client.once('end', resolve));
    await cut(tenant);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow();
    client.release(true);
    // Other connections of the pool may hear of their end only now.
    await waitFor(async () => (await general.query('SELECT 1')).rowCount === 1);
  });

  it('of one process leave the others undisturbed, and a wait goes on', async () => {
    const schema = freshSchema();
    const workflow = defineWorkflow('waited')
      .task('only', () => undefined)
      .build();
    const client = await openTenant([workflow], { schema, maxConcurrentTasks: 0 });
    const handle = await client.runner.start(workflow, {}, { delay: 300 });
    const waiting = handle.result({ timeout: '60s' });
    await cut(client);
    const worker = await openTenant([workflow], { schema });
    expect((await worker.runner.handle(handle.id).result()).status).toBe('Completed');
    expect((await waiting).status).toBe('Completed');
  });
});

describe('A server that is away', () => {
  const workflow = defineWorkflow('away')
    .task('only', () => ({ ran: true }))
    .task('next', { dependsOn: ['only'] }, () => ({ next: true }))
    .build();

  it.each<[string, (proxy: TcpProxy) => Promise<void>]>([
    ['refuses connections', (proxy) => proxy.refuse()],
    ['is behind a proxy that hangs up', (proxy) => proxy.hangUp()],
  ])('and %s makes a start fail after startTimeout, and nothing is stored', async (_, goAway) => {
    const proxy = await TcpProxy.start();
    const tenant = await openTenant([workflow], { databaseUrl: proxy.url, startTimeoutMs: 300 });
    await tenant.runner.execute(workflow);
    await goAway(proxy);
    // Of what was sent on a connection that breaks nobody knows whether it was stored; these are not sent.
    await waitFor(() => processEngineOf(tenant).session === undefined);
    const { password } = new URL(proxy.url);
    const start = performance.now();
    const starts = Array.from({ length: 20 }, () => tenant.runner.start(workflow));
    for (const each of await Promise.allSettled(starts)) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { code: 'DATABASE_UNAVAILABLE', tenant: tenant.name },
      });
      if (each.status === 'rejected') expect(inspect(each.reason)).not.toContain(password);
    }
    expect(performance.now() - start).toBeGreaterThanOrEqual(300);
    await proxy.refuse();
    await proxy.accept();
    expect((await tenant.runner.execute(workflow)).status).toBe('Completed');
    expect(await tenant.query('SELECT FROM cloacina_workflow_execution')).toHaveLength(2);
  });

  it('is what reading and steering fail with, too', async () => {
    const proxy = await TcpProxy.start();
    const tenant = await openTenant([workflow], { databaseUrl: proxy.url, startTimeoutMs: 200 });
    const handle = await tenant.runner.start(workflow, {}, { delay: '1h' });
    await proxy.refuse();
    const calls = [
      handle.status(),
      tenant.runner.get(handle.id),
      tenant.runner.list(),
      tenant.runner.cancel(handle.id),
      tenant.runner.pause(handle.id),
      tenant.runner.resume(handle.id),
      tenant.runner.retry(handle.id),
      tenant.runner.start('unknown here'),
    ];
    for (const each of await Promise.allSettled(calls)) {
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'DATABASE_UNAVAILABLE' } });
    }
    await proxy.accept();
    expect(await handle.status()).toBe('Pending');
  });

  it('is waited for by a start for a while: one that comes back in time has it', async () => {
    const proxy = await TcpProxy.start();
    const tenant = await openTenant([workflow], { databaseUrl: proxy.url });
    await proxy.refuse();
    const starts = Array.from({ length: 20 }, (_, i) =>
      tenant.runner.execute(workflow, {}, i % 2 === 0 ? {} : { idempotencyKey: String(i) }),
    );
    await waitFor(() => processEngineOf(tenant).session === undefined);
    await proxy.accept();
    const results = await Promise.all(starts);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Completed']));
    expect(await tenant.query('SELECT FROM cloacina_workflow_execution')).toHaveLength(20);
  });

  it('is waited for by what has run: its outcome is recorded when the server is back', async () => {
    const proxy = await TcpProxy.start();
    const runs: string[] = [];
    const outlasting = defineWorkflow('outlasting')
      .task('only', async () => {
        runs.push('only');
        await proxy.refuse();
        return { ran: true };
      })
      .task('next', { dependsOn: ['only'] }, () => void runs.push('next'))
      .build();
    const tenant = await openTenant([outlasting], { databaseUrl: proxy.url });
    const handle = await tenant.runner.start(outlasting);
    const waiting = handle.result({ timeout: '60s' });
    await waitFor(() => tenant.engine.claims.all().some(({ stage }) => stage === 'settled'));
    await waitFor(() => processEngineOf(tenant).session === undefined);
    await proxy.accept();
    expect(await waiting).toMatchObject({ status: 'Completed', context: { ran: true } });
    expect(runs).toEqual(['only', 'next']);
  });

  it('fills no memory: beyond a bound, starts fail at once', async () => {
    const proxy = await TcpProxy.start();
    const tenant = await openTenant([workflow], { databaseUrl: proxy.url, startTimeoutMs: 60_000 });
    await tenant.runner.execute(workflow, {}, { settled: true });
    await proxy.refuse();
    // As if so many waited already.
    const waiting = sized(0, 49_000);
    const starter = Reflect.get(tenant.engine.starts, 'starter') as object;
    const { plain } = Reflect.get(starter, 'single') as { plain: object };
    const items = Reflect.get(plain, 'items') as { size: number };
    expect(items.size).toBe(0);
    items.size += waiting;
    let refused = 0;
    const starts = Array.from({ length: 51_000 - waiting }, () =>
      tenant.runner.start(workflow).catch((error: { code?: string }) => {
        if (error.code === 'DATABASE_UNAVAILABLE') refused++;
      }),
    );
    await waitFor(() => refused > 0);
    expect(refused).toBe(1_000);
    items.size -= waiting;
    await tenant.close();
    await Promise.all(starts);
  });
});
