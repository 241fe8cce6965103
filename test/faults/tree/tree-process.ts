import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { armFailpoint, type Failpoint } from '../workload/failpoints.js';
import { tree } from './tree.js';

/** A process that cancels an execution of `tree.ts`, and is killed on the way. */
export interface TreeSettings {
  readonly schema: string;
  readonly width: number;
  readonly cancel: string;
  readonly failpoint: Failpoint;
}

const settings = JSON.parse(process.env['TREE'] ?? '{}') as TreeSettings;
const registered = tree(settings.width).map((definition) => {
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const described = describeDefinition({ definition, module: 'Tree' });
  if (described.registered === undefined) throw new Error(described.problems.join('\n'));
  return described.registered;
});
const host = new TenantManager(new WorkflowRegistry(registered), 10);
const { runner } = await host.openTenant(tenantOptions(settings.schema, { maxConcurrentTasks: 0 }));
await host.startClaiming();
armFailpoint(settings.failpoint);
await runner.cancel(settings.cancel, { reason: 'enough' });
