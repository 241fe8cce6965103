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

/** A tenant of the process, and where its handlers and starts are written down. */
export interface ServedPlace {
  readonly url: string;
  readonly schema: string;
  readonly folder: string;
  /** Its name among several servers, without which the process boots. */
  readonly server?: string;
}

export interface WorkerSettings extends ServedPlace {
  readonly name: string;
  readonly plans: readonly PlannedWorkflow[];
  /** More tenants, with the same workflows. */
  readonly others?: readonly ServedPlace[];
  /** Of the process, for all tenants. Default: 50. */
  readonly slots?: number;
  /** Default: 20 s. */
  readonly startTimeoutMs?: number;
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
  | {
      readonly kind: 'start';
      readonly workflow: string;
      readonly count: number;
      /** Of which tenant. Default: the first one. */
      readonly schema?: string;
    }
  | { readonly kind: 'control'; readonly what: 'pause' | 'resume'; readonly id: string }
  | { readonly kind: 'arm'; readonly failpoint: Failpoint }
  | { readonly kind: 'close' };

// Read by tests, and shown when one fails.
Logger.overrideLogger(['warn', 'error']);
const settings = JSON.parse(process.env['WORKLOAD'] ?? '{}') as WorkerSettings;
const places: readonly ServedPlace[] = [settings, ...(settings.others ?? [])];
const handlers = new Map(
  places.map(({ schema, folder }) => [schema, new PlannedHandlers({ ...settings, folder })]),
);

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
      (context: TaskContext) => handlersOf(context.tenant).handle(plan, task, no, context),
    );
  }
  const definition = builder.build();
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const { registered, problems } = describeDefinition({ definition, module: 'Workload' });
  if (registered === undefined) throw new Error(problems.join('\n'));
  return registered;
}

function handlersOf(schema: string): PlannedHandlers {
  const found = handlers.get(schema);
  if (found === undefined) throw new TypeError(`No tenant ${schema}.`);
  return found;
}

const { plans } = settings;
if (settings.withoutFence === true) takeFenceOut();
const host = new TenantManager(new WorkflowRegistry(plans.map(register)), settings.slots ?? 50);
await Promise.all(
  places.map(({ schema, url, server }) =>
    host.openTenant(
      tenantOptions(schema, {
        databaseUrl: url,
        poolSize: settings.poolSize,
        maxConcurrentTasks: settings.maxConcurrentTasks,
        leaseDurationMs: settings.leaseDurationMs,
        startTimeoutMs: settings.startTimeoutMs ?? 20_000,
        ...(settings.controlUrl === undefined ? {} : { controlUrl: settings.controlUrl }),
        ...(server === undefined ? {} : { server, mayBeAway: true }),
        maxRecoveryAttempts: 1_000,
      }),
    ),
  ),
);

async function start(workflow: string, { schema, folder }: ServedPlace): Promise<void> {
  try {
    const { id } = await host.find(schema).tenant.runner.start(workflow);
    appendFileSync(path.join(folder, 'accepted.log'), `${id} ${workflow}\n`);
  } catch (error) {
    // Refused or not known: then it is not told of as accepted.
    const { name, message } = error as Error;
    const code: unknown = Reflect.get(error as Error, 'code');
    const refused = { name, code, message };
    appendFileSync(path.join(folder, 'refused.log'), `${JSON.stringify(refused)}\n`);
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
      handlersOf(settings.schema).killIn = order.failpoint.at;
    else armFailpoint(order.failpoint);
    process.send?.({ kind: 'armed' });
  } else if (order.kind === 'control') {
    await host.find(settings.schema).tenant.runner[order.what](order.id);
    process.send?.({ kind: `${order.what}d` });
  } else {
    const place = places.find(({ schema }) => schema === order.schema) ?? settings;
    await Promise.all(Array.from({ length: order.count }, () => start(order.workflow, place)));
    process.send?.({ kind: 'started', schema: place.schema });
  }
}
process.on('message', (order: WorkerOrder) => void obey(order));
process.on('SIGTERM', () => void close());
await host.startClaiming();
process.send?.({ kind: 'ready' });
