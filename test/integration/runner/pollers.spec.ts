import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { PollerContext } from '../../../lib/discovery/poller-types.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import { declaredPoller } from '../../support/declared-poller.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const POLLS = 'cloacina.poller.p';
const work = defineWorkflow<{ n: number }>('work')
  .task('run', (context) => ({ n: context.require('n') }))
  .build();

function poller(call: (context: PollerContext) => unknown): RegisteredWorkflow {
  return declaredPoller(
    { name: 'p', every: '1d', workflow: work, retry: { maxAttempts: 1 } },
    call,
  );
}

/** Polls once, and waits for the end. */
async function poll({ runner }: OpenTenant): Promise<string> {
  const { id } = await runner.schedules.runNow('p');
  return (await runner.handle(id).result({ settled: true })).status;
}

describe('Pollers on PostgreSQL', () => {
  it('commit their writes, starts and cursor together, or nothing of it', async () => {
    let fails = true;
    const tenant = await openTenant([
      work,
      poller(async ({ manager, cursor = 0 }) => {
        await manager.query(`INSERT INTO seen VALUES ($1)`, [Number(cursor) + 1]);
        // What fails is found only after the cursor was written.
        const key = fails ? 'x'.repeat(501) : 'x';
        return { starts: [{ key, input: { n: 1 } }], cursor: Number(cursor) + 1 };
      }),
    ]);
    await tenant.query('CREATE TABLE seen (n integer)');
    expect(await poll(tenant)).toBe('Failed');
    expect(await tenant.query('SELECT * FROM seen')).toEqual([]);
    expect(await tenant.runner.pollers.get('p')).toMatchObject({ cursor: undefined });
    fails = false;
    expect(await poll(tenant)).toBe('Completed');
    expect(await tenant.query('SELECT * FROM seen')).toEqual([{ n: 1 }]);
    expect(await tenant.runner.pollers.get('p')).toMatchObject({ cursor: 1 });
    expect(await poll(tenant)).toBe('Completed');
    const { items } = await tenant.runner.list({ workflow: 'work' });
    expect(items).toHaveLength(1);
    const [latest] = (await tenant.runner.list({ workflow: POLLS })).items;
    expect((await tenant.runner.get(latest!.id))!.context).toMatchObject({ found: 1, started: 0 });
  });

  it('start more than a statement takes, and each key once', async () => {
    const count = 4_500;
    const tenant = await openTenant([
      work,
      poller(() => ({
        starts: Array.from({ length: count + 500 }, (_, i) => ({
          key: `key ${i % count}`,
          input: { n: i },
          delay: '1d',
          tags: { odd: String(i % 2) },
        })),
        cursor: count,
      })),
    ]);
    expect(await poll(tenant)).toBe('Completed');
    expect((await tenant.runner.counts({ workflow: 'work' }))[0]?.byStatus.Pending).toBe(count);
    const [latest] = (await tenant.runner.list({ workflow: POLLS })).items;
    expect((await tenant.runner.get(latest!.id))!.context).toMatchObject({
      found: count,
      started: count,
    });
  });

  it('start executions that wait for their turn, also if their workflow skips starts', async () => {
    const order: number[] = [];
    const one = defineWorkflow<{ n: number }>('one', {
      admission: { concurrency: 1, whenFull: 'skip' },
    })
      .task('run', (context) => void order.push(context.require('n')))
      .build();
    const found = [1, 2, 3].map((n) => ({ key: `${n}`, input: { n }, priority: n }));
    const polled = declaredPoller({ name: 'p', every: '1d', workflow: one }, () => ({
      starts: found,
    }));
    const tenant = await openTenant([one, polled]);
    expect(await poll(tenant)).toBe('Completed');
    await waitFor(() => order.length === 3, { what: 'the executions' });
    expect(order).toEqual([3, 2, 1]);
  });

  it('have their cursor set in a transaction of the caller, or not at all', async () => {
    const seen: unknown[] = [];
    const tenant = await openTenant([work, poller(({ cursor }) => void seen.push(cursor))]);
    const { runner, dataSource } = tenant;
    await waitFor(async () => (await runner.pollers.list()).length === 1, { what: 'the schedule' });
    await dataSource.transaction(async (manager) => {
      await runner.pollers.setCursor('p', { at: 1 }, { manager });
      expect(await runner.pollers.get('p')).toMatchObject({ cursor: undefined });
    });
    const failed = dataSource.transaction(async (manager) => {
      await runner.pollers.setCursor('p', { at: 2 }, { manager });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await poll(tenant)).toBe('Completed');
    expect(seen).toEqual([{ at: 1 }]);
  });

  it('are rolled back and polled again if their cursor was set while they ran', async () => {
    let begun: () => void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    let go: () => void;
    const mayEnd = new Promise<void>((resolve) => (go = resolve));
    const tenant = await openTenant([
      work,
      poller(async ({ cursor, manager }) => {
        await manager.query(`INSERT INTO seen VALUES ($1)`, [cursor ?? 'none']);
        if (cursor !== undefined) return { starts: [{ key: 'b', input: { n: 2 } }], cursor: 'end' };
        begun();
        await mayEnd;
        return { starts: [{ key: 'a', input: { n: 1 } }], cursor: 'lost' };
      }),
    ]);
    await tenant.query('CREATE TABLE seen (cursor text)');
    const polled = poll(tenant);
    await hasBegun;
    // It does not wait for the method.
    await tenant.runner.pollers.setCursor('p', 'set');
    go!();
    expect(await polled).toBe('Completed');
    expect(await tenant.query('SELECT * FROM seen')).toEqual([{ cursor: 'set' }]);
    expect(
      await tenant.query(
        `SELECT idempotency_key FROM cloacina_workflow_execution WHERE workflow = 'work'`,
      ),
    ).toEqual([{ idempotency_key: 'b' }]);
    expect(await tenant.runner.pollers.get('p')).toMatchObject({ cursor: 'end' });
  });

  it('write their cursor with the rights of the login where tenants have roles', async () => {
    const tenant = await openTenant(
      [
        work,
        poller(async ({ manager }) => {
          const [row] = (await manager.query('SELECT current_user AS role')) as { role: string }[];
          return { starts: [{ key: 'a', input: { n: 1 } }], cursor: row!.role };
        }),
      ],
      { schema: freshSchema(), isolation: 'role' },
    );
    expect(await poll(tenant)).toBe('Completed');
    const { cursor } = (await tenant.runner.pollers.get('p'))!;
    expect(cursor).toEqual(expect.any(String));
    const [login] = await tenant.query<{ role: string }>('SELECT current_user AS role');
    expect(cursor).not.toBe(login!.role);
  });
});
