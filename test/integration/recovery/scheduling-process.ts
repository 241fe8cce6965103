import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { PostgresScheduleStore } from '../../../lib/store/postgres/roles/schedules.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { scheduled, type SchedulingSettings } from './scheduling.js';

const settings = JSON.parse(process.env['SCHEDULING'] ?? '{}') as SchedulingSettings;
const { schema, dieAt, statement = 'fire', number = 1 } = settings;
const die = (): unknown => process.kill(process.pid, 'SIGKILL');
if (dieAt !== null) {
  const send = Reflect.get(PostgresScheduleStore.prototype, statement) as (
    this: unknown,
    argument: unknown,
  ) => Promise<never>;
  let sent = 0;
  Reflect.set(
    PostgresScheduleStore.prototype,
    statement,
    async function (this: unknown, argument: unknown) {
      const isLast = ++sent === number;
      if (isLast && dieAt === 'before') die();
      const reply = send.call(this, argument);
      // The statement is written to the socket in a later turn of the event loop.
      if (isLast && dieAt === 'sent') setTimeout(die, 1);
      const result = await reply;
      if (isLast) die();
      return result;
    },
  );
}
if (!(scheduled instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition: scheduled, module: 'Scheduling' });
if (registered === undefined) throw new Error('The workflow has a mistake.');
const host = new TenantManager(new WorkflowRegistry([registered]), 10);
await host.openTenant(tenantOptions(schema, { poolSize: 4 }));
await host.startClaiming();
process.send?.({ kind: 'ready' });
