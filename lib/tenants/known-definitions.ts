import { readManyDefinitions, registerWithManyTenants } from '../store/bulk-definitions.js';
import type { LoginPools } from '../store/pools.js';
import type { KnownDefinitions, NewDefinition, TenantTables } from '../store/store.js';
import type { ServedTenant } from './served-tenant.js';

/**
 * Reads and registers the definitions of many tenants on one login with a few statements. What can't be done for many
 * at once (a schema is broken, or locked) is left to the opening of each, which says what is wrong.
 */
export async function knownDefinitions(
  pools: LoginPools,
  tenants: readonly ServedTenant[],
): Promise<ReadonlyMap<ServedTenant, KnownDefinitions>> {
  // A statement there gives up after two seconds if a schema is locked.
  const { statements } = pools.turns;
  const known = new Map<ServedTenant, KnownDefinitions>();
  const old = tenants.filter(({ isNew }) => !isNew);
  const names = [...new Set(old.flatMap(({ engine }) => engine.catalog.names))];
  const read = await readManyDefinitions(statements, old.map(tablesOf), names);
  for (const [i, served] of old.entries()) {
    const definitions = read[i];
    if (definitions !== undefined) known.set(served, servedOnly(served, definitions));
  }
  for (const served of tenants) if (served.isNew) known.set(served, { newest: [], active: [] });
  for (const { definitions, lacking } of groupMissing(known)) {
    const registered = await registerWithManyTenants(
      statements,
      lacking.map(tablesOf),
      definitions,
    );
    for (const [i, served] of lacking.entries()) if (registered[i] !== true) known.delete(served);
  }
  return known;
}

/** Tenants may run different workflows: the names were those of all. */
function servedOnly(
  { engine }: ServedTenant,
  { newest, active }: KnownDefinitions,
): KnownDefinitions {
  const names = new Set(engine.catalog.names);
  return {
    newest: newest.filter(({ name }) => names.has(name)),
    active: active.filter(({ name }) => names.has(name)),
  };
}

interface MissingGroup {
  readonly definitions: readonly NewDefinition[];
  readonly lacking: ServedTenant[];
}

/** Tenants that lack the same definitions. Two processes that boot at once register in the same order. */
function groupMissing(known: ReadonlyMap<ServedTenant, KnownDefinitions>): MissingGroup[] {
  const groups = new Map<string, MissingGroup>();
  for (const [served, stored] of known) {
    const definitions = served.engine.catalog.toRegister(stored);
    if (definitions.length === 0) continue;
    const key = definitions.map(({ id }) => id).join();
    const group = groups.get(key) ?? { definitions, lacking: [] };
    group.lacking.push(served);
    groups.set(key, group);
  }
  for (const { lacking } of groups.values()) {
    lacking.sort((a, b) => (a.tenant.schema < b.tenant.schema ? -1 : 1));
  }
  return [...groups.values()];
}

function tablesOf({ engine }: ServedTenant): TenantTables {
  return engine.store.tables;
}
