import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import type { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';

/** A process that runs, waits, retries and defers, closes, and has to end by itself. */
const workflow = defineWorkflow('busy', { timeout: '1h' })
  .task('first', { retry: { delay: 1 } }, ({ attempt }) => {
    if (attempt === 1) throw new Error('once');
  })
  .task('second', { dependsOn: ['first'], transactional: true }, () => undefined)
  .build();
const idle = defineWorkflow('idle')
  .task('only', (context) => context.deferUntil(() => false, { every: '1h' }))
  .build();

const registered = [workflow, idle].flatMap(
  (definition) =>
    describeDefinition({ definition: definition as BuiltWorkflow, module: 'Child' }).registered ??
    [],
);
const host = new TenantManager(new WorkflowRegistry(registered), 50);
const schema = process.env['SCHEMA'] ?? '';
const { runner } = await host.openTenant(tenantOptions(schema, { maxConcurrentTasks: 20 }));
await host.startClaiming();
await runner.start(idle);
await runner.start(workflow, {}, { delay: '1h' });
const results = await Promise.all(Array.from({ length: 300 }, () => runner.execute(workflow)));
process.send?.({ completed: results.filter(({ status }) => status === 'Completed').length });
await host.close();
process.send?.({ closed: true });
process.disconnect();
