import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
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

  it('fire nothing that an update, a pause or a deletion has taken back', async () => {
    const tenant = await openTenant([tick]);
    const { schedules } = tenant.runner;
    for (let round = 0; round < 60; round++) {
      const name = `raced ${round}`;
      await schedules.create(name, tick, { at: new Date(Date.now() + 10 + (round % 7)) });
      const change = [
        () => schedules.delete(name),
        () => schedules.pause(name),
        () => schedules.update(name, { at: new Date(Date.now() + 3_600_000) }),
      ][round % 3]!;
      await new Promise((resolve) => setTimeout(resolve, round % 13));
      await change();
      const before = await tenant.query(
        'SELECT id FROM cloacina_workflow_execution WHERE schedule = $1',
        [name],
      );
      expect(before.length).toBeLessThanOrEqual(1);
      await tenant.engine.schedules.fireDue();
      const after = await tenant.query(
        'SELECT id FROM cloacina_workflow_execution WHERE schedule = $1',
        [name],
      );
      expect(after).toEqual(before);
    }
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
});
