import { beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import {
  InvalidArgumentError,
  NotAllowedError,
  PermissionError,
  SchemaNameError,
  TenantIncompleteError,
} from '../../../lib/errors/index.js';
import type { TenantCredentials } from '../../../lib/tenants/admin/admin-options.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { releaseFrom } from '../../../lib/tenants/admin/release-here.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { gate } from '../../support/gate.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { type AdminDatabase, createAdminDatabase, failureOf, rowsOf } from './admin-database.js';

let database: AdminDatabase;
beforeAll(async () => {
  database = await createAdminDatabase();
});

function make(): Promise<TenantCredentials> {
  return database.admin.createTenant(database.names());
}

/** What the catalogs have of a tenant: its schema, its role, and every right that mentions the role. */
async function left({ schema, username }: { schema: string; username: string }): Promise<string[]> {
  const rows = await rowsOf<{ what: string }>(
    database.owner,
    `SELECT 'schema' AS what FROM pg_namespace WHERE nspname = $1
     UNION ALL SELECT 'role' FROM pg_roles WHERE rolname = $2
     UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relnamespace = to_regnamespace($1)
     UNION ALL SELECT 'setting' FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = $2`,
    [schema, username],
  );
  return rows.map(({ what }) => what);
}

describe('a tenant that is removed', () => {
  it('is gone with all that was its own', async () => {
    const made = await make();
    const client = await database.connect(made.connectionString);
    await client.query(`CREATE TABLE own (id serial); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE TYPE mood AS ENUM ('good'); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC`);
    const { schema: place } = database.names();
    const admin = await database.connect(database.adminUrl);
    await admin.query(`CREATE SCHEMA ${place}; CREATE TABLE ${place}.shared (id integer);
      GRANT USAGE ON SCHEMA ${place} TO ${made.username}; GRANT SELECT ON ${place}.shared TO ${made.username}`);

    const { dropped } = await database.admin.removeTenant({ schema: made.schema });

    expect(dropped).toEqual([`schema "${made.schema}"`, `role "${made.username}"`]);
    expect(await left(made)).toEqual([]);
    await expect(database.connect(made.connectionString)).rejects.toThrow();
    expect(await database.admin.removeTenant({ schema: made.schema })).toEqual({ dropped: [] });
  });

  it('may be made again under its names', async () => {
    const { schema, username } = await make();
    await database.admin.removeTenant({ schema, username });
    const again = await database.admin.createTenant({ schema, username });
    await database.connect(again.connectionString);
  });

  it('on a shared login is removed without a role', async () => {
    const { schema } = database.names();
    await (await openTenant([], { schema, databaseUrl: database.adminUrl })).close();
    expect(await database.admin.removeTenant({ schema })).toEqual({
      dropped: [`schema "${schema}"`],
    });
  });
});

describe('what is no tenant', () => {
  it('is refused: public, and schemas without the tables', async () => {
    const { schema } = database.names();
    await database.owner.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.t (id integer)`);
    await openTenant([], { schema: 'public', databaseUrl: await ownerUrl() });

    for (const name of [schema, 'public']) {
      expect(await failureOf(database.admin.removeTenant({ schema: name }))).toBeInstanceOf(
        NotAllowedError,
      );
    }
    expect(await rowsOf(database.owner, `SELECT FROM ${schema}.t`)).toEqual([]);
    expect(await rowsOf(database.owner, 'SELECT FROM public.cloacina_task_execution')).toEqual([]);
    await expect(database.admin.removeTenant({ schema: 'x; --' })).rejects.toThrow(SchemaNameError);
    await expect(database.admin.removeTenant({ schema, drain: 'soon' })).rejects.toThrow(
      InvalidArgumentError,
    );
  });

  it('is a role of another tenant, or of nobody', async () => {
    const [one, two] = [await make(), await make()];
    for (const username of [two.username, database.adminRole]) {
      const removal = database.admin.removeTenant({ schema: one.schema, username });
      expect(await failureOf(removal)).toBeInstanceOf(NotAllowedError);
    }
    await database.connect(one.connectionString);
    await database.connect(two.connectionString);
  });
});

describe('a tenant with ties to others', () => {
  it('is not removed while its role owns something elsewhere', async () => {
    const made = await make();
    const { schema: place } = database.names();
    await database.owner.query(`CREATE SCHEMA ${place}; CREATE TABLE ${place}.precious (id integer);
      ALTER TABLE ${place}.precious OWNER TO ${made.username}`);

    const error = await failureOf(database.admin.removeTenant({ schema: made.schema }));

    expect(error).toBeInstanceOf(NotAllowedError);
    expect(error.message).toContain(`${place}.precious`);
    await database.connect(made.connectionString);
    await database.owner.query(`ALTER TABLE ${place}.precious OWNER TO CURRENT_USER`);
    await database.admin.removeTenant({ schema: made.schema });
    expect(await rowsOf(database.owner, `SELECT FROM ${place}.precious`)).toEqual([]);
  });

  it('is not removed while its role has rights that only others can revoke', async () => {
    const made = await make();
    await database.owner.query(
      `CREATE TABLE public.${made.username} (id integer); GRANT SELECT ON ${made.username} TO ${made.username}`,
    );

    const error = await failureOf(database.admin.removeTenant({ schema: made.schema }));

    expect(error).toBeInstanceOf(TenantIncompleteError);
    expect(error.message).toContain(`table public.${made.username}`);
    expect(await left(made)).toContain('table cloacina_task_execution');
    await database.owner.query(`REVOKE SELECT ON ${made.username} FROM ${made.username}`);
    await database.admin.removeTenant({ schema: made.schema });
    expect(await left(made)).toEqual([]);
  });

  it('is not removed while its role has rights in another database', async () => {
    const made = await make();
    const other = await createAdminDatabase();
    await other.owner.query(`CREATE TABLE t (id integer); GRANT SELECT ON t TO ${made.username}`);

    const error = await failureOf(database.admin.removeTenant({ schema: made.schema }));

    expect(error.message).toContain(`something in database ${other.name}`);
    await other.owner.query(`REVOKE SELECT ON t FROM ${made.username}`);
    await database.admin.removeTenant({ schema: made.schema });
  });

  describe('by what another schema has', () => {
    let made: TenantCredentials;
    beforeAll(async () => {
      made = await make();
    });

    it.each([
      [
        'a view',
        (schema: string) => `VIEW v AS SELECT id FROM ${schema}.cloacina_workflow_execution`,
      ],
      [
        'a foreign key',
        (schema: string) => `TABLE t (id uuid REFERENCES ${schema}.cloacina_workflow_execution)`,
      ],
      ['a column', (schema: string) => `TABLE c (row ${schema}.cloacina_workflow_execution)`],
    ])('is not removed while %s of another schema depends on it', async (_what, definition) => {
      const { schema: reports } = database.names();
      await database.owner.query(
        `CREATE SCHEMA ${reports}; SET search_path TO ${reports}; CREATE ${definition(made.schema)}; RESET search_path`,
      );

      const error = await failureOf(database.admin.removeTenant({ schema: made.schema }));

      expect(error).toBeInstanceOf(NotAllowedError);
      expect(error.message).toContain(reports);
      await database.owner.query(`DROP SCHEMA ${reports} CASCADE`);
    });
    it('is removed when nothing depends on it any more', async () => {
      const { dropped } = await database.admin.removeTenant({ schema: made.schema });
      expect(dropped).toHaveLength(2);
    });
  });
});

describe('a tenant that is being served', () => {
  const free = gate();
  const begun: string[] = [];
  const work = defineWorkflow('work')
    .task('first', async ({ executionId, signal }) => {
      begun.push(executionId);
      await Promise.race([
        free.passed,
        new Promise((resolve) => signal.addEventListener('abort', resolve)),
      ]);
    })
    .task('second', { dependsOn: ['first'] }, ({ executionId }) => {
      begun.push(`second of ${executionId}`);
    })
    .build();
  const serve = (made: TenantCredentials): Promise<OpenTenant> =>
    openTenant([work], { schema: made.schema, databaseUrl: made.connectionString });

  it('ends what runs, begins nothing more, and takes no starts', async () => {
    const made = await make();
    const tenant = await serve(made);
    const { id } = await tenant.runner.start(work);
    await waitFor(() => begun.includes(id));

    let removed = false;
    const removal = database.admin
      .removeTenant({ schema: made.schema, drain: '60s' })
      .finally(() => (removed = true));
    const start = await waitFor(() => tenant.runner.start(work).then(() => undefined, String), {
      what: 'a start to be refused',
    });
    expect(start).toContain('cloacina_tenant_is_being_removed');
    expect(removed).toBe(false);
    free.open();
    free.open();
    expect((await removal).dropped).toHaveLength(2);
    expect(begun).not.toContain(`second of ${id}`);
    expect(await left(made)).toEqual([]);
  });

  it('is cut off when the time is over, whatever runs', async () => {
    const made = await make();
    const stuck = gate();
    const transactional = defineWorkflow('stuck')
      .task('hold', { transactional: true }, async ({ manager, executionId }) => {
        await manager.query('LOCK TABLE cloacina_workflow_execution IN ROW EXCLUSIVE MODE');
        begun.push(executionId);
        await stuck.passed;
      })
      .build();
    const tenant = await openTenant([transactional], {
      schema: made.schema,
      databaseUrl: made.connectionString,
      shutdownTimeoutMs: 0,
    });
    const { id } = await tenant.runner.start(transactional);
    await waitFor(() => begun.includes(id));

    const { dropped } = await database.admin.removeTenant({ schema: made.schema, drain: 0 });

    expect(dropped).toHaveLength(2);
    expect(await left(made)).toEqual([]);
    stuck.open();
  });

  it('connects no more, however often it tries', async () => {
    const made = await make();
    let connected = 0;
    /** Connects as soon as it was cut off, until it is refused. */
    const keepConnecting = async (): Promise<void> => {
      const client = new Client({ connectionString: made.connectionString });
      client.on('error', () => undefined);
      const ended = new Promise((resolve) => client.once('end', resolve));
      const refused = await client.connect().then(
        () => connected++ < 0,
        (error: unknown) => ['28000', '28P01'].includes(String(Reflect.get(Object(error), 'code'))),
      );
      if (refused) return;
      await ended;
      await keepConnecting();
    };
    const strangers = Array.from({ length: 4 }, keepConnecting);
    await waitFor(() => connected === 4);

    await database.admin.removeTenant({ schema: made.schema, drain: 0 });

    await Promise.all(strangers);
    expect(await left(made)).toEqual([]);
  });

  it('by the same process is removed from it first', async () => {
    const made = await make();
    const host = new TenantManager(new WorkflowRegistry([]), 10);
    const tenant = await openTenant([], {
      schema: made.schema,
      databaseUrl: made.connectionString,
      claiming: false,
    });
    expect(host.list()).toEqual([]);
    const admin = new CloacinaAdmin({
      databaseUrl: database.adminUrl,
      release: releaseFrom(tenant.host, { databaseUrl: database.adminUrl }),
    });
    await admin.removeTenant({ schema: made.schema });
    expect(tenant.host.has(made.schema)).toBe(false);
    await expect(tenant.runner.start('any')).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
  });
});

describe('a login that may not remove it', () => {
  it('is told what it lacks, and that helps', async () => {
    const made = await make();
    const { username: role } = database.names();
    await database.owner.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
    const admin = new CloacinaAdmin({ databaseUrl: database.urlOf(role, 'pw') });
    for (let grants = 0; ; grants++) {
      const failed = await admin.removeTenant({ schema: made.schema }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failed === undefined) break;
      expect(failed).toBeInstanceOf(PermissionError);
      expect(grants).toBeLessThan(3);
      await database.owner.query(
        /Allow it with: ([^;]+)/.exec((failed as PermissionError).message)?.[1] ?? '',
      );
    }
    expect(await left(made)).toEqual([]);
    await database.owner.query(`DROP ROLE ${role}`);
  });

  it('says what is left when something stands in the way', async () => {
    const made = await make();
    await database.owner.query(`BEGIN; SELECT FROM ${made.schema}.cloacina_task_execution`);
    const [superuser] = await rowsOf<{ pid: number }>(
      database.owner,
      'SELECT pg_backend_pid() AS pid',
    );

    // A superuser's transaction can't be ended by this login.
    const error = await failureOf(database.admin.removeTenant({ schema: made.schema, drain: 0 }));
    await database.owner.query('ROLLBACK');

    expect(error).toBeInstanceOf(TenantIncompleteError);
    expect(error.message).toContain(`locked by backend ${superuser?.pid}`);
    expect(error).toMatchObject({
      remaining: [`schema "${made.schema}"`, `role "${made.username}"`],
    });
    const { dropped } = await database.admin.removeTenant({ schema: made.schema });
    expect(dropped).toEqual([`schema "${made.schema}"`, `role "${made.username}"`]);
  });
});

async function ownerUrl(): Promise<string> {
  const url = new URL(database.adminUrl);
  const { DATABASE_URL } = process.env;
  const owner = new URL(DATABASE_URL ?? '');
  url.username = owner.username;
  url.password = owner.password;
  return Promise.resolve(url.href);
}

/** Whatever a tenant makes of its schema, it can't keep it, nor its login, by that. */
describe('a tenant whose login has changed its tables', () => {
  it.each([
    ['by one that inherits', 'CREATE TABLE child () INHERITS (cloacina_workflow_execution)'],
    ['by a column of another name', 'ALTER TABLE cloacina_task_execution RENAME paused TO other'],
    ['by a column less', 'ALTER TABLE cloacina_workflow_execution DROP created_at CASCADE'],
    ['in its leases', 'ALTER TABLE cloacina_runner_lease RENAME expires_at TO other'],
    [
      'by a column of another type',
      `ALTER TABLE cloacina_task_execution DROP status CASCADE;
       ALTER TABLE cloacina_task_execution ADD status integer`,
    ],
  ])('is removed: %s', async (_how, sql) => {
    const made = await make();
    await (await database.connect(made.connectionString)).query(sql);
    await database.admin.removeTenant({ schema: made.schema, drain: '1s' });
    expect(await left(made)).toEqual([]);
  });

  it('is removed with what any role may own beside its schema: temporary tables and large objects', async () => {
    const made = await make();
    const client = await database.connect(made.connectionString);
    await client.query('CREATE TEMP TABLE kept (id serial); SELECT lo_create(0)');
    await database.admin.removeTenant({ schema: made.schema });
    expect(await left(made)).toEqual([]);
    expect(await rowsOf(database.owner, 'SELECT FROM pg_largeobject_metadata')).toEqual([]);
  });

  it('is removed, whatever rights another tenant has granted its role', async () => {
    const [made, other] = [await make(), await make()];
    const client = await database.connect(other.connectionString);
    await client.query(
      `CREATE TABLE bait (id serial); GRANT SELECT ON bait TO ${made.username} WITH GRANT OPTION;
       GRANT USAGE ON SCHEMA ${other.schema} TO ${made.username};
       ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${made.username}`,
    );
    await database.admin.removeTenant({ schema: made.schema });
    expect(await left(made)).toEqual([]);
    await client.query('SELECT FROM bait');
  });

  it('is removed in parts when the server has not enough locks to drop all of it at once', async () => {
    const made = await make();
    const client = await database.connect(made.connectionString);
    await client.query(
      `CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN short AS text CHECK (length(value) < 9);
       CREATE TYPE pair AS (a mood, b short);
       CREATE TABLE parent (id serial PRIMARY KEY, mood mood) PARTITION BY RANGE (id);
       CREATE TABLE part PARTITION OF parent FOR VALUES FROM (1) TO (9);
       CREATE VIEW seen AS SELECT * FROM parent; CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen;
       CREATE SEQUENCE counter; CREATE PROCEDURE act() LANGUAGE sql AS 'SELECT 1';
       CREATE FUNCTION "F"(m mood, VARIADIC n integer[]) RETURNS integer LANGUAGE sql AS 'SELECT 1';
       CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer)`,
    );
    // What the server says when its table of locks is full, as long as anything of the tenant's own is there.
    await database.owner.query(
      `CREATE FUNCTION public.no_locks() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
         IF EXISTS (SELECT FROM pg_class WHERE relnamespace = '${made.schema}'::regnamespace AND relname !~ '^cloacina|^pg_toast'
                      AND relkind <> 'i')
           OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = '${made.schema}'::regnamespace)
           OR EXISTS (SELECT FROM pg_type WHERE typnamespace = '${made.schema}'::regnamespace AND typtype IN ('e', 'd'))
         THEN RAISE 'out of shared memory' USING ERRCODE = '53200'; END IF; END $$;
       CREATE EVENT TRIGGER no_locks ON ddl_command_start WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION public.no_locks()`,
    );
    try {
      await database.admin.removeTenant({ schema: made.schema });
    } finally {
      await database.owner.query('DROP EVENT TRIGGER no_locks; DROP FUNCTION public.no_locks()');
    }
    expect(await left(made)).toEqual([]);
  });
});
