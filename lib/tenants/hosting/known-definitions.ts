import {
  readManyDefinitions,
  registerWithManyTenants,
} from '../../store/postgres/bulk-definitions.js';
import type { LoginPools } from '../../store/postgres/connections/pools.js';
import type { KnownDefinitions, NewDefinition, TenantHandle } from '../../store/port/index.js';
import type { TenantRuntime } from './tenant-runtime.js';

/**
 * Reads and registers the definitions of many tenants on one login, with a few statements. Tenants for which that fails,
 * because their schema is broken or locked, are missing from the result. Opening such a tenant reports its error.
 */
export async function knownDefinitions(
  pools: LoginPools,
  tenants: readonly TenantRuntime[],
): Promise<ReadonlyMap<TenantRuntime, KnownDefinitions>> {
  // Statements on these connections time out after two seconds if a schema is locked.
  const { statements } = pools.turns;
  const known = new Map<TenantRuntime, KnownDefinitions>();
  const old = tenants.filter(({ isNew }) => !isNew);
  const names = [...new Set(old.flatMap(({ engine }) => engine.catalog.names))];
  const read = await readManyDefinitions(statements, old.map(handleOf), names);
  for (const [i, runtime] of old.entries()) {
    const definitions = read[i];
    if (definitions !== undefined) known.set(runtime, servedOnly(runtime, definitions));
  }
  for (const runtime of tenants)
    if (runtime.isNew) {
      known.set(runtime, { newest: [], active: [], paused: [] });
    }
  for (const { definitions, lacking } of groupMissing(known)) {
    const registered = await registerWithManyTenants(
      statements,
      lacking.map(handleOf),
      definitions,
    );
    for (const [i, runtime] of lacking.entries()) if (registered[i] !== true) known.delete(runtime);
  }
  return known;
}

/** Drops definitions that the tenant doesn't run: the statement read the workflows of all tenants. */
function servedOnly(
  { engine }: TenantRuntime,
  { newest, active, paused }: KnownDefinitions,
): KnownDefinitions {
  const names = new Set(engine.catalog.names);
  return {
    newest: newest.filter(({ name }) => names.has(name)),
    active: active.filter(({ name }) => names.has(name)),
    paused,
  };
}

interface MissingGroup {
  readonly definitions: readonly NewDefinition[];
  readonly lacking: TenantRuntime[];
}

/**
 * Groups tenants that lack the same definitions, sorted by schema so that concurrently booting processes lock in one
 * order.
 */
function groupMissing(known: ReadonlyMap<TenantRuntime, KnownDefinitions>): MissingGroup[] {
  const groups = new Map<string, MissingGroup>();
  for (const [runtime, stored] of known) {
    const definitions = runtime.engine.catalog.toRegister(stored);
    if (definitions.length === 0) continue;
    const key = definitions.map(({ id }) => id).join();
    const group = groups.get(key) ?? { definitions, lacking: [] };
    group.lacking.push(runtime);
    groups.set(key, group);
  }
  for (const { lacking } of groups.values()) {
    lacking.sort((a, b) => (a.tenant.schema < b.tenant.schema ? -1 : 1));
  }
  return [...groups.values()];
}

function handleOf({ engine }: TenantRuntime): TenantHandle {
  return engine.store.handle;
}
