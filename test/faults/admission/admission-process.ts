import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { admitted, BATCH_SIZE } from '../../integration/limits/admitted.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { armFailpoint, type Failpoint } from '../workload/failpoints.js';

/** A process that starts executions of `admitted.ts` and runs them, and is killed on the way. */
export interface AdmissionSettings {
  readonly schema: string;
  readonly count: number;
  readonly failpoint: Failpoint;
  /** Starts with this debounce key instead. */
  readonly debounceKey?: string;
  /** Adds its inputs to batches with this key instead. */
  readonly batchKey?: string;
}

const { schema, count, failpoint, debounceKey, batchKey } = JSON.parse(
  process.env['ADMISSION'] ?? '{}',
) as AdmissionSettings;
if (!(admitted instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition: admitted, module: 'Admission' });
if (registered === undefined) throw new Error('The workflow has a mistake.');
const host = new TenantManager(new WorkflowRegistry([registered]), 10);
const { runner } = await host.openTenant(tenantOptions(schema, { maxConcurrentTasks: 10 }));
await host.startClaiming();
armFailpoint(failpoint);
const options = {
  ...(debounceKey === undefined ? {} : { debounce: { key: debounceKey, wait: 1 } }),
  ...(batchKey === undefined ? {} : { batch: { key: batchKey, size: BATCH_SIZE, wait: 1 } }),
};
await Promise.all(
  Array.from({ length: count }, () => runner.start(admitted, { key: 'k', ms: 1 }, options)),
);
