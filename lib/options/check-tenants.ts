import { databaseKey } from './connection.js';
import type { ResolvedTenantOptions } from './tenant-options.js';

type Named = Pick<ResolvedTenantOptions, 'tenant' | 'schema' | 'databaseUrl' | 'connection'>;

/**
 * What is wrong with tenants taken together, one sentence each: two of one name, two on one schema of one database,
 * and names or schemas that differ in case only, which people and tools would take for one another.
 */
export function checkTenants(tenants: readonly Named[]): string[] {
  return [...checkNames(tenants), ...checkSchemas(tenants)];
}

function checkNames(tenants: readonly Named[]): string[] {
  return groups(tenants, ({ tenant }) => tenant.toLowerCase()).map((group) => {
    const names = new Set(group.map(({ tenant }) => tenant));
    return names.size === 1
      ? `There are ${group.length} tenants named ${quoted(names)}. Its providers are global: register it once, or give ` +
          'the others a `tenant` name of their own.'
      : `The tenants ${quoted(names)} differ in case only. Rename one of them.`;
  });
}

function checkSchemas(tenants: readonly Named[]): string[] {
  const keyOf = (tenant: Named): string =>
    `${databaseKey(tenant.databaseUrl, tenant.connection)} ${tenant.schema.toLowerCase()}`;
  return groups(tenants, keyOf).flatMap((group) => {
    const names = new Set(group.map(({ tenant }) => tenant));
    const schemas = new Set(group.map(({ schema }) => schema));
    // The same tenant twice was said already.
    if (names.size === 1) return [];
    return schemas.size === 1
      ? [
          `The tenants ${quoted(names)} are on one schema, ${quoted(schemas)}, of one database. Give each its own.`,
        ]
      : [
          `The tenants ${quoted(names)} are on schemas which differ in case only: ${quoted(schemas)}. Rename one of them.`,
        ];
  });
}

/** Those with a key that others have too. */
function groups(tenants: readonly Named[], keyOf: (tenant: Named) => string): Named[][] {
  const byKey = new Map<string, Named[]>();
  for (const tenant of tenants) {
    const key = keyOf(tenant);
    byKey.set(key, [...(byKey.get(key) ?? []), tenant]);
  }
  return [...byKey.values()].filter((group) => group.length > 1);
}

function quoted(names: Iterable<string>): string {
  return [...names].map((name) => JSON.stringify(name)).join(' and ');
}
