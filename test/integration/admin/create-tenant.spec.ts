import { beforeAll, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import {
  InvalidArgumentError,
  NotAllowedError,
  PermissionError,
  TenantExistsError,
  TenantIncompleteError,
} from '../../../lib/errors/index.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { cloacinaMigrationSet } from '../../../lib/tenants/migrations/migration-set.js';
import { openTenant } from '../../support/open-tenant.js';
import { sized } from '../../support/sizes.js';
import { withTenant } from '../migrations/open-tenant.js';
import { type AdminDatabase, createAdminDatabase, failureOf, rowsOf } from './admin-database.js';

const NEWEST = cloacinaMigrationSet.names.at(-1);

let database: AdminDatabase;
beforeAll(async () => {
  database = await createAdminDatabase();
});

class CreateNote1767225600000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE note (id serial PRIMARY KEY, text text NOT NULL)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE note');
  }
}

describe('a tenant that was made', () => {
  it('has a role that can log in and is nothing more, and owns all that is in the schema', async () => {
    const names = database.names();
    const made = await database.admin.createTenant(names);

    expect(made).toMatchObject(names);
    expect(made.password).toMatch(/^[\w-]{32}$/);
    const [role] = await rowsOf<Record<string, unknown>>(
      database.owner,
      `SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolinherit, rolconnlimit,
              (SELECT count(*)::integer FROM pg_auth_members m WHERE m.member = r.oid) AS memberships
         FROM pg_roles r WHERE rolname = $1`,
      [names.username],
    );
    expect(role).toEqual({
      rolcanlogin: true,
      rolsuper: false,
      rolcreatedb: false,
      rolcreaterole: false,
      rolreplication: false,
      rolbypassrls: false,
      rolinherit: false,
      rolconnlimit: -1,
      memberships: 0,
    });
    const owners = await rowsOf<{ owner: string }>(
      database.owner,
      `SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace = $1::text::regnamespace
       UNION SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1`,
      [names.schema],
    );
    expect(owners).toEqual([{ owner: names.username }]);
    expect(await database.admin.listTenants()).toContainEqual({
      schema: names.schema,
      tenant: names.schema,
      version: NEWEST,
    });
  });

  it('is served with its own credentials, its own migrations included', async () => {
    const names = database.names();
    const { connectionString } = await database.admin.createTenant(names);
    const note = defineWorkflow('note')
      .task('write', { transactional: true }, async ({ manager }) => {
        await manager.query(`INSERT INTO note (text) VALUES ('written')`);
      })
      .build();

    const tenant = await openTenant([note], {
      schema: names.schema,
      databaseUrl: connectionString,
      migrations: [CreateNote1767225600000],
    });
    const result = await tenant.runner.execute(note);

    expect(result.status).toBe('Completed');
    const sql = `SELECT text FROM ${names.schema}.note`;
    expect(await rowsOf(database.owner, sql)).toEqual([{ text: 'written' }]);
    await tenant.close();
  });

  it('is migrated later by its own login, and not by the one that made it, which has more rights', async () => {
    const names = database.names();
    const { connectionString } = await database.admin.createTenant(names);
    const { schema } = names;
    const run = withTenant(schema, { url: connectionString }, async ({ migrator }) => {
      expect(await migrator.revert()).toBe(NEWEST);
      return migrator.run();
    });
    expect(await run).toEqual([NEWEST]);
    await withTenant(schema, { url: database.adminUrl }, async ({ migrator }) => {
      for (const call of [
        () => migrator.status(),
        () => migrator.ensure(),
        () => migrator.revert(),
        () => migrator.moveTo(database.names().schema),
      ]) {
        const error = await failureOf(call());
        expect(error).toBeInstanceOf(NotAllowedError);
        expect(error.message).toContain('databaseUrl');
      }
    });
  });

  it('finds its own tables by unqualified names', async () => {
    const names = database.names();
    const client = await database.connect(
      (await database.admin.createTenant(names)).connectionString,
    );
    expect(await rowsOf(client, 'SELECT count(*)::integer FROM cloacina_task_execution')).toEqual([
      { count: 0 },
    ]);
  });
});

