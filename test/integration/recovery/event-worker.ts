import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { armFailpoint, type Failpoint } from '../../faults/workload/failpoints.js';
import { Paid, receipts } from './event-receipts.js';

/** A process that serves the workflow of `event-receipts.ts`, sends EMIT events, and may be killed at any moment. */

const failpoint = process.env['FAILPOINT'];
if (failpoint !== undefined) armFailpoint(JSON.parse(failpoint) as Failpoint);

const definition = receipts();
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Worker' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

const host = new TenantManager(new WorkflowRegistry([registered]), 100);
const { runner } = await host.openTenant(
  tenantOptions(process.env['SCHEMA'] ?? '', { poolSize: 6, leaseDurationMs: 2_000 }),
);
await host.startClaiming();
process.send?.({ kind: 'ready' });
for (let n = 0; n < Number(process.env['EMIT'] ?? 0); n++) {
  await runner.emit(Paid, `invoice ${n}`, { n });
}
