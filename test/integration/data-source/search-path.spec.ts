import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import {
  type OpenOptions,
  type OpenTenant,
  openTenants,
  poolsOf,
} from '../../support/open-tenant.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';

/** As TypeORM generates them: nothing is qualified, not the extension's type either. */
class CreateInvoice1767225600000 implements MigrationInterface {
  readonly name = 'CreateInvoice1767225600000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE invoice (email citext)');
    await queryRunner.query(`INSERT INTO invoice VALUES ('Ada@Example.org')`);
  }
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE invoice');
  }
}

let work: (context: TaskContext) => Promise<object | void> = () => Promise.resolve();
const task = { retry: { maxAttempts: 1 } } as const;
const plain = defineWorkflow('plain')
  .task('do', task, (context) => work(context))
  .build();
const transactional = defineWorkflow('transactional')
  .task('do', { ...task, transactional: true }, (context) => work(context))
  .build();

let database: ScratchDatabase;
beforeAll(async () => {
  database = await createScratchDatabase();
  await database.admin.query(`
    CREATE TABLE public.leftover (text text); INSERT INTO public.leftover VALUES ('of public');
    CREATE SCHEMA shared; CREATE TABLE shared.country (code text); INSERT INTO shared.country VALUES ('NO');
    CREATE SCHEMA open_to_all; CREATE TABLE open_to_all.planted (text text);
    GRANT CREATE, USAGE ON SCHEMA open_to_all TO PUBLIC;
    GRANT USAGE ON SCHEMA shared TO PUBLIC; GRANT SELECT ON shared.country TO PUBLIC`);
});
afterAll(() => database.drop());

function open(tenants: readonly OpenOptions[]): Promise<OpenTenant[]> {
  return openTenants(
    [plain, transactional],
    tenants.map((options) => ({ databaseUrl: database.url, poolSize: 3, ...options })),
  );
}

/** Every way by which user code's SQL reaches the server. */
const PLACES: readonly [string, (tenant: OpenTenant, sql: string) => Promise<unknown>][] = [
  ['dataSource.query', ({ dataSource }, sql) => dataSource.query(sql)],
  [
    'dataSource.query with parameters',
    ({ dataSource }, sql) =>
      dataSource.query(`SELECT * FROM (${sql}) AS rows WHERE $1::text = 'x'`, ['x']),
  ],
  [
    'dataSource.transaction',
    ({ dataSource }, sql) => dataSource.transaction((manager) => manager.query(sql)),
  ],
  ['a query runner', ({ dataSource }, sql) => byRunner(dataSource, sql)],
  ['context.dataSource', (tenant, sql) => inTask(tenant, plain, (c) => c.dataSource.query(sql))],
  ['context.manager', (tenant, sql) => inTask(tenant, plain, (c) => c.manager.query(sql))],
  [
    'context.manager of a transactional task',
    (tenant, sql) => inTask(tenant, transactional, (c) => c.manager.query(sql)),
  ],
];

async function byRunner(dataSource: DataSource, sql: string): Promise<unknown> {
  const runner = dataSource.createQueryRunner();
  try {
    return await runner.query(sql);
  } finally {
    await runner.release();
  }
}

async function inTask(
  tenant: OpenTenant,
  kind: typeof plain,
  query: (context: TaskContext) => Promise<unknown>,
): Promise<unknown> {
  work = async (context) => ({ rows: await query(context) });
  const { status, context, error } = await tenant.runner.execute(kind, {}, { settled: true });
  if (status !== 'Completed') throw new Error(error?.message);
  return context['rows'];
}

describe('In the login that public stands behind by default', () => {
  let tenant: OpenTenant;
  beforeAll(async () => {
    [tenant] = (await open([{ schema: 'tenant_bare' }])) as [OpenTenant];
  });

  it.each(PLACES)('a table that a tenant lacks is an error, not that of public: %s', (_, query) =>
    expect(query(tenant, 'SELECT text FROM leftover')).rejects.toThrow(/"leftover" does not exist/),
  );
});

