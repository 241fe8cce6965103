import { appendFileSync } from 'node:fs';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { stepping, type Point } from './stepping.js';

/** A process that runs the workflow of `stepping.ts` and kills itself at one of its points. */
export interface SteppingSettings {
  readonly schema: string;
  readonly log: string;
  readonly steps: number;
  readonly dieAt: readonly [point: Point, step: number];
}

const settings = JSON.parse(process.env['STEPPING'] ?? '{}') as SteppingSettings;
const [diesAt, dieIn] = settings.dieAt;
const definition = stepping(
  settings.steps,
  (step) => appendFileSync(settings.log, `${step}\n`),
  (point, step) => {
    if (point === diesAt && step === dieIn) process.kill(process.pid, 'SIGKILL');
  },
);
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Stepping' });
if (registered === undefined) throw new Error('The workflow has a mistake.');
const host = new TenantManager(new WorkflowRegistry([registered]), 10);
await host.openTenant(tenantOptions(settings.schema, { poolSize: 6 }));
await host.startClaiming();
