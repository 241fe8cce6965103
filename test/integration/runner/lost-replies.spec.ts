import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import {
  openTenant,
  sharedTenant,
  stopRounds,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { aborted, gate } from '../../support/gate.js';
import { waitFor } from '../../support/wait-for.js';

/** What the driver says of a connection that ended under a statement. */
const CUT = 'Connection terminated unexpectedly';

type Call = 'cancel' | 'complete' | 'pause' | 'resume' | 'reset';

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

let workflows = 0;

const endless = (reasons: unknown[] = []) =>
  defineWorkflow(`endless-${++workflows}`)
    .task('only', async ({ signal }) => void reasons.push(await aborted(signal)))
    .build();

const failing = () =>
  defineWorkflow(`failing-${++workflows}`)
    .task('only', { retry: { maxAttempts: 1 } }, () => {
      throw new Error('failed');
    })
    .build();

const inTenant = sharedTenant();

async function eventsOf({ query }: OpenTenant, id: string, kind: string): Promise<number> {
  const rows = await query(
    'SELECT FROM cloacina_execution_event WHERE execution_id = $1 AND kind = $2',
    [id, kind],
  );
  return rows.length;
}

describe.each(['before', 'after'] as const)('A connection that breaks %s the commit', (when) => {
  it(
    'of a cancel: it is sent again, and ends the execution once with all that follows',
    inTenant((serve) => {
      const reasons: unknown[] = [];
      const workflow = serve(endless(reasons));
      return async (tenant) => {
        const { runner } = tenant;
        const handle = await runner.start(workflow);
        await waitFor(async () => (await runner.get(handle.id))?.tasks[0]?.status === 'Running');
        const sends = breakNext(tenant, 'cancel', when);
        const result = handle.result({ timeout: '60s', settled: true });
        await handle.cancel({ reason: 'enough' });
        expect(sends()).toBe(2);
        expect(await result).toMatchObject({ status: 'Cancelled' });
        await waitFor(() => reasons.length === 1);
        expect(reasons).toMatchObject([{ code: 'CLAIM_LOST' }]);
        expect(await eventsOf(tenant, handle.id, 'cancelled')).toBe(1);
      };
    }),
  );

  it(
    'of a pause and of a resume: they are sent again, and done once',
    inTenant((serve) => {
      const workflow = serve(endless());
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {}, { delay: '1h' });
        breakNext(tenant, 'pause', when);
        await tenant.runner.pause(id);
        expect((await tenant.runner.get(id))?.status).toBe('Paused');
        breakNext(tenant, 'resume', when);
        await tenant.runner.resume(id);
        expect((await tenant.runner.get(id))?.status).toBe('Pending');
        expect(await eventsOf(tenant, id, 'paused')).toBe(1);
        expect(await eventsOf(tenant, id, 'resumed')).toBe(1);
      };
    }),
  );

  it(
    'of a manual retry: its fate is looked up, and one run follows',
    inTenant((serve) => {
      const workflow = serve(failing());
      return async (tenant) => {
        const { id } = await tenant.runner.execute(workflow, {}, { settled: true });
        breakNext(tenant, 'reset', when);
        await tenant.runner.retry(id);
        await waitFor(async () => (await tenant.runner.get(id))?.status === 'Failed');
        expect(await eventsOf(tenant, id, 'executionRetried')).toBe(1);
      };
    }),
  );
});

it('A call that meets no database says so after startTimeout, not at once', async () => {
  const workflow = endless();
  const tenant = await openTenant([workflow], { startTimeoutMs: 300 });
  const { id } = await tenant.runner.start(workflow, {}, { delay: '1h' });
  const sends = breakNext(tenant, 'cancel', 'before', Infinity);
  const error = await tenant.runner.cancel(id).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect((error as { waitedMs: number }).waitedMs).toBeGreaterThanOrEqual(299);
  expect(sends()).toBeGreaterThan(1);
});

it(
  'What is not legal is said after a lost connection, too',
  inTenant((serve) => {
    const workflow = serve(failing());
    return async (tenant) => {
      const { id } = await tenant.runner.execute(workflow, {}, { settled: true });
      for (const call of ['cancel', 'pause'] as const) {
        breakNext(tenant, call, 'before');
        await expect(tenant.runner[call](id)).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
      }
    };
  }),
);

describe('A manual retry of what was cancelled before its time', () => {
  const quick = () =>
    defineWorkflow(`quick-${++workflows}`, { timeout: '1m' })
      .task('only', () => undefined)
      .build();

  for (const time of ['runAt', 'delay'] as const) {
    it(
      `keeps its ${time}`,
      inTenant((serve) => {
        const workflow = serve(quick());
        return async ({ runner, query }) => {
          const runAt = new Date(Date.now() + 3_600_000);
          const { id } = await runner.start(
            workflow,
            {},
            time === 'runAt' ? { runAt } : { delay: '1h' },
          );
          const due = (): Promise<{ run_at: Date | null; deadline_at: Date | null }[]> =>
            query(
              `SELECT t.run_at, x.deadline_at, x.status FROM cloacina_task_execution t
               JOIN cloacina_workflow_execution x ON x.id = t.execution_id WHERE x.id = $1`,
              [id],
            );
          const before = await due();
          await runner.cancel(id);
          expect(await due()).toMatchObject([{ run_at: null }]);
          await runner.retry(id);
          // Its timeout counts from its begin.
          expect(await due()).toEqual([{ ...before[0], status: 'Pending', deadline_at: null }]);
        };
      }),
    );
  }

  it(
    'begins when that is over, and not before',
    inTenant((serve) => {
      const workflow = serve(quick());
      return async ({ runner, query }) => {
        const handle = await runner.start(workflow, {}, { delay: '1h' });
        await handle.cancel();
        const [row] = await query<{ near: Date }>(
          `UPDATE cloacina_workflow_execution SET run_at = now() + interval '300 ms' WHERE id = $1
           RETURNING run_at AS near`,
          [handle.id],
        );
        await runner.retry(handle.id);
        const { status, startedAt } = await handle.result({ timeout: '60s' });
        expect(status).toBe('Completed');
        expect(Number(startedAt)).toBeGreaterThanOrEqual(Number(row?.near));
      };
    }),
  );
});

describe('A reply that is lost, with the end of an execution in it', () => {
  const child = defineWorkflow('child')
    .task('only', async ({ signal }) => {
      await Promise.race([released.passed, aborted(signal)]);
      return { done: true };
    })
    .build();
  const parent = defineWorkflow('parent')
    .task('only', (context) => context.execute(child))
    .build();
  let released = gate();
  let tenant: OpenTenant;
  let id: string;
  beforeEach(async () => {
    released = gate();
    tenant = await openTenant([parent, child]);
    stopRounds(tenant);
    ({ id } = await tenant.runner.start(parent));
    await waitFor(async () => (await tenant.runner.get(id))?.tasks[0]?.status === 'Waiting');
  });
  afterEach(() => released.open());

  it('does not keep the parent waiting', async () => {
    const sends = breakNext(tenant, 'complete', 'after');
    released.open();
    expect((await tenant.runner.handle(id).result()).context).toEqual({ done: true });
    expect(sends()).toBeGreaterThan(1);
  });

  it('does not spare the children', async () => {
    breakNext(tenant, 'cancel', 'after');
    await tenant.runner.cancel(id);
    await waitFor(async () => {
      const { items } = await tenant.runner.list({ parent: id });
      return items[0]?.status === 'Cancelled';
    });
  });
});
