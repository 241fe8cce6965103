import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { listClaims } from '../../support/list-claims.js';
import { openTenant, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const ran: string[] = [];
const counted = defineWorkflow('counted')
  .task('only', ({ executionId }) => void ran.push(executionId))
  .build();

/** An execution whose task waits for an hour. */
async function waiting(one: OpenTenant): Promise<string> {
  return (await one.runner.start(counted, {}, { delay: '1h' })).id;
}

/** The row of a claim that this process is not told of: as after a lost reply. */
async function claimBehindItsBack(one: OpenTenant, id: string, owner: string): Promise<void> {
  await one.query(
    `UPDATE cloacina_task_execution
     SET status = 'Running', owner = $2, run_at = NULL, started_at = now(),
         claim_token = (((claim_token >> 33) + 1) << 33) + 2 * 12345
     WHERE execution_id = $1`,
    [id, owner],
  );
  await one.query(listClaims());
  const { processId } = processEngineOf(one);
  await one.query(
    `INSERT INTO cloacina_runner_lease (instance_id, process_id, name, lock_epoch, expires_at)
     VALUES ($1, $2, 'test', $3, now() + interval '1 minute') ON CONFLICT DO NOTHING`,
    [owner, processId, processEngineOf(one).session?.epoch],
  );
}

async function recoveryEvents(one: OpenTenant): Promise<[string, string][]> {
  const rows = await one.query<{ kind: string; cause: string }>(
    'SELECT kind, cause FROM cloacina_recovery_event ORDER BY id',
  );
  return rows.map(({ kind, cause }) => [kind, cause]);
}

describe('A claim of a process that knows nothing of it', () => {
  it('is an orphan: its task runs once more, charged with a recovery', async () => {
    const one = await openTenant([counted]);
    const id = await waiting(one);
    await claimBehindItsBack(one, id, one.engine.lease.instanceId);
    one.engine.reconcileClaims();
    const { status, tasks } = await one.runner.handle(id).result({ timeout: '60s' });
    expect([status, tasks[0]?.recoveryAttempts]).toEqual(['Completed', 1]);
    expect(await recoveryEvents(one)).toEqual([['recovered', 'reconciled']]);
  });

  it('is Failed without another run when it was lost too often', async () => {
    const one = await openTenant([counted], { maxRecoveryAttempts: 2 });
    const id = await waiting(one);
    await one.query('UPDATE cloacina_task_execution SET recovery_attempts = 2');
    await claimBehindItsBack(one, id, one.engine.lease.instanceId);
    // More comparisons than one, at every moment of the recording.
    const outcome = one.runner.handle(id).result({ timeout: '60s', settled: true });
    const comparing = setInterval(() => one.engine.reconcileClaims(), 1);
    const { status, error } = await outcome.finally(() => clearInterval(comparing));
    expect([status, error?.code]).toEqual(['Failed', 'TASK_ABANDONED']);
    expect(ran).not.toContain(id);
  });

  it('keeps its lease, which is found when the lease is to be let go of', async () => {
    const one = await openTenant([counted]);
    const id = await waiting(one);
    await claimBehindItsBack(one, id, one.engine.lease.instanceId);
    // As far as this process knows, it holds nothing and may let go.
    one.engine.lease.doubt();
    await processEngineOf(one).renewOnce();
    const { tasks } = await one.runner.handle(id).result({ timeout: '60s' });
    expect(tasks[0]?.recoveryAttempts).toBe(1);
    await waitFor(async () => {
      await processEngineOf(one).renewOnce();
      return (await one.query('SELECT FROM cloacina_runner_lease')).length === 0;
    });
  });

  it('is found by a pass, with and without its lease', async () => {
    // That its lease is gone it learns from the next renewal.
    const one = await openTenant([counted], { leaseDurationMs: 3_000 });
    for (const withLease of [true, false]) {
      const id = await waiting(one);
      await claimBehindItsBack(one, id, one.engine.lease.instanceId);
      if (!withLease) await one.query('DELETE FROM cloacina_runner_lease');
      await one.recovery.run();
      const { status } = await one.runner.handle(id).result({ timeout: '60s' });
      expect(status).toBe('Completed');
    }
  });

  it('under a former instance of it, whose lease is back, is recovered', async () => {
    const one = await openTenant([counted]);
    const former = one.engine.lease.instanceId;
    one.engine.leaseLost();
    const id = await waiting(one);
    await claimBehindItsBack(one, id, former);
    await one.recovery.run();
    expect((await one.runner.handle(id).result({ timeout: '60s' })).status).toBe('Completed');
    expect(await recoveryEvents(one)).toEqual([['recovered', 'reconciled']]);
    expect(await one.query('SELECT FROM cloacina_runner_lease WHERE instance_id = $1', [former])).toEqual([]); // prettier-ignore
  });
});

describe('A task that runs without an owner', () => {
  it('does not exist: no recovery would find it', async () => {
    const one = await openTenant([counted]);
    await waiting(one);
    await expect(
      one.query(`UPDATE cloacina_task_execution SET status = 'Running', run_at = NULL`),
    ).rejects.toThrow('cloacina_task_execution_owner_check');
  });
});

describe('A claim that only memory has', () => {
  it('is stopped, and what comes of it is not recorded', async () => {
    let aborted: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => (aborted = resolve));
    const long = defineWorkflow('long')
      .task('only', async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        aborted?.();
      })
      .build();
    const one = await openTenant([long]);
    const { id } = await one.runner.start(long);
    await waitFor(async () => (await one.runner.get(id))?.tasks[0]?.status === 'Running');
    await one.query('DELETE FROM cloacina_task_execution');
    await one.query('DELETE FROM cloacina_workflow_execution');
    one.engine.reconcileClaims();
    await stopped;
    await waitFor(() => one.engine.claims.size === 0);
  });
});
