import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { PostgresScheduleStore } from '../../../lib/store/postgres/roles/schedules.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { scheduled, type SchedulingSettings } from './scheduling.js';

const { schema, dieAt } = JSON.parse(process.env['SCHEDULING'] ?? '{}') as SchedulingSettings;
const die = (): unknown => process.kill(process.pid, 'SIGKILL');
if (dieAt !== null) {
  const fire = Reflect.get(PostgresScheduleStore.prototype, 'fire');
  PostgresScheduleStore.prototype.fire = async function (schedules) {
    if (dieAt === 'before') die();
    const reply = fire.call(this, schedules);
    // The statement is written to the socket in a later turn of the event loop.
    if (dieAt === 'sent') setTimeout(die, 1);
    const fired = await reply;
    die();
    return fired;
  };
}
if (!(scheduled instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition: scheduled, module: 'Scheduling' });
if (registered === undefined) throw new Error('The workflow has a mistake.');
const host = new TenantManager(new WorkflowRegistry([registered]), 10);
await host.openTenant(tenantOptions(schema, { poolSize: 4 }));
await host.startClaiming();
process.send?.({ kind: 'ready' });
