import { databaseKey } from './connection.js';
import type { ResolvedTenantOptions } from './tenant-options.js';

type Named = Pick<ResolvedTenantOptions, 'tenant' | 'schema' | 'databaseUrl' | 'connection'>;

/** The names of all tenants: two of one name, and names that differ in case only. One sentence each. */
export function checkTenantNames(names: readonly string[]): string[] {
  return groups(names, (name) => name.toLowerCase()).map((group) => {
    const spellings = new Set(group);
    return spellings.size === 1
      ? `There are ${group.length} tenants named ${quoted(spellings)}. Its providers are global: register it once, or ` +
          'give the others a `tenant` name of their own.'
      : `The tenants ${quoted(spellings)} differ in case only. Rename one of them.`;
  });
}

/**
 * What is wrong with tenants taken together, one sentence each: two of one name, two on one schema of one database,
 * and names or schemas that differ in case only, which people and tools would take for one another.
 */
export function checkTenants(tenants: readonly Named[]): string[] {
  return [...checkTenantNames(tenants.map(({ tenant }) => tenant)), ...checkTenantSchemas(tenants)];
}

/** Tenants of different names on one schema of one database, or on schemas that differ in case only. One sentence each. */
export function checkTenantSchemas(tenants: readonly Named[]): string[] {
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
function groups<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const byKey = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, [item]);
    else group.push(item);
  }
  return [...byKey.values()].filter((group) => group.length > 1);
}

function quoted(names: Iterable<string>): string {
  return [...names].map((name) => JSON.stringify(name)).join(' and ');
}
