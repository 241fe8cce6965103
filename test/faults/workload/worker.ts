import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import {
  type RegisteredWorkflow,
  WorkflowRegistry,
} from '../../../lib/discovery/registered-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { BuiltWorkflow, type WorkflowBuilder } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { always } from '../../../lib/workflow/index.js';
import { armFailpoint, type Failpoint, takeFenceOut } from './failpoints.js';
import { PlannedHandlers } from './handler.js';
import type { PlannedWorkflow } from './plan.js';

/** A process of the workload: it serves the planned workflows, and does to itself what it is told to. */

export interface WorkerSettings {
  readonly name: string;
  readonly url: string;
  readonly schema: string;
  readonly plans: readonly PlannedWorkflow[];
  readonly folder: string;
  readonly handlerMs: number;
  readonly leaseDurationMs: number;
  readonly maxConcurrentTasks: number;
  readonly poolSize: number;
  readonly padding?: number;
  /** Past a pooler. */
  readonly controlUrl?: string;
  readonly withoutFence?: boolean;
}

export type WorkerOrder =
  | { readonly kind: 'start'; readonly workflow: string; readonly count: number }
  | { readonly kind: 'control'; readonly what: 'pause' | 'resume'; readonly id: string }
  | { readonly kind: 'arm'; readonly failpoint: Failpoint }
  | { readonly kind: 'close' };

// Read by tests, and shown when one fails.
Logger.overrideLogger(['warn', 'error']);
const settings = JSON.parse(process.env['WORKLOAD'] ?? '{}') as WorkerSettings;
const handlers = new PlannedHandlers(settings);

function register(plan: PlannedWorkflow): RegisteredWorkflow {
  let builder: WorkflowBuilder = defineWorkflow(plan.name);
  for (const [no, task] of plan.tasks.entries()) {
    builder = builder.task(
      task.name,
      {
        dependsOn: [...task.dependsOn],
        transactional: task.kind === 'transactional',
        ...(task.kind === 'always' ? { when: always() } : {}),
        ...(task.timeoutMs === undefined ? {} : { timeout: task.timeoutMs }),
        retry: { maxAttempts: task.maxAttempts ?? 50, backoff: 'fixed', delay: 50, jitter: false },
      },
      (context: TaskContext) => handlers.handle(plan, task, no, context),
    );
  }
  const definition = builder.build();
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const { registered, problems } = describeDefinition({ definition, module: 'Workload' });
  if (registered === undefined) throw new Error(problems.join('\n'));
  return registered;
}

const { plans, schema, url } = settings;
if (settings.withoutFence === true) takeFenceOut();
const host = new TenantManager(new WorkflowRegistry(plans.map(register)), 50);
const { runner } = await host.openTenant(
  tenantOptions(schema, {
    databaseUrl: url,
    poolSize: settings.poolSize,
    maxConcurrentTasks: settings.maxConcurrentTasks,
    leaseDurationMs: settings.leaseDurationMs,
    startTimeoutMs: 20_000,
    ...(settings.controlUrl === undefined ? {} : { controlUrl: settings.controlUrl }),
    maxRecoveryAttempts: 1_000,
  }),
);

async function start(workflow: string): Promise<void> {
  try {
    const { id } = await runner.start(workflow);
    appendFileSync(path.join(settings.folder, 'accepted.log'), `${id} ${workflow}\n`);
  } catch (error) {
    // Refused or not known: then it is not told of as accepted.
    const { name, message } = error as Error;
    const code: unknown = Reflect.get(error as Error, 'code');
    const refused = { name, code, message };
    appendFileSync(path.join(settings.folder, 'refused.log'), `${JSON.stringify(refused)}\n`);
  }
}

/** What would keep the process alive; the pipes to the test do until the test ends. */
function left(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => !kind.startsWith('Pipe'));
}

let closing: Promise<void> | undefined;
function close(): Promise<void> {
  return (closing ??= host.close().then(async () => {
    // The system takes a moment to close a socket.
    for (let look = 0; look < 100 && left().length > 0; look++) {
      await delay(20, undefined, { ref: false });
    }
    process.send?.({ kind: 'closed', left: left() });
    process.disconnect();
  }));
}

async function obey(order: WorkerOrder): Promise<void> {
  if (order.kind === 'close') await close();
  else if (order.kind === 'arm') {
    if (order.failpoint.at === 'begin' || order.failpoint.at === 'end')
      handlers.killIn = order.failpoint.at;
    else armFailpoint(order.failpoint);
    process.send?.({ kind: 'armed' });
  } else if (order.kind === 'control') {
    await runner[order.what](order.id);
    process.send?.({ kind: `${order.what}d` });
  } else {
    await Promise.all(Array.from({ length: order.count }, () => start(order.workflow)));
    process.send?.({ kind: 'started' });
  }
}
process.on('message', (order: WorkerOrder) => void obey(order));
process.on('SIGTERM', () => void close());
await host.startClaiming();
process.send?.({ kind: 'ready' });
