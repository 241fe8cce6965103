import { readRows } from '../../store/postgres/connections/own-types.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { quoteIdentifier } from '../../tenants/quote-identifier.js';
import { counted, type Found, type TenantCheck } from '../check.js';

const NEEDED = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

/** Rights that a process needs to serve the tenant and that the role lacks. */
export const missingGrants: TenantCheck = {
  scope: 'tenant',
  id: 'missing-grants',
  severity: 'error',
  title: 'The role lacks rights that a process needs',
  reads: 'catalog',
  find: async ({ client, schema, role }) => {
    const rows = await readRows<{ usage: boolean; table: string | null; missing: string[] | null }>(
      client,
      `SELECT has_schema_privilege($2::name, n.oid, 'USAGE') AS usage, c.relname::text AS table,
              ARRAY(SELECT p FROM unnest($3::text[]) p
                     WHERE NOT has_table_privilege($2::name, c.oid, p)
                       AND (p = 'SELECT' OR c.relname <> '${CLOACINA_MIGRATIONS_TABLE}')) AS missing
         FROM pg_catalog.pg_namespace n
         LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname LIKE 'cloacina\\_%' AND c.relkind IN ('r', 'p')
        WHERE n.nspname = $1 ORDER BY c.relname`,
      [schema, role, NEEDED],
    );
    const found: Found[] = [];
    const quoted = quoteIdentifier(schema);
    const to = quoteIdentifier(role);
    if (rows.some(({ usage }) => !usage)) {
      found.push({
        detail: `Role "${role}" has no USAGE on schema "${schema}".`,
        facts: { role, missing: ['USAGE'], grant: `GRANT USAGE ON SCHEMA ${quoted} TO ${to}` },
      });
    }
    const lacking = rows.filter(({ missing }) => (missing ?? []).length > 0);
    if (lacking.length > 0) {
      const rights = NEEDED.filter((right) =>
        lacking.some(({ missing }) => missing?.includes(right)),
      );
      const tables = lacking.map(({ table }) => `${quoted}.${table ?? ''}`);
      found.push({
        detail: `Role "${role}" has no ${rights.join(', ')} on ${counted(lacking.length, 'table')} of schema "${schema}".`,
        facts: {
          role,
          missing: rights,
          grant: `GRANT ${rights.join(', ')} ON ${tables.join(', ')} TO ${to}`,
        },
      });
    }
    return found;
  },
  advice: ({ facts }) =>
    `As the owner of the schema: ${String(facts['grant'])}; If the application uses another role, name it with --role.`,
};
