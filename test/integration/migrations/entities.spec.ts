import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cloacinaEntities } from '../../../lib/store/postgres/entities/index.js';
import { freshSchema } from '../../support/postgres.js';
import { openTenant, type OpenTenant } from './open-tenant.js';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly primary: boolean;
  readonly defaulted: boolean;
}

const schema = freshSchema();
let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant(schema);
  await tenant.migrator.ensure();
});
afterAll(() => tenant.close());

async function columnsInDatabase(table: string): Promise<Column[]> {
  const { rows } = await tenant.pool.query<Column>(
    `SELECT c.column_name AS name,
            format_type(format('%I.%I', c.udt_schema, c.udt_name)::regtype, NULL) AS type,
            c.is_nullable = 'YES' AS nullable, k.column_name IS NOT NULL AS primary,
            c.column_default IS NOT NULL OR c.is_identity = 'YES' AS defaulted
       FROM information_schema.columns c
       LEFT JOIN information_schema.table_constraints p
         ON p.table_schema = c.table_schema AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY'
       LEFT JOIN information_schema.key_column_usage k
         ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
            AND k.table_name = c.table_name AND k.column_name = c.column_name
      -- TypeORM does not know the type of this column.
      WHERE c.table_schema = $1 AND c.table_name = $2 AND c.data_type <> 'xid8'
      ORDER BY 1`,
    [schema, table],
  );
  return rows;
}

function columnsOfEntity(table: string): Column[] {
  const metadata = tenant.dataSource.entityMetadatas.find((entity) => entity.tableName === table);
  return (metadata?.columns ?? [])
    .map((column) => ({
      name: column.databaseName,
      type: tenant.dataSource.driver.normalizeType(column) + (column.isArray ? '[]' : ''),
      nullable: column.isNullable,
      primary: column.isPrimary,
      defaulted: column.default !== undefined || column.isGenerated,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

test('there is an entity for every table but the history', async () => {
  const { rows } = await tenant.pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 AND tablename <> 'cloacina_migrations' ORDER BY 1`,
    [schema],
  );
  const tables = cloacinaEntities.map((entity) => entity.options.tableName);
  expect(new Set(tables)).toEqual(new Set(rows.map(({ name }) => name)));
});

test.each(cloacinaEntities.map((entity) => entity.options.tableName ?? ''))(
  'the entity of %s has the columns of the table',
  async (table) => {
    const expected = await columnsInDatabase(table);
    expect(expected.length).toBeGreaterThan(1);
    expect(columnsOfEntity(table)).toEqual(expected);
  },
);

test.each(cloacinaEntities.map((entity) => entity.options.name))('%s can be read', async (name) => {
  const rows = await tenant.dataSource.getRepository(name).find();
  const first = { id: 1, state: 'live', moveId: null, peer: null, deadline: null };
  expect(rows).toMatchObject(name === 'CloacinaTenant' ? [first] : []);
  expect(rows).toHaveLength(name === 'CloacinaTenant' ? 1 : 0);
});

test("an application's synchronize() leaves the tables as they are", async () => {
  const before = await columnsInDatabase('cloacina_task_execution');
  const indexes = await indexCount();
  await tenant.dataSource.synchronize();
  expect(await columnsInDatabase('cloacina_task_execution')).toEqual(before);
  expect(await indexCount()).toBe(indexes);
});

async function indexCount(): Promise<number> {
  const { rows } = await tenant.pool.query('SELECT 1 FROM pg_indexes WHERE schemaname = $1', [
    schema,
  ]);
  return rows.length;
}
