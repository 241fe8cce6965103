import { beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { EntityManager, MigrationInterface, QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { PermissionError } from '../../../lib/errors/index.js';
import { isolationRoleName } from '../../../lib/tenants/admin/role-name.js';
import { openTenant, type OpenTenant, poolsOf } from '../../support/open-tenant.js';
import { type AdminDatabase, createAdminDatabase, failureOf, rowsOf } from './admin-database.js';

class CreateNote1767225600000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE note (id serial PRIMARY KEY, text text NOT NULL,
         copy_of integer REFERENCES note DEFERRABLE INITIALLY DEFERRED)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE note');
  }
}

class CreateTag1767225700000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE tag (id serial PRIMARY KEY, name text)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE tag');
  }
}

type Work = (context: TaskContext) => Promise<void>;
let work: Work;
const plain = defineWorkflow('plain')
  .task('do', { retry: { maxAttempts: 1 } }, (context) => work(context))
  .build();
const transactional = defineWorkflow('transactional')
  .task('do', { transactional: true, retry: { maxAttempts: 1 } }, (context) => work(context))
  .build();

let database: AdminDatabase;
let tenant: OpenTenant;
let other: string;
let role: string;
beforeAll(async () => {
  database = await createAdminDatabase();
  tenant = await open(database.names().schema);
  other = (await open(database.names().schema)).schema;
  await database.owner.query(`INSERT INTO ${other}.note (text) VALUES ('secret')`);
  role = isolationRoleName(database.name, tenant.schema);
});

function open(
  schema: string,
  databaseUrl = database.adminUrl,
  migrations = [CreateNote1767225600000],
): Promise<OpenTenant> {
  return openTenant([plain, transactional], { schema, databaseUrl, migrations, isolation: 'role' });
}

/** Runs it in a task of its own, in either kind; fails as the task did. */
async function inTask(what: Work, kind = plain): Promise<void> {
  work = what;
  const { status, error } = await tenant.runner.execute(kind, {}, { settled: true });
  if (status !== 'Completed') throw new Error(error?.message);
}

async function whoAmI(of: Pick<EntityManager, 'query'>): Promise<string> {
  const [row] = (await of.query('SELECT current_user AS me')) as { me: string }[];
  return row?.me ?? '';
}

describe('a task of an isolated tenant', () => {
  it.each([
    ['transactional', transactional],
    ['plain', plain],
  ])('that is %s has its own tables, and no others', async (_kind, workflow) => {
    const text = `of ${_kind}`;
    await inTask(async ({ manager }) => {
      await manager.query(`INSERT INTO ${tenant.schema}.note (text) VALUES ($1)`, [text]);
    }, workflow);
    const sql = `SELECT text FROM ${tenant.schema}.note WHERE text = '${text}'`;
    expect(await rowsOf(database.owner, sql)).toEqual([{ text }]);

    const wrong = inTask(async ({ manager }) => {
      await manager.query(`SELECT * FROM ${other}.note`);
    }, workflow);
    await expect(wrong).rejects.toThrow(`permission denied for schema ${other}`);
  });

  it('may read the library, and not write it', async () => {
    await inTask(async ({ manager }) => {
      await manager.query(`SELECT * FROM ${tenant.schema}.cloacina_task_execution`);
      await manager.query(`SELECT * FROM ${tenant.schema}.cloacina_task`);
    });
    for (const workflow of [plain, transactional]) {
      const wrong = inTask(async ({ manager }) => {
        await manager.query(`DELETE FROM ${tenant.schema}.cloacina_task_execution`);
      }, workflow);
      await expect(wrong).rejects.toThrow('permission denied for table cloacina_task_execution');
    }
  });

  it('may make nothing', async () => {
    const wrong = inTask(async ({ manager }) => {
      await manager.query(`CREATE TABLE ${tenant.schema}.mine (id integer)`);
    });
    await expect(wrong).rejects.toThrow(`permission denied for schema ${tenant.schema}`);
  });

  it('starts executions in its transaction, and is its role again after that', async () => {
    const started: string[] = [];
    await inTask(async ({ manager, executionId }) => {
      work = () => Promise.resolve();
      for (const idempotencyKey of ['a', 'a', 'b']) {
        const key = `${executionId}-${idempotencyKey}`;
        const handle = await tenant.runner.start(plain, {}, { manager, idempotencyKey: key });
        started.push(handle.id);
        expect(await whoAmI(manager)).toBe(role);
      }
      const failed = manager.transaction(async (nested) => {
        await tenant.runner.start(plain, {}, { manager: nested });
        await nested.query('SELECT 1 / 0');
      });
      await expect(failed).rejects.toThrow('division by zero');
      expect(await whoAmI(manager)).toBe(role);
    }, transactional);
    expect(new Set(started).size).toBe(2);
    for (const id of started) {
      expect((await tenant.runner.handle(id).result()).status).toBe('Completed');
    }
  });
});

