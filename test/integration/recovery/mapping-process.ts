import { appendFileSync } from 'node:fs';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { armFailpoint, type Failpoint } from '../../faults/workload/failpoints.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { mapping } from './mapping.js';

/** A process that runs the workflows of `mapping.ts` and kills itself around one of its statements. */
export interface MappingSettings {
  readonly schema: string;
  readonly log: string;
  readonly failpoint: Failpoint;
}

const { schema, log, failpoint } = JSON.parse(process.env['MAPPING'] ?? '{}') as MappingSettings;
const definitions = mapping((what) => appendFileSync(log, `${what}\n`));
const registered = definitions.map((definition) => {
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const described = describeDefinition({ definition, module: 'Mapping' });
  if (described.registered === undefined) throw new Error('The workflow has a mistake.');
  return described.registered;
});
const host = new TenantManager(new WorkflowRegistry(registered), 10);
const options = { poolSize: 6, leaseDurationMs: 3_000, maxConcurrentTasks: 10 };
await host.openTenant(tenantOptions(schema, options));
armFailpoint(failpoint);
await host.startClaiming();
