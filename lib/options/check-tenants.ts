import { describeDuplicateSchema } from '../errors/index.js';
import { databaseKey } from '../store/postgres/connections/connection-config.js';
import type { ResolvedTenantOptions } from './tenant-options.js';

type Named = Pick<
  ResolvedTenantOptions,
  'tenant' | 'schema' | 'server' | 'databaseUrl' | 'connection'
>;

/**
 * Checks tenants against each other: duplicate names, two tenants on one schema of one database, and names or schemas that
 * differ only in case, which people and tools would confuse. Returns one sentence for each problem.
 */
export function checkTenants(tenants: readonly Named[]): string[] {
  return [
    ...checkTenantNames(tenants.map(({ tenant }) => tenant)),
    ...checkTenantSchemas(tenants),
    ...checkServerSchemas(tenants),
  ];
}

/** Reports duplicate names, and names that differ only in case. */
export function checkTenantNames(names: readonly string[]): string[] {
  return groups(names, (name) => name.toLowerCase()).flatMap((group) => {
    const problems = groups(group, (name) => name).map(
      (same) =>
        `There are ${same.length} tenants named ${quoted(new Set(same))}. Its providers are global: register it once, ` +
        'or give the others a `tenant` name of their own.',
    );
    const spellings = new Set(group);
    if (spellings.size > 1) {
      problems.push(`The tenants ${quoted(spellings)} differ only in case. Rename one of them.`);
    }
    return problems;
  });
}

/** Reports differently named tenants on one schema of one database, or on schemas that differ only in case. */
export function checkTenantSchemas(tenants: readonly Named[]): string[] {
  const keyOf = (tenant: Named): string => `${databaseKey(tenant)} ${tenant.schema.toLowerCase()}`;
  return groups(tenants, keyOf).flatMap((group) => {
    const problems = groups(group, ({ schema }) => schema).flatMap((same) => {
      const names = new Set(same.map(({ tenant }) => tenant));
      // checkTenantNames reports a tenant that is registered twice.
      if (names.size === 1) return [];
      const schema = JSON.stringify(same[0]?.schema);
      return [
        `The tenants ${quoted(names)} are on one schema, ${schema}, of one database. Give each its own.`,
      ];
    });
    const schemas = new Set(group.map(({ schema }) => schema));
    if (schemas.size > 1) {
      const names = new Set(group.map(({ tenant }) => tenant));
      problems.push(
        `The tenants ${quoted(names)} are on schemas that differ only in case: ${quoted(schemas)}. Rename one of them.`,
      );
    }
    return problems;
  });
}

/** Reports schemas that are on several servers of the option `servers`: a schema names one tenant of the whole fleet. */
export function checkServerSchemas(tenants: readonly Named[]): string[] {
  const placed = tenants.flatMap(({ schema, server }) =>
    server === undefined ? [] : [{ schema, server }],
  );
  return groups(placed, ({ schema }) => schema.toLowerCase()).flatMap((group) => {
    const servers = [...new Set(group.map(({ server }) => server))];
    return servers.length === 1 ? [] : [describeDuplicateSchema(group[0]?.schema ?? '', servers)];
  });
}

/** Groups of items that share a key, without items whose key is unique. */
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
