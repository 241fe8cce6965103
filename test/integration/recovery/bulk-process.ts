import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import type { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';

/** A process that serves no workflow of the application, and kills itself at a statement of a bulk operation. */
export interface BulkProcessSettings {
  readonly schema: string;
  /** Before the statement is sent, or when its reply has come. */
  readonly dieAt: 'before' | 'after';
  /** The number of the statement in the process, from 1. */
  readonly statement: number;
}

const { schema, dieAt, statement } = JSON.parse(
  process.env['BULK_PROCESS'] ?? '{}',
) as BulkProcessSettings;

const host = new TenantManager(new WorkflowRegistry(), 10);
const { name } = await host.openTenant(tenantOptions(schema, { poolSize: 6 }));
const open = Reflect.get(host, 'open') as Map<string, { readonly engine: TenantEngine }>;
const { bulk, messages } = open.get(name)!.engine.store;

let sent = 0;
function dying<A extends unknown[], R>(send: (...args: A) => Promise<R>) {
  return async (...args: A): Promise<R> => {
    const isLast = ++sent === statement;
    if (isLast && dieAt === 'before') process.kill(process.pid, 'SIGKILL');
    const reply = await send(...args);
    if (isLast && dieAt === 'after') process.kill(process.pid, 'SIGKILL');
    return reply;
  };
}

bulk.control = dying(bulk.control.bind(bulk));
bulk.delete = dying(bulk.delete.bind(bulk));
messages.sendMessages = dying(messages.sendMessages.bind(messages));
messages.sendSignals = dying(messages.sendSignals.bind(messages));
await host.startClaiming();
