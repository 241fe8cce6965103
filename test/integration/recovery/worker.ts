import { appendFileSync } from 'node:fs';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import type { ResolvedTenantOptions } from '../../../lib/options/index.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { holding, type HoldingInput } from './holding.js';

/**
 * A process that serves tenants with the workflow of `holding.ts`, for tests that kill it. What its handlers did is in
 * a file, which no fault of the database and no signal takes back.
 */

export interface WorkerSettings {
  readonly schemas: readonly string[];
  readonly log: string;
  readonly name: string;
  readonly options: Partial<ResolvedTenantOptions>;
}

export type WorkerOrder =
  | { readonly start: readonly HoldingInput[]; readonly schema: string }
  | { readonly release: true }
  | { readonly blockMs: number }
  | { readonly close: true };

export interface WorkerMessage {
  readonly kind: 'ready' | 'started' | 'closed';
  readonly ids?: readonly string[];
}

const settings = JSON.parse(process.env['WORKER'] ?? '{}') as WorkerSettings;
let release: () => void = () => undefined;
const released = new Promise<void>((resolve) => (release = resolve));

const definition = holding({
  note: (entry) =>
    appendFileSync(settings.log, `${JSON.stringify({ ...entry, by: settings.name })}\n`),
  released,
  die: () => process.kill(process.pid, 'SIGKILL'),
});
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Worker' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

const host = new TenantManager(new WorkflowRegistry([registered]), 100);
const runners = new Map(
  await Promise.all(
    settings.schemas.map(async (schema) => {
      const tenant = await host.openTenant(
        tenantOptions(schema, { poolSize: 6, maxConcurrentTasks: 100, ...settings.options }),
      );
      return [schema, tenant.runner] as const;
    }),
  ),
);

function tell(message: WorkerMessage): void {
  process.send?.(message);
}

async function obey(order: WorkerOrder): Promise<void> {
  if ('start' in order) {
    const runner = runners.get(order.schema);
    if (runner === undefined) throw new Error(`${order.schema} is not served here.`);
    const handles = await Promise.all(
      order.start.map((input) => runner.start('holding', { ...input })),
    );
    tell({ kind: 'started', ids: handles.map(({ id }) => id) });
  } else if ('blockMs' in order) {
    // Blocks the event loop as a long computation does, without the processor time.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.blockMs);
  } else if ('release' in order) {
    release();
  } else {
    await host.close();
    tell({ kind: 'closed' });
    process.disconnect();
  }
}
process.on('message', (order: WorkerOrder) => void obey(order));

await host.startClaiming();
tell({ kind: 'ready' });
