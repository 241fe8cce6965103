import type { TenantTables } from './statement.js';

/**
 * The definitions of many tenants in one statement, each tenant's from the oldest to the newest: a boot of thousands
 * asks a few statements, not a few for each. Without their graphs, which the running code mostly has itself.
 */
export function readDefinitionsOfMany(tenants: readonly TenantTables[]): string {
  return tenants
    .map(
      ({ definition }, i) =>
        `(SELECT ${i}, id, hash, name FROM ${definition} ORDER BY registered_at, id)`,
    )
    .join(' UNION ALL ');
}

/**
 * Registers the same definitions with many tenants, as `register_definition` does with one. Whoever sends it names the
 * schemas in order: two processes that boot at once then meet in the same order, and one waits for the other.
 */
export function registerWithMany(tenants: readonly TenantTables[]): string {
  const inserts = tenants.map(
    ({ definition }, i) => `r${i} AS (
      INSERT INTO ${definition} AS d (hash, name, version, description, definition)
      SELECT n.hash, n.name, n.version, n.description, n.definition FROM new n
      ON CONFLICT (hash) DO UPDATE SET registered_at = clock_timestamp()
      RETURNING d.id, d.hash, d.name)`,
  );
  return `WITH new AS MATERIALIZED (
      SELECT hash, name, version, description, definition::json
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        AS n (hash, name, version, description, definition)),
    ${inserts.join(', ')}
    ${tenants.map((_, i) => `SELECT ${i}, id, hash, name FROM r${i}`).join(' UNION ALL ')}`;
}
