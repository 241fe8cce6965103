import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { missingHolders } from './audit.js';
import { widenRaces, type Control } from './controls.js';
import { limited } from './limited.js';

/** A process that serves the workflow of `limited.ts`, to be killed at any moment. */
export interface LimitedWorkerSettings {
  readonly schema: string;
  readonly control?: Control;
}

const { schema, control } = JSON.parse(process.env['LIMITED'] ?? '{}') as LimitedWorkerSettings;
if (!(limited instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition: limited, module: 'Worker' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

widenRaces(control, missingHolders(schema));
const host = new TenantManager(new WorkflowRegistry([registered]), 100);
const { dataSource } = await host.openTenant(
  tenantOptions(schema, {
    poolSize: 4,
    maxConcurrentTasks: 100,
    maxRecoveryAttempts: 1_000,
    leaseDurationMs: 6_000,
  }),
);
await host.startClaiming();
const [row] = await dataSource.query<{ application: string }[]>(
  `SELECT current_setting('application_name') AS application`,
);
process.send?.({ kind: 'ready', application: row?.application });
