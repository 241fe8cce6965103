import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { armFailpoint, type Failpoint } from '../../faults/workload/failpoints.js';
import { Item, mailbox } from './mailbox.js';

/** A process that serves the workflow of `mailbox.ts`, and sends signals when it is told to, to be killed at any moment. */

const failpoint = process.env['FAILPOINT'];
if (failpoint !== undefined) armFailpoint(JSON.parse(failpoint) as Failpoint);

const definition = mailbox();
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Worker' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

const host = new TenantManager(new WorkflowRegistry([registered]), 100);
const { runner } = await host.openTenant(
  tenantOptions(process.env['SCHEMA'] ?? '', {
    poolSize: 6,
    maxConcurrentTasks: 100,
    maxRecoveryAttempts: 1_000,
    leaseDurationMs: 2_000,
  }),
);
await host.startClaiming();
process.on('message', ({ id, item }: { readonly id: string; readonly item: number }) => {
  void runner.signal(id, Item, item);
});
process.send?.({ kind: 'ready' });
