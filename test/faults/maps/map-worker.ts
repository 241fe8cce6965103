import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { changeTexts, takeFenceOut } from '../workload/failpoints.js';
import { bigMap, type BigMap } from './big-map.js';

/** A process that runs the map of `big-map.ts`, to be killed at any moment. */
export interface MapWorkerSettings extends BigMap {
  readonly schema: string;
  readonly slots: number;
  /** What is taken out for a control run. */
  readonly without?: 'fence' | 'counter' | undefined;
}

/** What keeps the counter of a map one higher than its open items while more may come. */
const COUNTER =
  '+ CASE WHEN $8::boolean = ($5::integer = 0) THEN 0 WHEN $8::boolean THEN -1 ELSE 1 END';

const settings = JSON.parse(process.env['MAP_WORKER'] ?? '{}') as MapWorkerSettings;
if (settings.without === 'fence') takeFenceOut();
if (settings.without === 'counter') changeTexts((text) => text.replaceAll(COUNTER, ''));

const definition = bigMap(settings);
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Maps' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

const host = new TenantManager(new WorkflowRegistry([registered]), settings.slots);
await host.openTenant(
  tenantOptions(settings.schema, {
    poolSize: 6,
    maxConcurrentTasks: settings.slots,
    maxRecoveryAttempts: 1_000,
    leaseDurationMs: 3_000,
  }),
);
await host.startClaiming();
process.send?.({ kind: 'ready' });
