import { appendFileSync } from 'node:fs';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { armFailpoint, type Failpoint } from '../../faults/workload/failpoints.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { family } from './family.js';

/** A process that runs the workflows of `family.ts` and kills itself around one of its statements. */
export interface FamilySettings {
  readonly schema: string;
  readonly log: string;
  readonly gate: string;
  readonly failpoint: Failpoint;
  /** The execution to cancel, in place of running its tasks. */
  readonly cancel?: string;
}

const { schema, log, gate, failpoint, cancel } = JSON.parse(
  process.env['FAMILY'] ?? '{}',
) as FamilySettings;
const definitions = family(gate, (what) => appendFileSync(log, `${what}\n`));
const registered = definitions.map((definition) => {
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const described = describeDefinition({ definition, module: 'Family' });
  if (described.registered === undefined) throw new Error('The workflow has a mistake.');
  return described.registered;
});
const host = new TenantManager(new WorkflowRegistry(registered), 10);
const maxConcurrentTasks = cancel === undefined ? 10 : 0;
const options = { poolSize: 6, leaseDurationMs: 3_000, maxConcurrentTasks };
const { runner } = await host.openTenant(tenantOptions(schema, options));
armFailpoint(failpoint);
await host.startClaiming();
if (cancel !== undefined) await runner.cancel(cancel, { reason: 'enough' });
