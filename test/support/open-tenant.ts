import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { Logger, type Type } from '@nestjs/common';
import type { Client } from 'pg';
import { describeClass, describeDefinition } from '../../lib/discovery/build-registration.js';
import type { ProvidedClass } from '../../lib/discovery/workflow-providers.js';
import {
  type RegisteredWorkflow,
  WorkflowRegistry,
} from '../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow, type WorkflowDefinition } from '../../lib/discovery/workflow-builder.js';
import { getWorkflowOptions } from '../../lib/discovery/workflow-metadata.js';
import type { TenantEngine } from '../../lib/engine/tenant-engine.js';
import type { WiredEngine } from '../../lib/engine/wiring/wire-engine.js';
import type { CloacinaTelemetry } from '../../lib/events/telemetry.js';
import type { Clocks } from '../../lib/store/postgres/clocks.js';
import type { ConnectionGroup } from '../../lib/tenants/hosting/connection-group.js';
import type { ResolvedTenantOptions } from '../../lib/options/index.js';
import type { Tenant } from '../../lib/tenants/hosting/tenant.js';
import { TenantManager } from '../../lib/tenants/hosting/tenant-manager.js';
import { hooksOf } from './hooks-of.js';
import { connectAdmin, freshSchema } from './postgres.js';
import { tenantOptions } from './tenant-options.js';

// Tests lose connections, refuse outcomes and abort handlers on purpose: the warnings would drown the report.
Logger.overrideLogger(false);

export type WorkflowSource = Type<unknown> | WorkflowDefinition | object;

export interface OpenOptions extends Partial<ResolvedTenantOptions> {
  /** Tasks that run at once in the process, whatever the tenant. */
  readonly processTasks?: number;
  /** False: the tenant is open, the process is known to live, and nothing is claimed. */
  readonly claiming?: boolean;
  /** Where the process has its time from. */
  readonly clocks?: Clocks;
  /** What traces and measures the process. Default: nothing. */
  readonly telemetry?: CloacinaTelemetry;
}