describe("all that goes over an isolated tenant's data source is under its role", () => {
  const ways: [string, (work: OpenTenant) => Promise<string>][] = [
    ['a query', ({ dataSource }) => whoAmI(dataSource.manager)],
    [
      'a query with parameters',
      async ({ dataSource }) => {
        const sql = 'SELECT current_user AS me, $1::text AS other';
        const [row] = (await dataSource.query(sql, ['x'])) as { me: string }[];
        return row?.me ?? '';
      },
    ],
    ['a transaction', ({ dataSource }) => dataSource.transaction(whoAmI)],
    [
      'a serializable transaction',
      ({ dataSource }) =>
        dataSource.transaction('SERIALIZABLE', async (manager) => {
          const [row] = (await manager.query('SHOW transaction_isolation')) as object[];
          expect(row).toEqual({ transaction_isolation: 'serializable' });
          return whoAmI(manager);
        }),
    ],
    [
      'a transaction that is begun by hand',
      async ({ dataSource }) => {
        const runner = dataSource.createQueryRunner();
        await runner.query('BEGIN');
        await runner.query('CREATE TEMPORARY TABLE mine ON COMMIT DROP AS SELECT 1');
        const me = await whoAmI(runner.manager);
        await runner.query('SELECT * FROM mine');
        await runner.query('COMMIT');
        await runner.release();
        return me;
      },
    ],
    [
      'what follows a transaction',
      async ({ dataSource }) => {
        const runner = dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.query('SELECT 1 / 0').catch(() => undefined);
        await runner.rollbackTransaction();
        const me = await whoAmI(runner.manager);
        await runner.release();
        return me;
      },
    ],
    [
      'what follows a failure',
      async ({ dataSource }) => {
        const runner = dataSource.createQueryRunner();
        await runner.query('SELECT 1 / $1::integer', [0]).catch(() => undefined);
        const me = await whoAmI(runner.manager);
        await runner.release();
        return me;
      },
    ],
    [
      'many at once on one connection',
      async ({ dataSource }) => {
        const runner = dataSource.createQueryRunner();
        const sql = 'SELECT current_user AS me, $1::integer AS i';
        const found = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            i % 2 === 0 ? whoAmI(runner.manager) : runner.query(sql, [i]).then(([row]) => row.me),
          ),
        );
        await runner.release();
        return [...new Set(found)].join();
      },
    ],
    [
      'a stream',
      async ({ dataSource }) => {
        const runner = dataSource.createQueryRunner();
        const client = (await runner.connect()) as pg.ClientBase;
        const query = new pg.Query('SELECT current_user AS me, $1::text AS x', ['x']);
        const rows: { me: string }[] = [];
        query.on('row', (row) => rows.push(row as { me: string }));
        await new Promise((resolve, reject) => {
          query.on('end', resolve);
          query.on('error', reject);
          client.query(query);
        });
        const after = await whoAmI(runner.manager);
        await runner.release();
        return rows[0]?.me === after ? after : `${rows[0]?.me} and ${after}`;
      },
    ],
    [
      'a callback',
      async ({ dataSource }) => {
        const runner = dataSource.createQueryRunner();
        const client = (await runner.connect()) as pg.ClientBase;
        const row = await new Promise<{ me: string }>((resolve, reject) => {
          client.query('SELECT current_user AS me', (error: Error | null, result) => {
            if (error) reject(error);
            else resolve((result as pg.QueryResult<{ me: string }>).rows[0] ?? { me: '' });
          });
        });
        await runner.release();
        return row.me;
      },
    ],
  ];
  it.each(ways)('%s', async (_way, use) => {
    expect(await use(tenant)).toBe(role);
  });

  it('and nothing of it stays on the connection', async () => {
    await Promise.all(Array.from({ length: 10 }, () => whoAmI(tenant.dataSource.manager)));
    const { general } = poolsOf(tenant);
    const clients = await Promise.all(Array.from({ length: 4 }, () => general.connect()));
    for (const client of clients) {
      const { rows } = await client.query('SELECT current_user AS me');
      expect(rows).toEqual([{ me: database.adminRole }]);
      client.release();
    }
  });

  it('commits what a single statement wrote, or says why not', async () => {
    const { dataSource, schema } = tenant;
    await dataSource.query(`INSERT INTO ${schema}.note (text) VALUES ($1)`, ['kept']);
    const sql = `INSERT INTO ${schema}.note (text, copy_of) VALUES ($1, -1)`;
    await expect(dataSource.query(sql, ['orphan'])).rejects.toThrow('violates foreign key');
    const rows = await rowsOf(
      database.owner,
      `SELECT text FROM ${schema}.note WHERE text IN ('kept', 'orphan')`,
    );
    expect(rows).toEqual([{ text: 'kept' }]);
  });
});

