import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { openTenant, stopRounds, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const tick = defineWorkflow('tick')
  .task('run', (context) => ({ at: context.schedule?.scheduledAt.toISOString() ?? null }))
  .build();

/** Each instant of a schedule has one execution, and each execution of it one firing. */
async function expectOneForEach({ query }: OpenTenant): Promise<void> {
  const twice = await query(
    `SELECT scheduled_for FROM cloacina_workflow_execution WHERE schedule IS NOT NULL
     GROUP BY schedule, scheduled_for HAVING count(*) > 1`,
  );
  const unmatched = await query(
    `SELECT f.schedule, f.scheduled_for FROM cloacina_schedule_firing f
       FULL JOIN (SELECT * FROM cloacina_workflow_execution WHERE schedule IS NOT NULL) x
         ON x.id = f.execution_id AND x.schedule = f.schedule AND x.scheduled_for = f.scheduled_for
     WHERE x.id IS NULL AND f.outcome IN ('started', 'caughtUp', 'manual') OR f.schedule IS NULL`,
  );
  expect({ twice, unmatched }).toEqual({ twice: [], unmatched: [] });
}

describe('Schedules on PostgreSQL', () => {
  it('start one execution for each instant, in several processes', async () => {
    const schema = freshSchema();
    const tenants = await Promise.all(
      Array.from({ length: 3 }, () => openTenant([tick], { schema })),
    );
    const [first] = tenants;
    const { runner } = first!;
    for (let no = 0; no < 20; no++) {
      await runner.schedules.create(`s${no}`, tick, { every: '1s', overlap: 'allow' });
    }
    await waitFor(async () => (await runner.schedules.firings('s19')).length >= 4, {
      what: 'four firings',
    });
    await expectOneForEach(first!);
    const [latest] = await runner.schedules.firings('s7');
    const { context } = await runner.handle(latest!.executionId!).result();
    expect(context).toMatchObject({ at: latest!.scheduledFor.toISOString() });
  });

  describe.each(['an update', 'a pause', 'a deletion'] as const)('race with %s', (what) => {
    const change = ({ schedules }: OpenTenant['runner']): Promise<unknown> =>
      what === 'an update'
        ? schedules.update('raced', { at: new Date(Date.now() + 3_600_000) })
        : what === 'a pause'
          ? schedules.pause('raced')
          : schedules.delete('raced');

    /** A schedule that is due, and that the process does not fire before it is told to. */
    async function openDue(): Promise<OpenTenant> {
      const tenant = await openTenant([tick]);
      stopRounds(tenant);
      const at = new Date(Date.now() + 3_600_000);
      await tenant.runner.schedules.create('raced', tick, { at });
      await tenant.query('UPDATE cloacina_schedule SET next_for = now(), next_at = now()');
      return tenant;
    }
    const executions = (tenant: OpenTenant): Promise<unknown[]> =>
      tenant.query("SELECT FROM cloacina_workflow_execution WHERE schedule = 'raced'");

    it('and start nothing if it comes before the firing, which has read the schedule already', async () => {
      const tenant = await openDue();
      const { schedules } = tenant.engine.store;
      const [read, changed] = [gate(), gate()];
      const fire = schedules.fire.bind(schedules);
      schedules.fire = async (fires) => {
        read.open();
        await changed.passed;
        return fire(fires);
      };
      const fired = tenant.engine.schedules.fireDue();
      await read.passed;
      await change(tenant.runner);
      changed.open();
      await fired;
      expect(await executions(tenant)).toEqual([]);
    });

    it('and start one execution if the firing comes before it, which has read the schedule already', async () => {
      const tenant = await openDue();
      const { schedules } = tenant.engine.store;
      const [read, fired] = [gate(), gate()];
      const held = what === 'a deletion' ? 'delete' : 'change';
      const write = schedules[held].bind(schedules) as (...args: unknown[]) => Promise<boolean>;
      const late = async (...args: unknown[]): Promise<boolean> => {
        read.open();
        await fired.passed;
        return write(...args);
      };
      Object.assign(schedules, { [held]: late });
      const changed = change(tenant.runner);
      await read.passed;
      await tenant.engine.schedules.fireDue();
      fired.open();
      await changed;
      expect(await executions(tenant)).toHaveLength(1);
      await tenant.engine.schedules.fireDue();
      expect(await executions(tenant)).toHaveLength(1);
    });
  });

  it('are made in a transaction of the caller, or not at all', async () => {
    const tenant = await openTenant([tick]);
    const { schedules } = tenant.runner;
    const at = new Date(Date.now() + 3_600_000);
    await tenant.dataSource.transaction(async (manager) => {
      await schedules.create('kept', tick, { at }, {}, { manager });
      expect(await schedules.get('kept')).toBeNull();
    });
    expect(await schedules.get('kept')).toMatchObject({ nextAt: at });
    const failed = tenant.dataSource.transaction(async (manager) => {
      await schedules.create('lost', tick, { at }, {}, { manager });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await schedules.get('lost')).toBeNull();
  });

  it('take no turns of their own if their workflow has an admission', async () => {
    const admitted = defineWorkflow('admitted', {
      admission: { concurrency: 1, whenFull: 'queue' },
    })
      .task('run', () => ({}))
      .build();
    const tenant = await openTenant([admitted]);
    const { schedules } = tenant.runner;
    const refused = { code: 'INVALID_ARGUMENT', argument: 'overlap' };
    const queue = { every: '1h', overlap: 'queue' } as const;
    await expect(schedules.create('s', admitted, queue)).rejects.toMatchObject(refused);
    await schedules.create('s', admitted, { every: '1h' });
    const change = schedules.update('s', { overlap: 'cancelPrevious' });
    await expect(change).rejects.toMatchObject(refused);
    await expect(schedules.runNow('s', { overlap: 'queue' })).rejects.toMatchObject(refused);
    expect(await schedules.get('s')).toMatchObject({ state: 'active', spec: { every: '1h' } });
    // The admission came with a release, and the schedule was there before.
    await tenant.query(
      `UPDATE cloacina_schedule
       SET spec = $1, next_for = now() - interval '1 second', next_at = now() - interval '1 second'`,
      [JSON.stringify(queue)],
    );
    await tenant.engine.schedules.fireDue();
    expect(await schedules.get('s')).toMatchObject({
      state: 'broken',
      lastError: { kind: 'invalidSpec', message: expect.stringContaining('has an admission') },
    });
  });

  it('do not wait for a row that another transaction has locked', async () => {
    const tenant = await openTenant([tick]);
    const { schedules } = tenant.runner;
    await schedules.create('locked', tick, { every: '1h' });
    await schedules.create('free', tick, { every: '1h' });
    await tenant.dataSource.transaction(async (manager) => {
      await manager.query(`SELECT FROM cloacina_schedule WHERE name = 'locked' FOR UPDATE`);
      await tenant.query(
        `UPDATE cloacina_schedule SET next_for = now(), next_at = now() WHERE name = 'free'`,
      );
      await manager.query(
        `UPDATE cloacina_schedule SET next_for = now(), next_at = now() WHERE name = 'locked'`,
      );
      await tenant.engine.schedules.fireDue();
      expect(await schedules.firings('free')).toHaveLength(1);
    });
    await waitFor(
      async () => {
        await tenant.engine.schedules.fireDue();
        return (await schedules.firings('locked')).length === 1;
      },
      { what: 'the firing of the locked schedule' },
    );
  });

  it.each(['before', 'after'] as const)(
    'run now once, if the connection breaks %s the commit',
    async (when) => {
      const tenant = await openTenant([tick]);
      const { schedules } = tenant.runner;
      await schedules.create('now', tick, { every: '1d' });
      const store = tenant.engine.store.schedules;
      const fire = store.fire.bind(store);
      let sends = 0;
      store.fire = async (fires) => {
        if (sends++ > 0) return fire(fires);
        if (when === 'after') await fire(fires);
        throw new Error('Connection terminated unexpectedly');
      };
      const { id } = await schedules.runNow('now');
      expect(sends).toBe(when === 'after' ? 1 : 2);
      await tenant.runner.handle(id).result();
      expect(await schedules.firings('now')).toMatchObject([
        { outcome: 'manual', executionId: id },
      ]);
      await expectOneForEach(tenant);
    },
  );

  it('run now when the row is free, or say after startTimeout that it is not', async () => {
    const tenant = await openTenant([tick]);
    const { schema } = tenant;
    const hasty = await openTenant([tick], { schema, startTimeoutMs: 100 });
    const { schedules } = tenant.runner;
    await schedules.create('now', tick, { every: '1d' });
    const run = await tenant.dataSource.transaction(async (manager) => {
      await manager.query(`SELECT FROM cloacina_schedule WHERE name = 'now' FOR UPDATE`);
      await expect(hasty.runner.schedules.runNow('now')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        reached: true,
        message: expect.stringContaining('pg_locks'),
      });
      const store = tenant.engine.store.schedules;
      const fire = store.fire.bind(store);
      const skipped = gate();
      store.fire = async (fires) => {
        const reply = await fire(fires);
        skipped.open();
        return reply;
      };
      const called = { handle: schedules.runNow('now') };
      await skipped.passed;
      return called;
    });
    const { id } = await run.handle;
    await tenant.runner.handle(id).result();
    expect(await schedules.firings('now')).toHaveLength(1);
  });

  it('run now as often as they are told to at the same time', async () => {
    const tenant = await openTenant([tick]);
    const { schedules } = tenant.runner;
    await schedules.create('now', tick, { every: '1d' });
    const handles = await Promise.all(Array.from({ length: 10 }, () => schedules.runNow('now')));
    for (const { id } of handles) await tenant.runner.handle(id).result();
    expect(new Set(handles.map(({ id }) => id)).size).toBe(10);
    expect(await schedules.firings('now')).toHaveLength(10);
    await expectOneForEach(tenant);
  });
});
