import { describe, expect, it } from '@jest/globals';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { Schedule } from '../../../lib/discovery/schedule.decorator.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { databaseUrl } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { start } from '../tenants/application.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

@Workflow({ name: 'totals' })
@Schedule({ name: 'nightly', cron: '0 2 * * *', timezone: 'Europe/Lisbon', tenants: ['acme'] })
@Schedule({ name: 'nightly', cron: '0 4 * * *', timezone: 'Asia/Tokyo', tenants: ['late'] })
@Schedule({ name: 'hourly', every: '1h', tenants: (tenant) => tenant !== 'globex' })
class Totals {
  @Task()
  sum() {}
}

@Workflow({ name: 'short-totals' })
@Schedule({ name: 'nightly', cron: '@daily', tenants: ['globex'] })
class ShortTotals {
  @Task()
  sum() {}
}

describe('@Schedule in an application', () => {
  it('gives each tenant the schedules that are for it, also one that is added later', async () => {
    const tenant = async (name: string) =>
      CloacinaModule.forTenant({
        tenant: name,
        schema: await preparedSchema(name),
        databaseUrl: databaseUrl(),
      });
    const { tenants } = await start([Totals, ShortTotals], {
      imports: [await tenant('acme'), await tenant('globex')],
    });
    await tenants.add({ tenant: 'late', schema: await preparedSchema('late') });
    const schedulesOf = (name: string, count: number) =>
      waitFor(
        async () => {
          const found = await tenants.get(name).runner.schedules.list();
          return found.length === count && found;
        },
        { what: `the schedules of ${name}` },
      );
    const nightly = { name: 'nightly', state: 'active', origin: 'code' };
    expect(await schedulesOf('acme', 2)).toMatchObject([
      { name: 'hourly', workflow: 'totals' },
      { ...nightly, workflow: 'totals', spec: { cron: '0 2 * * *', timezone: 'Europe/Lisbon' } },
    ]);
    expect(await schedulesOf('globex', 1)).toMatchObject([
      { ...nightly, workflow: 'short-totals', spec: { cron: '@daily' } },
    ]);
    expect(await schedulesOf('late', 2)).toMatchObject([
      { name: 'hourly', workflow: 'totals' },
      { ...nightly, workflow: 'totals', spec: { cron: '0 4 * * *', timezone: 'Asia/Tokyo' } },
    ]);
  });
});
