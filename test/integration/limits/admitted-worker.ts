import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { admitted } from './admitted.js';

/** A process that serves the workflow of `admitted.ts`, to be killed at any moment. */

if (!(admitted instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition: admitted, module: 'Worker' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

const host = new TenantManager(new WorkflowRegistry([registered]), 100);
await host.openTenant(
  tenantOptions(process.env['SCHEMA'] ?? '', {
    poolSize: 6,
    maxConcurrentTasks: 100,
    maxRecoveryAttempts: 1_000,
    leaseDurationMs: 2_000,
  }),
);
await host.startClaiming();
process.send?.({ kind: 'ready' });
