import { describe, expect, it, jest } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { PostgresStore } from '../../../lib/store/postgres/postgres-store.js';
import { gate } from '../../support/gate.js';
import {
  openTenant,
  processEngineOf,
  stopRounds,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const leases = async ({ query }: OpenTenant): Promise<number> =>
  (await query('SELECT FROM cloacina_runner_lease')).length;

describe('The lease', () => {
  it('is written with the first claim, kept while claims are held, and deleted when there are none', async () => {
    const free = gate();
    const begun = gate();
    const workflow = defineWorkflow('leased')
      .task('only', async () => {
        begun.open();
        await free.passed;
      })
      .build();
    const tenant = await openTenant([workflow]);
    const process = processEngineOf(tenant);
    await waitFor(() => !tenant.engine.isBusy);
    await process.renewOnce();
    await waitFor(async () => (await leases(tenant)) === 0);
    const handle = await tenant.runner.start(workflow);
    await begun.passed;
    expect(await leases(tenant)).toBe(1);
    await process.renewOnce();
    expect(await leases(tenant)).toBe(1);
    free.open();
    await handle.result();
    await waitFor(() => !tenant.engine.isBusy);
    await process.renewOnce();
    await waitFor(async () => (await leases(tenant)) === 0);
  });

  it('is given up at the end when its table is gone, and not asked for again', async () => {
    const workflow = defineWorkflow('dropped')
      .task('only', () => undefined)
      .build();
    const tenant = await openTenant([workflow], { leaseDurationMs: 600_000 });
    stopRounds(tenant);
    await tenant.runner.execute(workflow);
    await waitFor(() => !tenant.engine.isBusy);
    expect(await leases(tenant)).toBe(1);
    await tenant.query(`DROP SCHEMA ${tenant.schema} CASCADE`);
    const releases = jest.spyOn(PostgresStore.prototype, 'releaseLease');
    await tenant.close();
    const asked = releases.mock.results.length;
    releases.mockRestore();
    expect(asked).toBe(1);
  });

  it('covers every claim, also of starts that come while it is being deleted', async () => {
    const short = defineWorkflow('short')
      .task('first', () => undefined)
      .task(
        'second',
        { dependsOn: ['first'] },
        async () => new Promise((resolve) => setTimeout(resolve, 2)),
      )
      .build();
    const tenant = await openTenant([short]);
    const process = processEngineOf(tenant);
    let unleased = 0;
    for (let i = 0; i < 60; i++) {
      await waitFor(() => !tenant.engine.isBusy, { every: 1 });
      const renewed = process.renewOnce();
      const handle = await tenant.runner.start(short);
      const [row] = await tenant.query<{ count: number }>(
        `SELECT count(*)::integer FROM cloacina_task_execution t
         WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM cloacina_runner_lease l WHERE l.instance_id = t.owner)`,
      );
      unleased += row?.count ?? 0;
      await Promise.all([renewed, handle.result()]);
    }
    expect(unleased).toBe(0);
  });

  it('that others have ended takes the claims with it: the signal aborts, nothing is recorded', async () => {
    const begun = gate<AbortSignal>();
    const free = gate();
    let runs = 0;
    const workflow = defineWorkflow('zombie')
      .task('only', async ({ signal }) => {
        if (++runs > 1) return { run: runs };
        begun.open(signal);
        await free.passed;
        return { run: 1 };
      })
      .build();
    const tenant = await openTenant([workflow]);
    const handle = await tenant.runner.start(workflow);
    const signal = await begun.passed;
    // As another process does that takes this one for lost.
    await tenant.query('DELETE FROM cloacina_runner_lease');
    await tenant.query(
      `UPDATE cloacina_task_execution SET status = 'Ready', owner = NULL, claim_token = claim_token + 1, run_at = now()`,
    );
    await processEngineOf(tenant).renewOnce();
    // A claim that was under way may have written the lease anew: then the comparison that follows tells.
    await waitFor(() => signal.aborted);
    expect(signal.reason).toMatchObject({ code: 'CLAIM_LOST' });
    free.open();
    tenant.engine.claimAvailable();
    const result = await handle.result();
    expect(result).toMatchObject({ status: 'Completed', context: { run: 2 } });
    expect(result.tasks[0]?.attempt).toBe(1);
  });

  it('finds out at its renewal which claims it has lost, and which it holds without knowing', async () => {
    const begun: { readonly id: string; readonly signal: AbortSignal }[] = [];
    const free = gate();
    const workflow = defineWorkflow('compared')
      .task('only', async ({ executionId: id, signal }) => {
        begun.push({ id, signal });
        await free.passed;
      })
      .build();
    const tenant = await openTenant([workflow]);
    const handles = [await tenant.runner.start(workflow), await tenant.runner.start(workflow)];
    await waitFor(() => begun.length === 2);
    const [cancelled, forgotten] = handles;
    // As by another process whose notification gets lost.
    await tenant.query(
      `UPDATE cloacina_task_execution SET status = 'Cancelled', owner = NULL, claim_token = claim_token + 1
       WHERE execution_id = $1`,
      [cancelled?.id],
    );
    // As after a reply that got lost.
    for (const claim of tenant.engine.claims.ofExecution(forgotten?.id ?? '')) {
      tenant.engine.claims.release(claim);
    }
    await processEngineOf(tenant).renewOnce();
    await waitFor(() => begun.length === 3);
    const aborted = (of: string | undefined): boolean[] =>
      begun.filter(({ id }) => id === of).map(({ signal }) => signal.aborted);
    expect(aborted(cancelled?.id)).toEqual([true]);
    expect(aborted(forgotten?.id)).toEqual([false, false]);
    free.open();
    const { status, tasks } = (await forgotten?.result()) ?? {};
    // Nothing worked on it as far as this process knows: it is charged like any other loss.
    expect([status, tasks?.[0]?.recoveryAttempts]).toEqual(['Completed', 1]);
    const events = await tenant.query('SELECT kind, cause FROM cloacina_recovery_event');
    expect(events).toEqual([{ kind: 'recovered', cause: 'reconciled' }]);
  });

  it('leaves a claim alone whose own reply is under way when a comparison reads it', async () => {
    const reply = gate();
    const begins: string[] = [];
    const workflow = defineWorkflow('late-reply')
      .task('first', () => void begins.push('first'))
      .task(
        'second',
        { dependsOn: ['first'], transactional: true },
        () => void begins.push('second'),
      )
      .build();
    const tenant = await openTenant([workflow]);
    const { store } = tenant.engine;
    const complete = store.complete.bind(store);
    store.complete = async (...args) => {
      const completion = await complete(...args);
      // What this one says comes late: the network has to send it again.
      store.complete = complete;
      await reply.passed;
      return completion;
    };
    const handle = await tenant.runner.start(workflow);
    const claimed = `SELECT FROM cloacina_task_execution WHERE task_no = 1 AND owner IS NOT NULL`;
    await waitFor(async () => (await tenant.query(claimed)).length === 1);
    const readings: Promise<unknown>[] = [];
    const claimsOf = store.claimsOf.bind(store);
    store.claimsOf = (instance) => {
      const reading = claimsOf(instance);
      readings.push(reading);
      return reading;
    };
    tenant.engine.reconcileClaims();
    await waitFor(() => readings.length === 1);
    expect(await readings[0]).toContainEqual(expect.objectContaining({ taskNo: 1 }));
    expect(begins).toEqual(['first']);
    reply.open();
    const { tasks } = await handle.result();
    await waitFor(() => !tenant.engine.isBusy);
    expect(begins).toEqual(['first', 'second']);
    expect(tasks.map(({ recoveryAttempts }) => recoveryAttempts)).toEqual([0, 0]);
    expect(await tenant.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
  });

  it('is not taken for written by a transaction that was rolled back', async () => {
    const free = gate();
    const begun = gate();
    const emptied = gate();
    const steps = defineWorkflow('steps')
      .task('first', { transactional: true }, async ({ executionId }) => {
        // As after the database has gone back in time: neither the lease nor the claim is there any more.
        await tenant.query('DELETE FROM cloacina_runner_lease');
        await tenant.query(
          `UPDATE cloacina_task_execution SET status = 'Cancelled', owner = NULL, claim_token = claim_token + 2
           WHERE execution_id = $1`,
          [executionId],
        );
        tenant.engine.lease.doubt();
        emptied.open();
      })
      .task('second', { dependsOn: ['first'] }, () => undefined)
      .build();
    const holding = defineWorkflow('holding')
      .task('only', async () => {
        begun.open();
        await free.passed;
      })
      .build();
    const tenant = await openTenant([steps, holding]);
    stopRounds(tenant);
    await tenant.runner.start(steps);
    // The start claims nothing while the lease of the boot is being deleted: then the task begins a moment later.
    await emptied.passed;
    await waitFor(() => tenant.engine.claims.size === 0 && !tenant.engine.isBusy);
    // If the lease was written anew after the doubt, the idle process deletes it.
    await waitFor(async () => (await leases(tenant)) === 0);
    const handle = await tenant.runner.start(holding);
    await begun.passed;
    expect(await leases(tenant)).toBe(1);
    free.open();
    (await handle.result()).orThrow();
  });
});