describe('a password', () => {
  it('is taken as it is, whatever is special in it in SQL and in URLs', async () => {
    const names = database.names();
    const password = `a'b"c\\d@e:f/g?h#i%20j k;--$$1&=+[]{}|^~\``;

    const made = await database.admin.createTenant({ ...names, password });

    expect(made.password).toBe(password);
    const client = await database.connect(made.connectionString);
    expect(await rowsOf(client, 'SELECT current_user AS me')).toEqual([{ me: names.username }]);
    await expect(database.connect(database.urlOf(names.username, 'another'))).rejects.toThrow(
      /password authentication failed/,
    );
  });

  it.each([
    ['shorter than 8 characters', 'seven77'],
    ['longer than 256', 'x'.repeat(257)],
    ['not of ASCII', 'pässword1'],
    ['with a line break', 'pass\nword'],
    ['with a NUL', 'pass\0word'],
  ])('%s is refused, and not shown', async (_what, password) => {
    const error = await failureOf(
      database.admin.createTenant({ ...database.names(), password: password }),
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).not.toContain(password);
  });

  it('can be changed, and then the old one is none', async () => {
    const names = database.names();
    const first = await database.admin.createTenant(names);
    const second = await database.admin.rotatePassword(names);

    expect(second.password).not.toBe(first.password);
    await database.connect(second.connectionString);
    await expect(database.connect(first.connectionString)).rejects.toThrow(
      /password authentication failed/,
    );
    await expect(database.admin.rotatePassword(database.names())).rejects.toThrow(
      InvalidArgumentError,
    );
  });
});

describe('a tenant that is there', () => {
  it('is left as it is, its password too', async () => {
    const names = database.names();
    const { connectionString } = await database.admin.createTenant(names);

    for (const password of [undefined, 'not the one']) {
      const again = database.admin.createTenant({
        ...names,
        ...(password === undefined ? {} : { password }),
      });
      expect(await failureOf(again)).toBeInstanceOf(TenantExistsError);
    }
    await database.connect(connectionString);
  });

  it('is what who has its password asked for', async () => {
    const names = database.names();
    const made = await database.admin.createTenant(names);
    const { password } = made;
    expect(await database.admin.createTenant({ ...names, password })).toEqual(made);
  });

  it('keeps its schema and role from others, in another case too', async () => {
    const names = database.names();
    await database.admin.createTenant(names);
    const other = database.names();
    const refused = [
      { schema: names.schema, username: other.username },
      { schema: other.schema, username: names.username },
      { schema: names.schema.toUpperCase(), username: other.username },
      { schema: other.schema, username: names.username.toUpperCase() },
    ];
    for (const attempt of refused) {
      expect(await failureOf(database.admin.createTenant(attempt))).toBeInstanceOf(
        InvalidArgumentError,
      );
    }
    await database.owner.query(`CREATE SCHEMA ${other.schema}`);
    await expect(database.admin.createTenant(other)).rejects.toThrow('belongs to the role');
    expect(
      await rowsOf(database.owner, 'SELECT FROM pg_roles WHERE rolname = $1', [other.username]),
    ).toEqual([]);
  });

  it('whose removal was begun is removed first', async () => {
    const names = database.names();
    await database.admin.createTenant(names);
    const release = (): Promise<void> => Promise.reject(new Error('killed'));
    const begun = new CloacinaAdmin({ databaseUrl: database.adminUrl, release });
    expect(await failureOf(begun.removeTenant({ ...names, drain: 0 }))).toBeInstanceOf(
      TenantIncompleteError,
    );
    const stopped = `nestjs-cloacina: login of schema "${names.schema}" in database "${database.name}", being removed`;
    await database.owner.query(
      `COMMENT ON ROLE ${names.username} IS '${stopped}'; ALTER ROLE ${names.username} NOLOGIN`,
    );

    const error = await failureOf(database.admin.createTenant(names));

    expect(error).toBeInstanceOf(TenantIncompleteError);
    expect(error.message).toContain('Call removeTenant() again');
  });
});

/** Each of them connects. */
const CALLS = sized(20, 6);

