import type pg from 'pg';

/** Rows of the catalog that belong to a schema, each as one line of text. */
export type Catalog = readonly string[];

/**
 * Everything that the catalog has on a schema, with the object ids and the transactions that wrote each row: equal
 * before and after means that nothing was changed, not even back and forth.
 */
export async function catalogOf(client: pg.ClientBase, schema: string): Promise<Catalog> {
  return lines(
    client,
    `SELECT 'namespace', n.xmin::text, n.oid::text, n.nspname::text, n.nspowner::text, n.nspacl::text FROM pg_namespace n WHERE n.nspname = $1
     UNION ALL
     SELECT 'class', c.xmin::text, c.oid::text, c.relname::text, c.relfilenode::text, c.reloptions::text FROM pg_class c WHERE ${IN_SCHEMA}
     UNION ALL
     SELECT 'attribute', a.xmin::text, c.relname, a.attname, a.attnum::text, format_type(a.atttypid, a.atttypmod)
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE ${IN_SCHEMA}
     UNION ALL
     SELECT 'default', d.xmin::text, c.relname, d.adnum::text, pg_get_expr(d.adbin, d.adrelid), ''
       FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid WHERE ${IN_SCHEMA}
     UNION ALL
     SELECT 'constraint', c.xmin::text, c.oid::text, c.conname, pg_get_constraintdef(c.oid), ''
       FROM pg_constraint c WHERE c.connamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
     UNION ALL
     SELECT 'comment', d.xmin::text, c.relname, d.objsubid::text, d.description, ''
       FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass WHERE ${IN_SCHEMA}`,
    schema,
  );
}

/** The shape of a schema, without what differs between two schemas of the same shape. */
export async function shapeOf(client: pg.ClientBase, schema: string): Promise<Catalog> {
  const shape = await lines(
    client,
    `SELECT 'class', c.relkind::text, c.relname::text, c.reloptions::text, obj_description(c.oid, 'pg_class') FROM pg_class c WHERE ${IN_SCHEMA}
     UNION ALL
     SELECT 'column', c.relname::text, a.attname::text, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid)),
            col_description(c.oid, a.attnum)
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE ${IN_SCHEMA} AND a.attnum > 0 AND NOT a.attisdropped
     UNION ALL
     SELECT 'index', c.relname, pg_get_indexdef(c.oid), '', '' FROM pg_class c WHERE ${IN_SCHEMA} AND c.relkind = 'i'
     UNION ALL
     SELECT 'constraint', c.conname, pg_get_constraintdef(c.oid), '', ''
       FROM pg_constraint c WHERE c.connamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)`,
    schema,
  );
  return shape.map((line) => line.replaceAll(`${schema}.`, ''));
}

const IN_SCHEMA = 'c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)';

async function lines(client: pg.ClientBase, query: string, schema: string): Promise<Catalog> {
  const { rows } = await client.query<string[]>({
    text: query,
    values: [schema],
    rowMode: 'array',
  });
  return rows.map((row) => row.join(' | ')).sort();
}

/** The names in a schema's history table, in the order in which they were applied. */
export async function historyOf(
  client: pg.ClientBase,
  schema: string,
  table = 'cloacina_migrations',
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM ${client.escapeIdentifier(schema)}.${client.escapeIdentifier(table)} ORDER BY id`,
  );
  return rows.map(({ name }) => name);
}
