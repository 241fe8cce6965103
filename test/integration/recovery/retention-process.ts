import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import type { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { KEEP_ALL } from '../../../lib/workflow/retention.js';
import { tenantOptions } from '../../support/tenant-options.js';

/** A process that deletes all that has ended, and kills itself at one of its statements for that. */
export interface RetentionProcessSettings {
  readonly schema: string;
  readonly statement: 'takeTurn' | 'walk' | 'trees' | 'delete' | 'note' | 'keepKeys';
  /** Before it is sent, right after that, or when its reply has come. */
  readonly dieAt: 'before' | 'during' | 'after';
  readonly archives?: boolean;
  readonly keysMs?: number;
}

const given = process.env['RETENTION_PROCESS'] ?? '{}';
const { schema, statement, dieAt, ...more } = JSON.parse(given) as RetentionProcessSettings;
const { archives = false, keysMs } = more;

const rule = { ...KEEP_ALL, completedMs: 0, failedMs: 0, cancelledMs: 0 };
const host = new TenantManager(new WorkflowRegistry(), 10);
const { name } = await host.openTenant(
  tenantOptions(schema, {
    poolSize: 6,
    leaseDurationMs: 1_000,
    retention: { rule, ...(keysMs === undefined ? {} : { keysMs }) },
    ...(archives ? { archive: () => undefined } : {}),
  }),
);
const open = Reflect.get(host, 'open') as Map<string, { readonly engine: TenantEngine }>;
const { retention } = open.get(name)!.engine.store;

const send = retention[statement].bind(retention) as (...args: unknown[]) => Promise<unknown>;
const die = (): void => void process.kill(process.pid, 'SIGKILL');
Object.assign(retention, {
  [statement]: async (...args: unknown[]): Promise<unknown> => {
    if (dieAt === 'before') die();
    const reply = send(...args);
    // The statement is written to the connection in this turn of the event loop, or when it has a connection.
    if (dieAt === 'during') setTimeout(die, 2);
    const result = await reply;
    die();
    return result;
  },
});
await host.startClaiming();