describe(`${CALLS} calls at once`, () => {
  it('for one tenant make it once', async () => {
    const names = database.names();
    const calls = await Promise.allSettled(
      Array.from({ length: CALLS }, () => database.admin.createTenant(names)),
    );
    const made = calls.flatMap((call) => (call.status === 'fulfilled' ? [call.value] : []));
    const refused = calls.flatMap((call) =>
      call.status === 'rejected' ? [call.reason as unknown] : [],
    );
    expect(made).toHaveLength(1);
    for (const reason of refused) expect(reason).toBeInstanceOf(TenantExistsError);
    await database.connect(made[0]?.connectionString ?? '');
  });

  it('for one tenant with its password all succeed', async () => {
    const names = { ...database.names(), password: 'the same for all' };
    const made = await Promise.all(
      Array.from({ length: CALLS }, () => database.admin.createTenant(names)),
    );
    expect(new Set(made.map(({ connectionString }) => connectionString)).size).toBe(1);
  });

  it('with names that differ in case only let one through', async () => {
    const { schema, username } = database.names();
    const variants = [schema, schema.toUpperCase(), `T${schema.slice(1)}`];
    const calls = await Promise.allSettled(
      variants.map((name, i) =>
        database.admin.createTenant({ schema: name, username: `${username}_${i}` }),
      ),
    );
    expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const schemas = await rowsOf(
      database.owner,
      'SELECT FROM pg_namespace WHERE lower(nspname) = $1',
      [schema],
    );
    expect(schemas).toHaveLength(1);
  });

  it('for one role in two databases leave it to one', async () => {
    const other = await createAdminDatabase();
    const { username } = database.names();
    const calls = await Promise.allSettled(
      [database, other].map(({ admin, names }) =>
        admin.createTenant({ schema: names().schema, username }),
      ),
    );
    const refused = calls.flatMap((call) =>
      call.status === 'rejected' ? [call.reason as unknown] : [],
    );
    expect(refused).toHaveLength(1);
    expect(refused[0]).toBeInstanceOf(InvalidArgumentError);
  });
});

describe('a login that may not', () => {
  it.each(['CREATEROLE', 'CREATE on the database'])(
    'for want of %s is told what helps, and that helps',
    async (lacking) => {
      const names = database.names();
      const role = database.names().username;
      const attribute = lacking === 'CREATEROLE' ? '' : 'CREATEROLE';
      await database.owner.query(`CREATE ROLE ${role} LOGIN ${attribute} PASSWORD 'pw'`);
      if (lacking === 'CREATEROLE') {
        await database.owner.query(`GRANT CREATE ON DATABASE ${database.name} TO ${role}`);
      }
      const admin = new CloacinaAdmin({ databaseUrl: database.urlOf(role, 'pw') });

      const error = await failureOf(admin.createTenant(names));

      expect(error).toBeInstanceOf(PermissionError);
      await database.owner.query(/Allow it with: ([^;]+)/.exec(error.message)?.[1] ?? '');
      await admin.createTenant(names);
      await admin.removeTenant(names);
      await database.owner.query(`DROP OWNED BY ${role}`);
      await database.owner.query(`DROP ROLE ${role}`);
    },
  );

  it('reach the server', async () => {
    const admin = new CloacinaAdmin({ databaseUrl: 'postgres://nobody:secret@127.0.0.1:1/none' });
    const error = await failureOf(admin.createTenant(database.names()));
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(error.message).not.toContain('secret');
  });
});

describe('a database in which everybody may create objects in a schema', () => {
  it('gets no tenants, and nothing is left of the attempt', async () => {
    const open = await createAdminDatabase();
    await open.owner.query('GRANT CREATE ON SCHEMA public TO PUBLIC');
    const names = open.names();

    const error = await failureOf(open.admin.createTenant(names));

    expect(error).toBeInstanceOf(NotAllowedError);
    expect(error.message).toContain('REVOKE CREATE ON SCHEMA "public" FROM PUBLIC');
    expect(
      await rowsOf(open.owner, 'SELECT FROM pg_roles WHERE rolname = $1', [names.username]),
    ).toEqual([]);
    await open.owner.query('REVOKE CREATE ON SCHEMA "public" FROM PUBLIC');
    await open.admin.createTenant(names);
  });

  it('to which nobody may connect unless granted: the tenant may, if the login may grant it', async () => {
    const closed = await createAdminDatabase();
    await closed.owner.query(`REVOKE CONNECT ON DATABASE ${closed.name} FROM PUBLIC`);
    await closed.owner.query(`GRANT CONNECT ON DATABASE ${closed.name} TO ${closed.adminRole}`);
    const names = closed.names();

    const error = await failureOf(closed.admin.createTenant(names));
    expect(error).toBeInstanceOf(PermissionError);
    await closed.owner.query(/Allow it with: ([^;]+)/.exec(error.message)?.[1] ?? '');
    const { connectionString } = await closed.admin.createTenant(names);
    await closed.connect(connectionString);
    expect(await closed.admin.removeTenant({ ...names, drain: 0 })).toEqual({
      dropped: [`schema "${names.schema}"`, `role "${names.username}"`],
    });
  });
});
