import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type pg from 'pg';
import {
  makeLive,
  readTenantRow,
  undoAbandonedStop,
} from '../../../lib/tenants/moving/move-state.js';
import type { MovePhase } from '../../../lib/tenants/moving/move-options.js';
import { startChild } from '../../support/child-process.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { acceptsWrites, onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import type { Moving } from './moving-process.js';
import { CreateShop1700000000000 } from './shop.js';
import { twoServers, type TwoServers } from './two-servers.js';

class CreateLedger1700000000000 implements MigrationInterface {
  readonly name = 'CreateLedger1700000000000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE ledger (id serial PRIMARY KEY, amount numeric, secret text);
      CREATE TABLE audit (entry text);
      CREATE VIEW totals AS SELECT sum(amount) AS total FROM ledger;
      CREATE FUNCTION close_year() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;
      CREATE DOMAIN money_of_us AS numeric;
      GRANT SELECT ON audit TO PUBLIC`);
  }
  async down(): Promise<void> {}
}
const migrations = [CreateLedger1700000000000];

let { eu, us, admin } = {} as TwoServers;
beforeAll(async () => {
  ({ eu, us, admin } = await twoServers());
}, 120_000);
afterAll(() => us.close());

const freshRole = (): string => `role_${randomBytes(5).toString('hex')}`;
const run = (schema: string, sql: string, url = eu.url): Promise<unknown> =>
  onDatabase(url, schema, (client) => client.query(sql));

async function makeRole(role: string, ...servers: readonly TwoServers['eu'][]): Promise<void> {
  for (const server of servers) await server.query(`CREATE ROLE ${role}`);
}

/** All owners and rights as the server stores them, sorted. The roles have the same names on both servers here. */
async function rightsOf(url: string, schema: string): Promise<string[]> {
  return onDatabase(url, schema, async (client) => {
    const { rows } = await client.query<{ line: string }>(
      `SELECT concat_ws(' ', o.name, 'of', pg_get_userbyid(o.owner), x::text) AS line FROM (
         SELECT c.relname::text AS name, c.relowner AS owner, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
           FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'v', 'S')
         UNION ALL SELECT c.relname || '.' || a.attname, c.relowner, a.attacl FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE c.relnamespace = $1::regnamespace AND a.attacl IS NOT NULL
         UNION ALL SELECT p.proname, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)) FROM pg_proc p
          WHERE p.pronamespace = $1::regnamespace AND p.proname <> 'cloacina_refuse_write'
         UNION ALL SELECT t.typname, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)) FROM pg_type t
          WHERE t.typnamespace = $1::regnamespace AND t.typtype = 'd'
         UNION ALL SELECT 'schema', n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)) FROM pg_namespace n WHERE n.oid = $1::regnamespace
         UNION ALL SELECT 'default ' || d.defaclobjtype::text, d.defaclrole, d.defaclacl FROM pg_default_acl d WHERE d.defaclnamespace = $1::regnamespace
       ) o, unnest(o.acl) x ORDER BY 1`,
      [schema],
    );
    return rows.map(({ line }) => line);
  });
}

async function problemsOf(schema: string, dryRun = true): Promise<readonly string[]> {
  const failure: unknown = await admin
    .moveTenant({ schema, to: 'us', migrations, dryRun })
    .catch((error: unknown) => error);
  expect(await stateOf(eu.url, schema)).toBe('live');
  expect(await stateOf(us.url, schema)).toBeUndefined();
  return (failure as { readonly problems?: readonly string[] }).problems ?? [];
}

describe('a move carries', () => {
  it('owners and rights: what was granted by hand, and what was taken away', async () => {
    const [reporting, keeper] = [freshRole(), freshRole()];
    await makeRole(reporting, eu, us);
    await makeRole(keeper, eu, us);
    const schema = await makeTenant(eu.url, migrations);
    await run(
      schema,
      `GRANT USAGE ON SCHEMA ${schema} TO ${reporting};
       GRANT SELECT ON cloacina_workflow_execution, totals TO ${reporting};
       GRANT SELECT (id, amount), UPDATE (amount) ON ledger TO ${reporting} WITH GRANT OPTION;
       GRANT USAGE ON SEQUENCE ledger_id_seq TO ${reporting};
       REVOKE EXECUTE ON FUNCTION close_year() FROM PUBLIC; GRANT EXECUTE ON FUNCTION close_year() TO ${reporting};
       REVOKE USAGE ON TYPE money_of_us FROM PUBLIC;
       REVOKE SELECT ON audit FROM PUBLIC; REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM CURRENT_USER;
       ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT ON TABLES TO ${reporting};
       ALTER DEFAULT PRIVILEGES FOR ROLE ${keeper} IN SCHEMA ${schema} GRANT EXECUTE ON ROUTINES TO ${reporting};
       GRANT CREATE ON SCHEMA ${schema} TO ${keeper};
       ALTER TABLE ledger OWNER TO ${keeper}; ALTER FUNCTION close_year() OWNER TO ${keeper};
       ALTER DOMAIN money_of_us OWNER TO ${keeper}; ALTER VIEW totals OWNER TO ${keeper};
       INSERT INTO audit VALUES ('kept'); INSERT INTO ledger (amount) VALUES (1)`,
    );
    const before = await rightsOf(eu.url, schema);
    expect(before).toContainEqual(expect.stringContaining(`ledger_id_seq of ${keeper} `));
    expect(await problemsOf(schema)).toEqual([]);
    await admin.moveTenant({ schema, to: 'us', migrations });
    expect(await rightsOf(us.url, schema)).toEqual(before);
    await run(schema, 'CREATE TABLE later (id integer)', us.url);
    const { rows } = await onDatabase(us.url, schema, (client) =>
      client.query(`SELECT has_table_privilege($1, 'later', 'SELECT') AS may`, [reporting]),
    );
    expect(rows).toEqual([{ may: true }]);
    expect(await stateOf(us.url, schema)).toBe('live');
  }, 120_000);

  it('what was granted while it copied', async () => {
    const reporting = freshRole();
    await makeRole(reporting, eu, us);
    const schema = await makeTenant(eu.url, migrations);
    let granting: Promise<unknown> | undefined;
    const holder = await connectAdmin(eu.url);
    await holder.query(`BEGIN; LOCK TABLE ${schema}.cloacina_state IN ROW EXCLUSIVE MODE`);
    await admin.moveTenant({
      schema,
      to: 'us',
      migrations,
      onProgress: ({ phase }) => {
        if (phase === 'catchingUp')
          granting ??= run(schema, `GRANT SELECT ON ledger TO ${reporting}`).finally(
            () => void holder.end(),
          );
      },
    });
    await granting;
    const rights = await rightsOf(us.url, schema);
    expect(rights).toContainEqual(expect.stringContaining(`${reporting}=r/`));
    expect(rights).toEqual(await rightsOf(eu.url, schema));
  }, 120_000);

  it('those of a tenant with a login of its own, and its rights on new objects', async () => {
    const reporting = freshRole();
    await makeRole(reporting, eu, us);
    const schema = freshSchema('rights');
    const username = `login_${schema}`;
    await admin.createTenant({ schema, username, server: 'eu' });
    await run(
      schema,
      `SET ROLE ${username};
       GRANT USAGE ON SCHEMA ${schema} TO ${reporting};
       GRANT SELECT ON cloacina_workflow_execution TO ${reporting};
       ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${reporting};
       ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC`,
    );
    await admin.moveTenant({ schema, to: 'us' });
    expect(await rightsOf(us.url, schema)).toEqual(await rightsOf(eu.url, schema));
    const { rows } = await onDatabase(us.url, schema, async (client) => {
      await client.query(
        `SET ROLE ${username}; CREATE TABLE later (id integer);
         CREATE FUNCTION later() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$`,
      );
      return client.query(
        `SELECT has_table_privilege($1, 'later', 'SELECT') AS may, has_function_privilege($1, 'later()', 'EXECUTE') AS calls`,
        [reporting],
      );
    });
    expect(rows).toEqual([{ may: true, calls: false }]);
  }, 120_000);
});

describe('the processes of a tenant whose tables are not those of the login that moves it', () => {
  /** A shop of a role that the mover is not, whose mover dies in that phase. */
  async function interrupted(dieAt: MovePhase): Promise<{ schema: string; role: string }> {
    const role = freshRole();
    await makeRole(role, eu, us);
    const schema = await makeTenant(eu.url, [CreateShop1700000000000]);
    await run(
      schema,
      `DO $$ DECLARE o record; BEGIN
         FOR o IN SELECT relname FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'r'
         LOOP EXECUTE format('ALTER TABLE %I OWNER TO ${role}', o.relname); END LOOP;
         ALTER SCHEMA ${schema} OWNER TO ${role};
       END $$`,
    );
    const moving: Moving = {
      schema,
      to: 'us',
      servers: { eu: eu.url, us: us.url },
      migrations: 'shop',
      dieAt,
    };
    const mover = startChild(new URL('moving-process.ts', import.meta.url), {
      env: { MOVING: JSON.stringify(moving) },
    });
    expect(await mover.exit).toMatchObject({ signal: 'SIGKILL' });
    return { schema, role };
  }

  const as = <T>(
    role: string,
    { url }: TwoServers['eu'],
    work: (client: pg.Client) => Promise<T>,
  ): Promise<T> =>
    onDatabase(url, 'pg_catalog', async (client) => {
      await client.query(`SET ROLE ${role}`);
      return work(client);
    });

  it('undo its stop', async () => {
    const { schema, role } = await interrupted('carrying');
    const row = await as(role, eu, (client) => readTenantRow(client, schema));
    const move = { schema, moveId: row?.moveId ?? '', peer: 'us' };
    // When its deadline has passed.
    await waitFor(() => as(role, eu, (client) => undoAbandonedStop(client, move)), { every: 100 });
    expect(await acceptsWrites(eu.url, schema)).toBe(true);
  }, 120_000);

  it('complete its switch', async () => {
    const { schema, role } = await interrupted('switching');
    const row = await as(role, us, (client) => readTenantRow(client, schema));
    const move = { schema, moveId: row?.moveId ?? '', peer: 'eu' };
    expect(await as(role, us, (client) => makeLive(client, move))).toBe(true);
    expect(await acceptsWrites(us.url, schema)).toBe(true);
  }, 120_000);
});

describe('a move finds before anything stops', () => {
  it.each<[string, (role: string, schema: string) => string, RegExp]>([
    [
      'has rights',
      (role) => `GRANT SELECT ON ledger, audit TO ${role}`,
      /it has SELECT on the table .*audit, and 1 more/,
    ],
    [
      'has rights on new objects',
      (role, schema) =>
        `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT USAGE ON SEQUENCES TO ${role}`,
      /it has USAGE on new sequences/,
    ],
    [
      'makes new objects',
      (role, schema) =>
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${role} IN SCHEMA ${schema} GRANT SELECT ON TABLES TO PUBLIC`,
      /its new tables have rights of others/,
    ],
    [
      'owns an object',
      (role, schema) =>
        `GRANT CREATE ON SCHEMA ${schema} TO ${role}; ALTER VIEW totals OWNER TO ${role}`,
      /it owns the view/,
    ],
  ])(
    'a role that %s, and that the new server lacks',
    async (_, sql, problem) => {
      const role = freshRole();
      await makeRole(role, eu);
      const schema = await makeTenant(eu.url, migrations);
      await run(schema, sql(role, schema));
      for (const dryRun of [true, false]) {
        const problems = await problemsOf(schema, dryRun);
        expect(problems).toEqual([expect.stringContaining(`The new server has no role "${role}"`)]);
        expect(problems[0]).toMatch(problem);
        expect(problems[0]).toContain(`CREATE ROLE "${role}"`);
      }
      await makeRole(role, us);
      expect(await problemsOf(schema)).toEqual([]);
      await admin.moveTenant({ schema, to: 'us', migrations });
      expect(await rightsOf(us.url, schema)).toEqual(await rightsOf(eu.url, schema));
    },
    120_000,
  );

  it('a role that is the login of another tenant on the new server', async () => {
    const other = freshSchema('other');
    const role = `login_${other}`;
    await admin.createTenant({ schema: other, username: role, server: 'us' });
    await makeRole(role, eu);
    const schema = await makeTenant(eu.url, migrations);
    await run(schema, `GRANT SELECT ON ledger TO ${role}`);
    for (const dryRun of [true, false]) {
      const problems = await problemsOf(schema, dryRun);
      expect(problems).toEqual([
        expect.stringContaining(`the role "${role}" is that of another tenant`),
      ]);
      expect(problems[0]).toMatch(/it has SELECT on the table .*ledger/);
    }
  }, 120_000);

  it('roles of policies', async () => {
    const role = freshRole();
    await makeRole(role, eu, us);
    class WithPolicy extends CreateLedger1700000000000 {
      override async up(queryRunner: QueryRunner): Promise<void> {
        await super.up(queryRunner);
        await queryRunner.query('CREATE POLICY own ON ledger USING (amount > 0)');
      }
    }
    const schema = await makeTenant(eu.url, [WithPolicy]);
    await run(schema, `ALTER POLICY own ON ledger TO ${role}`);
    const move = admin.moveTenant({ schema, to: 'us', migrations: [WithPolicy], dryRun: true });
    await expect(move).rejects.toMatchObject({
      problems: ['The policy "ledger.own" is not as the migrations make it.'],
    });
  }, 120_000);

  describe('with a login that is no superuser', () => {
    const mover = freshRole();
    const keeper = freshRole();
    let plain: CloacinaAdmin;
    beforeAll(async () => {
      const urls: string[] = [];
      for (const server of [eu, us]) {
        await server.query(`CREATE ROLE ${mover} LOGIN PASSWORD 'secret' CREATEROLE`);
        const database = new URL(server.url).pathname.slice(1);
        await server.query(`GRANT CREATE ON DATABASE ${database} TO ${mover}`);
        const url = new URL(server.url);
        url.username = mover;
        url.password = 'secret';
        urls.push(url.href);
      }
      await makeRole(keeper, eu, us);
      const [euUrl = '', usUrl = ''] = urls;
      plain = new CloacinaAdmin({
        servers: { eu: { databaseUrl: euUrl }, us: { databaseUrl: usUrl } },
      });
      await run('public', `GRANT ${keeper} TO ${mover}`);
    }, 60_000);

    const problems = (schema: string): Promise<unknown> =>
      plain.moveTenant({ schema, to: 'us', migrations }).catch((error: unknown) => error);

    /** A tenant of the login. */
    async function makeOwn(): Promise<string> {
      const url = new URL(eu.url);
      url.username = mover;
      url.password = 'secret';
      return makeTenant(url.href, migrations);
    }

    it('an owner to which it can give nothing, until it is a member', async () => {
      const schema = await makeOwn();
      await run(
        schema,
        `GRANT CREATE ON SCHEMA ${schema} TO ${keeper}; ALTER VIEW totals OWNER TO ${keeper}`,
      );
      expect(await problems(schema)).toMatchObject({
        code: 'MOVE_NOT_POSSIBLE',
        problems: [expect.stringContaining(`GRANT "${keeper}" TO "${mover}"`)],
      });
      expect(await stateOf(us.url, schema)).toBeUndefined();
    }, 60_000);

    it('a table of a role whose rights it lacks', async () => {
      const schema = await makeOwn();
      const other = freshRole();
      await makeRole(other, eu, us);
      await run(schema, `ALTER TABLE ledger OWNER TO ${other}; GRANT SELECT ON ledger TO ${mover}`);
      expect(await problems(schema)).toMatchObject({
        code: 'MOVE_NOT_POSSIBLE',
        problems: [
          expect.stringContaining(`ALTER TABLE ${schema}.ledger OWNER TO ${mover}`),
          expect.stringContaining(`can't give`),
        ],
      });
    }, 60_000);
  });
});