describe('the role', () => {
  it('is there once, however many processes open the tenant at once', async () => {
    const schema = database.names().schema;
    const opened = await Promise.all(Array.from({ length: 5 }, () => open(schema)));
    const name = isolationRoleName(database.name, schema);
    for (const { dataSource } of opened) expect(await whoAmI(dataSource.manager)).toBe(name);
    const [attributes] = await rowsOf(
      database.owner,
      `SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,
              EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) AS is_member
         FROM pg_roles r WHERE rolname = $1`,
      [name],
    );
    expect(new Set(Object.values(attributes ?? {}))).toEqual(new Set([false]));
  });

  it('reaches what later migrations make, and what somebody has taken from it', async () => {
    const schema = database.names().schema;
    await (await open(schema)).close();
    const both = [CreateNote1767225600000, CreateTag1767225700000];
    const name = isolationRoleName(database.name, schema);
    await database.owner.query(`REVOKE ALL ON ${schema}.note FROM ${name};
      GRANT INSERT ON ${schema}.cloacina_task_execution TO ${name}`);

    const { dataSource } = await open(schema, database.adminUrl, both);

    await dataSource.query(`INSERT INTO ${schema}.note (text) VALUES ('x')`);
    await dataSource.query(`INSERT INTO ${schema}.tag (name) VALUES ('x')`);
    await dataSource.query(`SELECT * FROM ${schema}.migrations`);
    for (const table of ['migrations', 'cloacina_migrations', 'cloacina_task_execution']) {
      await expect(
        dataSource.query(`INSERT INTO ${schema}.${table} DEFAULT VALUES`),
      ).rejects.toThrow(`permission denied for table ${table}`);
    }
    const { rows } = await database.owner.query<{ right: string }>(
      `SELECT r AS right FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRIGGER}'::text[]) r
        WHERE has_table_privilege($1, $2, r)`,
      [name, `${schema}.cloacina_task`],
    );
    expect(rows).toEqual([{ right: 'SELECT' }]);
  });

  it('is made by somebody else, where the login may not: it is told how', async () => {
    const login = database.names().username;
    await database.owner.query(`CREATE ROLE ${login} LOGIN PASSWORD 'pw';
      GRANT CREATE ON DATABASE ${database.name} TO ${login}`);
    const schema = database.names().schema;
    const url = database.urlOf(login, 'pw');

    const error = await failureOf(open(schema, url));

    expect(error).toBeInstanceOf(PermissionError);
    await database.owner.query(/Allow it with: (.*);$/.exec(error.message)?.[1] ?? '');
    const { dataSource, runner, close } = await open(schema, url);
    expect(await whoAmI(dataSource.manager)).toBe(isolationRoleName(database.name, schema));
    work = () => Promise.resolve();
    expect((await runner.execute(transactional)).status).toBe('Completed');
    await close();
    await database.owner.query(`DROP SCHEMA ${schema} CASCADE; DROP OWNED BY ${login};
      DROP ROLE ${isolationRoleName(database.name, schema)}; DROP ROLE ${login}`);
  });

  it('goes with the tenant', async () => {
    const schema = database.names().schema;
    await (await open(schema)).close();
    const name = isolationRoleName(database.name, schema);
    expect(await database.admin.removeTenant({ schema })).toEqual({
      dropped: [`schema "${schema}"`, `role "${name}"`],
    });
    expect(await rowsOf(database.owner, 'SELECT FROM pg_roles WHERE rolname = $1', [name])).toEqual(
      [],
    );
  });
});
