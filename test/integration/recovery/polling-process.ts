import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { PostgresStateStore } from '../../../lib/store/postgres/roles/states.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { armFailpoint } from '../../faults/workload/failpoints.js';
import { connectAdmin } from '../../support/postgres.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { itemPoller, type PollingSettings } from './polling.js';

const settings = JSON.parse(process.env['POLLING'] ?? '{}') as PollingSettings;
const { schema, dieAt, fromCall } = settings;
if (settings.outside) {
  PostgresStateStore.prototype.replace = async function (name, value) {
    await this.set(name, value);
    return true;
  };
}
const outside = await connectAdmin();
await outside.query(`SET search_path TO ${outside.escapeIdentifier(schema)}`);
let isCalled = false;
if (dieAt !== null && dieAt.at !== 'begin') armFailpoint(dieAt, () => isCalled || !fromCall);
// It knows the poller only: the workflow that it starts is stored by another process.
const poller = itemPoller(outside, () => {
  isCalled = true;
  if (dieAt?.at === 'begin') process.kill(process.pid, 'SIGKILL');
});
const host = new TenantManager(new WorkflowRegistry([poller]), 10);
await host.openTenant(tenantOptions(schema, { poolSize: 4, maxRecoveryAttempts: 100 }));
await host.startClaiming();
process.send?.({ kind: 'ready' });