/** A tenant on a host of its own, which stands for a process. */
export interface OpenTenant extends Tenant {
  readonly host: TenantManager;
  readonly engine: TenantEngine;
  /** Reads rows with the tenant's schema as search_path. */
  query<R extends object>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

const opened = { file: new Set<TenantManager>(), test: new Set<TenantManager>() };
let scope: keyof typeof opened = 'file';
let admin: Promise<Client> | undefined;

beforeEach(() => {
  scope = 'test';
});
afterEach(async () => {
  scope = 'file';
  await closeAll(opened.test);
});
afterAll(async () => {
  await closeAll(opened.file);
  await (await admin)?.end();
  admin = undefined;
});

async function closeAll(hosts: Set<TenantManager>): Promise<void> {
  await Promise.all([...hosts].map((host) => host.close()));
  hosts.clear();
}

/**
 * Opens one tenant in what counts as a process of its own: several on one schema stand for several processes. Closed
 * after the test, or after the file when it was opened outside one.
 *
 * @param workflows - classes with `@Workflow`, instances of such, what `defineWorkflow()` built, and registered workflows, such as
 *   those of pollers
 */
export async function openTenant(
  workflows: readonly WorkflowSource[],
  options: OpenOptions = {},
): Promise<OpenTenant> {
  const [tenant] = await openTenants(workflows, [options], options.processTasks);
  if (tenant === undefined) throw new Error('No tenant was opened.');
  return tenant;
}

type Serve = <W extends WorkflowSource>(workflow: W) => W;

/**
 * For tests that share one tenant, because it is told what it serves before they run, and to open one takes longer than
 * most tests. What it returns makes a test of a function that says what is served and returns the rest:
 *
 * ```ts
 * const inTenant = sharedTenant();
 * it('adds', inTenant((serve) => {
 *   const sum = serve(defineWorkflow('sum')…);
 *   return async ({ runner }) => …;
 * }));
 * ```
 */
export function sharedTenant(
  options: OpenOptions = {},
): (define: (serve: Serve) => (tenant: OpenTenant) => Promise<void>) => () => Promise<void> {
  const served: WorkflowSource[] = [];
  let tenant: OpenTenant;
  beforeAll(async () => {
    tenant = await openTenant(served, options);
  });
  return (define) => {
    const test = define((workflow) => {
      served.push(workflow);
      return workflow;
    });
    return () => test(tenant);
  };
}

/** Several tenants in one process. */
export async function openTenants(
  workflows: readonly WorkflowSource[],
  tenants: readonly OpenOptions[],
  processTasks = 100,
): Promise<OpenTenant[]> {
  const host = new TenantManager(
    new WorkflowRegistry(workflows.map(register)),
    processTasks,
    hooksOf(tenants[0]?.telemetry),
    tenants[0]?.clocks,
  );
  opened[scope].add(host);
  const open: OpenTenant[] = [];
  for (const options of tenants) open.push(await openOn(host, options));
  if (tenants.every(({ claiming }) => claiming !== false)) await host.startClaiming();
  else await Promise.all(open.map((tenant) => groupOf(tenant).start()));
  return open;
}

/** The schemas that `make-template.ts` has made and no test has taken. */
const spares = Array.from(
  { length: Number(process.env['CLOACINA_TEST_SPARES'] ?? 0) },
  (_, n) => `spare_${n}`,
);

/**
 * Makes a schema that the first tenant on it would make, where the file's database has a spare one. One that is there already
 * stays as it is.
 */
export async function prepareSchema(schema: string): Promise<void> {
  const spare = spares.pop();
  if (spare === undefined) return;
  const client = await (admin ??= connectAdmin());
  const name = client.escapeIdentifier(schema);
  const rename = `ALTER SCHEMA ${spare} RENAME TO ${name}; ALTER TABLE ${name}.spare_migrations RENAME TO cloacina_migrations`;
  await client.query(rename).catch((error: { code?: string }) => {
    if (error.code !== '42P06') throw error;
    spares.push(spare);
  });
}

/** Options of tenants whose schemas are made otherwise, or elsewhere. */
const OWN_WAYS = ['databaseUrl', 'isolation', 'migrate', 'migrations'] as const;

async function openOn(host: TenantManager, options: OpenOptions): Promise<OpenTenant> {
  const schema = options.schema ?? freshSchema();
  if (OWN_WAYS.every((option) => options[option] === undefined)) await prepareSchema(schema);
  const { processTasks: _tasks, claiming: _claiming, telemetry: _telemetry, ...own } = options;
  const tenant = await host.openTenant(tenantOptions(schema, own));
  return {
    ...tenant,
    host,
    engine: engineOf(host, tenant.name),
    query: (sql, values) => queryIn(schema, sql, values),
    close: async () => {
      opened.file.delete(host);
      opened.test.delete(host);
      await host.close();
    },
  };
}

function engineOf(host: TenantManager, tenant: string): TenantEngine {
  const open = Reflect.get(host, 'open') as Map<string, { readonly engine: TenantEngine }>;
  const found = open.get(tenant);
  if (found === undefined) throw new Error(`Tenant ${tenant} is not open.`);
  return found.engine;
}

/** A part of the tenant's engine, for what can't be seen from outside. */
export function enginePartOf<K extends keyof WiredEngine>(
  { engine }: OpenTenant,
  name: K,
): WiredEngine[K] {
  return (Reflect.get(engine, 'parts') as WiredEngine)[name];
}

/** What the process does for all tenants on one login: renewals, sweeps. */
export function processEngineOf(tenant: OpenTenant): ConnectionGroup['process'] {
  return groupOf(tenant).process;
}

/**
 * From now on the process has no regular look at its tenants: what it does, it does because it was told, or because a
 * timer was set. How soon it came about would tell the same only on a machine that has nothing else to do.
 */
export function stopRounds(tenant: OpenTenant): void {
  const rounds = Reflect.get(Reflect.get(groupOf(tenant), 'sweep') as object, 'rounds') as object;
  Reflect.set(rounds, 'notBefore', performance.now() + 1_000_000_000);
}

/** Has the time come that tasks of an execution wait for: its delay, a retry's, that of a deferral. */
export async function makeDue({ query, engine }: OpenTenant, id: string): Promise<void> {
  await query(
    'UPDATE cloacina_task_execution SET run_at = now() WHERE execution_id = $1 AND run_at IS NOT NULL',
    [id],
  );
  engine.claimAvailable();
}

export function poolsOf(tenant: OpenTenant): ConnectionGroup['pools'] {
  return groupOf(tenant).pools;
}

export function groupOf({ host, name }: OpenTenant): ConnectionGroup {
  const open = Reflect.get(host, 'open') as Map<string, { readonly group: ConnectionGroup }>;
  const found = open.get(name);
  if (found === undefined) throw new Error(`Tenant ${name} is not open.`);
  return found.group;
}

let lastQuery: Promise<unknown> = Promise.resolve();

/** One query on a connection that has nothing to do with the library; one after the other. */
export function queryIn<R extends object>(
  schema: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const rows = lastQuery.then(async () => {
    const client = await (admin ??= connectAdmin());
    await client.query(`SET search_path TO ${client.escapeIdentifier(schema)}`);
    return (await client.query<R>(sql, [...values])).rows;
  });
  lastQuery = rows.catch(() => undefined);
  return rows;
}

function register(source: WorkflowSource): RegisteredWorkflow {
  if (isRegistered(source)) return source;
  const described =
    source instanceof BuiltWorkflow
      ? describeDefinition({ definition: source, module: 'TestModule' })
      : describeInstance(typeof source === 'function' ? new (source as Type<object>)() : source);
  if (described.registered === undefined) throw new Error(described.problems.join('\n'));
  return described.registered;
}

function isRegistered(source: WorkflowSource): source is RegisteredWorkflow {
  return typeof source === 'object' && 'definition' in source && 'handlers' in source;
}

function describeInstance(instance: object): ReturnType<typeof describeClass> {
  const type = instance.constructor as Type<unknown>;
  const options = getWorkflowOptions(type);
  if (options === undefined) throw new Error(`${type.name} has no @Workflow.`);
  const provider = (): ReturnType<ProvidedClass['provider']> =>
    ({ instance }) as unknown as ReturnType<ProvidedClass['provider']>;
  return describeClass({ type, module: 'TestModule', provider }, options);
}
