import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { aborted } from '../../support/gate.js';
import { waitFor } from '../../support/wait-for.js';

/** What the driver says of a connection that ended under a statement. */
const CUT = 'Connection terminated unexpectedly';

type Call = 'cancel' | 'pause' | 'resume' | 'reset';

/** The next sends of a statement meet a connection that breaks: before they are written, or after. */
function breakNext(
  tenant: OpenTenant,
  call: Call,
  when: 'before' | 'after',
  times = 1,
): () => number {
  const { store } = tenant.engine;
  const real = store[call].bind(store) as (...args: unknown[]) => Promise<unknown>;
  let sends = 0;
  const broken = async (...args: unknown[]): Promise<unknown> => {
    if (sends++ >= times) return real(...args);
    if (when === 'after') await real(...args);
    throw new Error(CUT);
  };
  Object.assign(store, { [call]: broken });
  return () => sends;
}

const endless = (reasons: unknown[] = []) =>
  defineWorkflow('endless')
    .task('only', async ({ signal }) => void reasons.push(await aborted(signal)))
    .build();

const failing = defineWorkflow('failing')
  .task('only', { retry: { maxAttempts: 1 } }, () => {
    throw new Error('failed');
  })
  .build();

async function eventsOf({ query }: OpenTenant, id: string, kind: string): Promise<number> {
  const rows = await query(
    'SELECT FROM cloacina_execution_event WHERE execution_id = $1 AND kind = $2',
    [id, kind],
  );
  return rows.length;
}

describe.each(['before', 'after'] as const)('A connection that breaks %s the commit', (when) => {
  it('of a cancel: it is sent again, and ends the execution once with all that follows', async () => {
    const reasons: unknown[] = [];
    const tenant = await openTenant([endless(reasons)]);
    const handle = await tenant.runner.start('endless');
    await waitFor(async () => (await tenant.runner.get(handle.id))?.tasks[0]?.status === 'Running');
    const sends = breakNext(tenant, 'cancel', when);
    const result = handle.result({ timeout: '10s', settled: true });
    await handle.cancel('enough');
    expect(sends()).toBe(2);
    expect(await result).toMatchObject({ status: 'Cancelled' });
    await waitFor(() => reasons.length === 1);
    expect(reasons).toMatchObject([{ code: 'CLAIM_LOST' }]);
    expect(await eventsOf(tenant, handle.id, 'cancelled')).toBe(1);
  });

  it('of a pause and of a resume: they are sent again, and done once', async () => {
    const tenant = await openTenant([endless()]);
    const { id } = await tenant.runner.start('endless', {}, { delay: '1h' });
    breakNext(tenant, 'pause', when);
    await tenant.runner.pause(id);
    expect((await tenant.runner.get(id))?.status).toBe('Paused');
    breakNext(tenant, 'resume', when);
    await tenant.runner.resume(id);
    expect((await tenant.runner.get(id))?.status).toBe('Pending');
    expect(await eventsOf(tenant, id, 'paused')).toBe(1);
    expect(await eventsOf(tenant, id, 'resumed')).toBe(1);
  });

  it('of a manual retry: its fate is looked up, and one run follows', async () => {
    const tenant = await openTenant([failing]);
    const { id } = await tenant.runner.execute(failing, {}, { settled: true });
    breakNext(tenant, 'reset', when);
    await tenant.runner.retry(id);
    await waitFor(async () => (await tenant.runner.get(id))?.status === 'Failed');
    expect(await eventsOf(tenant, id, 'executionRetried')).toBe(1);
  });
});

it('A call that meets no database says so after startTimeout, not at once', async () => {
  const tenant = await openTenant([endless()], { startTimeoutMs: 300 });
  const { id } = await tenant.runner.start('endless', {}, { delay: '1h' });
  const sends = breakNext(tenant, 'cancel', 'before', Infinity);
  const error = await tenant.runner.cancel(id).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect((error as { waitedMs: number }).waitedMs).toBeGreaterThanOrEqual(299);
  expect(sends()).toBeGreaterThan(1);
});

it('What is not legal is said after a lost connection, too', async () => {
  const tenant = await openTenant([failing]);
  const { id } = await tenant.runner.execute(failing, {}, { settled: true });
  for (const call of ['cancel', 'pause'] as const) {
    breakNext(tenant, call, 'before');
    await expect(tenant.runner[call](id)).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
  }
});

describe('A manual retry of what was cancelled before its time', () => {
  it.each([
    ['runAt', { runAt: new Date(Date.now() + 3_600_000) }],
    ['delay', { delay: '1h' }],
  ])('keeps its %s', async (_, options) => {
    const slow = defineWorkflow('slow', { timeout: '1m' })
      .task('only', () => undefined)
      .build();
    const tenant = await openTenant([slow]);
    const { id } = await tenant.runner.start('slow', {}, options);
    const due = (): Promise<{ run_at: Date | null; deadline_at: Date | null; status: string }[]> =>
      tenant.query(
        `SELECT t.run_at, x.deadline_at, x.status FROM cloacina_task_execution t
         JOIN cloacina_workflow_execution x ON x.id = t.execution_id WHERE x.id = $1`,
        [id],
      );
    const before = await due();
    await tenant.runner.cancel(id);
    expect(await due()).toMatchObject([{ run_at: null }]);
    await tenant.runner.retry(id);
    // Its timeout counts from its begin.
    expect(await due()).toEqual([{ ...before[0], status: 'Pending', deadline_at: null }]);
  });

  it('begins at once when that has passed, and not before when it is near', async () => {
    const quick = defineWorkflow('quick')
      .task('only', () => undefined)
      .build();
    const tenant = await openTenant([quick]);
    const runAt = new Date(Date.now() + 1_500);
    const handle = await tenant.runner.start('quick', {}, { runAt });
    await handle.cancel();
    await tenant.runner.retry(handle.id);
    const { status, startedAt } = await handle.result({ timeout: '10s' });
    expect(status).toBe('Completed');
    expect(Number(startedAt)).toBeGreaterThanOrEqual(runAt.getTime());
  });
});
