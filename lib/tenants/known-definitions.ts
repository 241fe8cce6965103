import { readManyDefinitions, registerWithManyTenants } from '../store/definitions-of-many.js';
import type { LoginPools } from '../store/pools.js';
import type { NewDefinition, StoredDefinitionRow, TenantTables } from '../store/store.js';
import type { ServedTenant } from './served-tenant.js';

/**
 * Reads and registers the definitions of many tenants on one login with a few statements. What can't be done for many
 * at once (a schema is broken, or locked) is left to the opening of each, which says what is wrong.
 */
export async function knownDefinitions(
  pools: LoginPools,
  tenants: readonly ServedTenant[],
): Promise<ReadonlyMap<ServedTenant, StoredDefinitionRow[]>> {
  // A statement there gives up after two seconds if a schema is locked.
  const { statements } = pools.turns;
  const known = new Map<ServedTenant, StoredDefinitionRow[]>();
  const old = tenants.filter(({ isNew }) => !isNew);
  const read = await readManyDefinitions(statements, old.map(tablesOf));
  for (const [i, served] of old.entries()) {
    const rows = read[i];
    if (rows !== undefined) known.set(served, rows);
  }
  for (const served of tenants) if (served.isNew) known.set(served, []);
  for (const { definitions, lacking } of groupMissing(known)) {
    const registered = await registerWithManyTenants(
      statements,
      lacking.map(tablesOf),
      definitions,
    );
    for (const [i, served] of lacking.entries()) {
      const rows = registered[i];
      if (rows === undefined) known.delete(served);
      else known.set(served, newest(known.get(served) ?? [], rows));
    }
  }
  return known;
}

interface MissingGroup {
  readonly definitions: readonly NewDefinition[];
  readonly lacking: ServedTenant[];
}

/** Tenants that lack the same definitions. Two processes that boot at once register in the same order. */
function groupMissing(known: ReadonlyMap<ServedTenant, StoredDefinitionRow[]>): MissingGroup[] {
  const groups = new Map<string, MissingGroup>();
  for (const [served, rows] of known) {
    const definitions = served.engine.catalog.toRegister(rows);
    if (definitions.length === 0) continue;
    const key = definitions.map(({ hash }) => hash).join();
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

/** One that is registered again goes from where it was to the end. */
function newest(
  before: readonly StoredDefinitionRow[],
  registered: readonly StoredDefinitionRow[],
): StoredDefinitionRow[] {
  const ids = new Set(registered.map(({ id }) => id));
  return [...before.filter(({ id }) => !ids.has(id)), ...registered];
}