describe('With extensions in public', () => {
  const migrations = [CreateInvoice1767225600000];
  let tenants: OpenTenant[];
  beforeAll(async () => {
    await database.admin.query('CREATE EXTENSION citext SCHEMA public');
    tenants = await open([
      { schema: 'tenant_acme', migrations },
      { schema: 'tenant_role', migrations, isolation: 'role' },
    ]);
    for (const { schema } of tenants) {
      await database.admin.query(`UPDATE ${schema}.invoice SET email = 'of@' || '${schema}'`);
    }
  });

  describe.each(PLACES)('%s', (_, query) => {
    it.each([0, 1])("finds the tenant's tables, and compares as citext does", async (index) => {
      const tenant = tenants[index]!;
      const sql = `SELECT count(*)::integer AS n FROM invoice WHERE email = 'OF@${tenant.schema}'`;
      expect(await query(tenant, sql)).toEqual([{ n: 1 }]);
    });
  });

  it('leaves them out where public is a tenant itself, or open to all roles', async () => {
    await database.admin.query('GRANT CREATE ON SCHEMA public TO PUBLIC');
    const path = async (options: OpenOptions): Promise<string> => {
      const [tenant] = await open([options]);
      const rows = await tenant!.dataSource.query<{ search_path: string }[]>('SHOW search_path');
      return rows[0]?.search_path ?? '';
    };
    try {
      expect(await path({ schema: 'tenant_bare' })).toBe('tenant_bare');
    } finally {
      await database.admin.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    }
    expect(await path({ schema: 'tenant_bare' })).toBe('tenant_bare, public');

    const [inPublic, beside] = await open([{ schema: 'public' }, { schema: 'tenant_bare' }]);
    expect(await inPublic!.dataSource.query('SELECT text FROM leftover')).toHaveLength(1);
    for (const [, query] of PLACES) {
      await expect(query(beside!, 'SELECT text FROM leftover')).rejects.toThrow(/does not exist/);
    }
    expect(await path({ schema: 'tenant_bare', searchPath: ['public'] })).toBe(
      'tenant_bare, public',
    );
    expect(await path({ schema: 'tenant_bare', searchPath: [] })).toBe('tenant_bare');
    await database.admin.query(`DROP TABLE public.cloacina_migrations`);
  });
});

describe("The login's own search_path", () => {
  beforeAll(() =>
    database.admin.query(
      `ALTER DATABASE ${database.name} SET search_path TO open_to_all, pg_catalog, shared, nowhere, tenant_acme`,
    ),
  );
  afterAll(() => database.admin.query(`ALTER DATABASE ${database.name} RESET search_path`));

  it("stands behind the tenant's schema, without what others may plant there", async () => {
    const [tenant] = await open([{ schema: 'tenant_bare' }]);
    for (const [, query] of PLACES) {
      expect(await query(tenant!, 'SELECT code FROM country')).toEqual([{ code: 'NO' }]);
      expect(await query(tenant!, `SELECT current_setting('search_path') AS path`)).toEqual([
        { path: 'tenant_bare, shared' },
      ]);
    }
  });
});

describe("The library's own hot statements", () => {
  it('see nothing but what is built in, and its tables by their schemas', async () => {
    const [tenant] = await open([{ schema: 'tenant_bare' }]);
    for (const pool of poolsOf(tenant!).statements) {
      const { rows } = await pool.query<{ search_path: string }>('SHOW search_path');
      expect(rows).toEqual([{ search_path: 'pg_catalog,pg_temp' }]);
    }
  });
});

describe('An extension', () => {
  it('is found as soon as user code of the process has created it', async () => {
    await database.admin.query('DROP EXTENSION citext CASCADE');
    const [tenant] = await open([{ schema: 'tenant_bare' }]);
    await tenant!.dataSource.query('CREATE EXTENSION citext SCHEMA public');
    expect(await tenant!.dataSource.query(`SELECT 'A'::citext = 'a' AS same`)).toEqual([
      { same: true },
    ]);
  });
});
