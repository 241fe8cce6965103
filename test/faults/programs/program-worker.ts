import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import {
  type RegisteredWorkflow,
  WorkflowRegistry,
} from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { armFailpoint, type Failpoint } from '../workload/failpoints.js';
import { buildWorkflow } from './build-workflow.js';
import { takeOut, type Control } from './controls.js';
import { TELLER, type Program } from './program.js';
import { ProgramHandlers } from './program-handlers.js';
import { sendMessage, type Sending } from './send.js';

/** A process that runs the programs, to be killed at any moment. */
export interface ProgramWorkerSettings {
  readonly name: string;
  readonly url: string;
  readonly schema: string;
  readonly folder: string;
  readonly programs: readonly Program[];
  readonly leaseDurationMs: number;
  readonly without?: Control;
  /** Where the process kills itself once it serves the programs. */
  readonly failpoint?: Failpoint;
}

export type ProgramWorkerOrder =
  | { readonly kind: 'send'; readonly no: number; readonly sending: Sending }
  | { readonly kind: 'close' };

/** What it tells of an order to send: with a code if it was refused. */
export interface Sent {
  readonly kind: 'sent';
  readonly no: number;
  readonly code?: string;
}

// Shown when a test fails.
Logger.overrideLogger(['warn', 'error']);
const settings = JSON.parse(process.env['PROGRAMS'] ?? '{}') as ProgramWorkerSettings;
if (settings.without !== undefined) takeOut(settings.without);
const handlers = new ProgramHandlers(settings);

function register(program: Program): RegisteredWorkflow {
  const definition = buildWorkflow(program, handlers);
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const { registered, problems } = describeDefinition({ definition, module: 'Programs' });
  if (registered === undefined) throw new Error(problems.join('\n'));
  return registered;
}

const host = new TenantManager(
  new WorkflowRegistry([TELLER, ...settings.programs].map(register)),
  50,
);
const tenant = await host.openTenant(
  tenantOptions(settings.schema, {
    databaseUrl: settings.url,
    poolSize: 6,
    maxConcurrentTasks: 30,
    leaseDurationMs: settings.leaseDurationMs,
    maxRecoveryAttempts: 1_000,
    startTimeoutMs: 20_000,
  }),
);

async function send(no: number, sending: Sending): Promise<void> {
  let sent: Sent = { kind: 'sent', no };
  try {
    await sendMessage(tenant, sending, delay);
  } catch (error) {
    sent = { ...sent, code: String(Reflect.get(error as object, 'code') ?? error) };
  }
  process.send?.(sent);
}

process.on('message', (order: ProgramWorkerOrder) => {
  if (order.kind === 'send') void send(order.no, order.sending);
  else void host.close().then(() => process.disconnect());
});
if (settings.failpoint !== undefined) armFailpoint(settings.failpoint);
await host.startClaiming();
process.send?.({ kind: 'ready' });
