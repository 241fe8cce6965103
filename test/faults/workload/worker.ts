import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { describeDefinition } from '../../../lib/discovery/describe-workflow.js';
import {
  type RegisteredWorkflow,
  WorkflowRegistry,
} from '../../../lib/discovery/registered-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { BuiltWorkflow, type WorkflowBuilder } from '../../../lib/discovery/workflow-builder.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { TenantHost } from '../../../lib/tenants/tenant-host.js';
import { always } from '../../../lib/workflow/index.js';
import { armFailpoint, type Failpoint, takeFenceOut } from './failpoints.js';
import type { PlannedTask, PlannedWorkflow } from './plan.js';

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
  /** Past a pooler. */
  readonly controlUrl?: string;
  readonly withoutFence?: boolean;
}

export type WorkerOrder =
  | { readonly kind: 'start'; readonly workflow: string; readonly count: number }
  | { readonly kind: 'arm'; readonly failpoint: Failpoint }
  | { readonly kind: 'close' };

/** One line of the log: what a handler did. */
export interface Entry {
  readonly what: 'begun' | 'ended';
  readonly by: string;
  readonly run: string;
  readonly executionId: string;
  readonly task: string;
  readonly attempt: number;
  readonly recoveryAttempt: number;
  /** The runs of the dependencies, as this one sees them. */
  readonly saw?: Readonly<Record<string, string>>;
}

interface Value {
  readonly sum: number;
  readonly run: string;
}

// Read by tests, and shown when one fails.
Logger.overrideLogger(['warn', 'error']);
const settings = JSON.parse(process.env['WORKLOAD'] ?? '{}') as WorkerSettings;
const note = (entry: object): void =>
  appendFileSync(path.join(settings.folder, 'handlers.log'), `${JSON.stringify(entry)}\n`);

let killIn: 'begin' | 'end' | undefined;

async function handle(
  task: PlannedTask,
  no: number,
  context: TaskContext,
): Promise<Record<string, Value>> {
  const { executionId, attempt, recoveryAttempt } = context;
  const run = randomUUID();
  const saw: Record<string, string> = {};
  let sum = no + 1;
  for (const name of task.dependsOn) {
    const value = context.get(name) as Value | undefined;
    if (value === undefined) continue;
    saw[name] = value.run;
    sum += value.sum;
  }
  const entry = { by: settings.name, run, executionId, task: task.name, attempt, recoveryAttempt };
  note({ what: 'begun', ...entry, saw });
  if (killIn === 'begin') process.kill(process.pid, 'SIGKILL');
  if (task.kind === 'failing') throw new NonRetryableError('as planned');
  if (task.kind === 'flaky' && attempt === 1) throw new Error('flaky, as planned');
  if (task.kind === 'deferring') {
    const marker = path.join(settings.folder, `deferred-${executionId}-${task.name}`);
    await context.deferUntil(
      () => {
        if (existsSync(marker)) return true;
        writeFileSync(marker, '');
        return false;
      },
      { every: 100 },
    );
  }
  if (task.kind === 'transactional') {
    await context.manager.query(
      'INSERT INTO effect (execution_id, task, run) VALUES ($1, $2, $3)',
      [executionId, task.name, run],
    );
  }
  if (settings.handlerMs > 0) await delay(settings.handlerMs);
  note({ what: 'ended', ...entry });
  if (killIn === 'end') process.kill(process.pid, 'SIGKILL');
  return { [task.name]: { sum, run } };
}

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
        retry: { maxAttempts: 50, backoff: 'fixed', delay: 50, jitter: false },
      },
      (context: TaskContext) => handle(task, no, context),
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
const host = new TenantHost(new WorkflowRegistry(plans.map(register)), 50);
const { runner } = await host.openTenant({
  tenant: schema,
  schema,
  databaseUrl: url,
  poolSize: settings.poolSize,
  maxConcurrentTasks: settings.maxConcurrentTasks,
  leaseDurationMs: settings.leaseDurationMs,
  shutdownTimeoutMs: 5_000,
  startTimeoutMs: 20_000,
  maxContextSize: 1_048_576,
  controlConnection: true,
  controlUrl: settings.controlUrl,
  enableRecovery: true,
  maxRecoveryAttempts: 1_000,
  serves: () => true,
});

async function start(workflow: string): Promise<void> {
  try {
    const { id } = await runner.start(workflow);
    appendFileSync(path.join(settings.folder, 'accepted.log'), `${id} ${workflow}\n`);
  } catch {
    // Refused or not known: then nobody was told that it was accepted.
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
    if (order.failpoint.at === 'begin' || order.failpoint.at === 'end') killIn = order.failpoint.at;
    else armFailpoint(order.failpoint);
    process.send?.({ kind: 'armed' });
  } else {
    await Promise.all(Array.from({ length: order.count }, () => start(order.workflow)));
    process.send?.({ kind: 'started' });
  }
}
process.on('message', (order: WorkerOrder) => void obey(order));
process.on('SIGTERM', () => void close());
await host.startClaiming();
process.send?.({ kind: 'ready' });
