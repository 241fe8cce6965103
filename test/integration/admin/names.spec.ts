import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import {
  type CloacinaError,
  ConfigurationError,
  InvalidArgumentError,
  SchemaNameError,
} from '../../../lib/errors/index.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { start } from '../tenants/application.js';
import { type AdminDatabase, createAdminDatabase, failureOf, rowsOf } from './admin-database.js';
import { cases } from '../../support/sizes.js';

/** Names that no schema and no role of a tenant may have. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['a space', ' '],
  ['a digit first', '1a'],
  ['a double quote', 'a"b'],
  ['quotes that close and open', '" AUTHORIZATION postgres; --'],
  ['an apostrophe', "a'b"],
  ['a semicolon', 'a;b'],
  ['a statement', 'x"; DROP SCHEMA public CASCADE; --'],
  ['a dot', 'a.b'],
  ['a space within', 'a b'],
  ['a space at the end', 'a '],
  ['a hyphen', 'a-b'],
  ['a dollar', 'a$b'],
  ['a backslash', 'a\\b'],
  ['a slash', 'a/b'],
  ['a per cent sign', 'a%b'],
  ['a comma', 'a,public'],
  ['a line break', 'a\nb'],
  ['a NUL', 'a\0b'],
  ['an umlaut', 'tenänt'],
  ['a letter that is e and accent', 'cafe\u0301'],
  ['another alphabet', 'теnаnt'],
  ['a letter that folds to s', 'tenantſ'],
  ['a letter that folds to k', 'tenant\u212a'],
  ['an emoji', 'tenant🙂'],
  ['64 bytes', 'x'.repeat(64)],
  ['64 bytes of 32 characters', 'ä'.repeat(32)],
  ['pg_ first', 'pg_mine'],
  ['PG_ first', 'PG_mine'],
];
/** PostgreSQL's words; quoted, each is a name like any other. */
const RESERVED = ['select', 'table', 'user', 'default', 'all', 'current_date', 'null', 'true'];
const EXACT: readonly (readonly [string, string])[] = [
  ['63 bytes', 'y'.repeat(63)],
  ['an underscore first', '_a'],
  ['one letter', 'q'],
  ['upper and lower case', 'CamelCase'],
  ['upper case', 'UPPER'],
  ['constructor', 'constructor'],
  ['__proto__', '__proto__'],
];
/** One of each kind that is quoted or looked up otherwise; the fault tests have all. */
const QUICK = new Set(['y'.repeat(63), 'CamelCase', '__proto__', 'user', 'select']);

let database: AdminDatabase;
let tenants: CloacinaTenants;
let admin: CloacinaAdmin;
const hello = defineWorkflow('hello')
  .task('greet', ({ tenant }) => ({ tenant }))
  .build();
beforeAll(async () => {
  database = await createAdminDatabase();
  const app = await start([{ provide: 'hello', useValue: hello }], {
    shared: { databaseUrl: database.adminUrl },
  });
  ({ tenants } = app);
  admin = app.app.get(CloacinaAdmin);
});

/** All schemas and roles there are: what is refused must have changed neither. */
async function everyName(): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    database.owner,
    `SELECT 'schema ' || nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
     UNION ALL SELECT 'role ' || rolname FROM pg_roles
      WHERE shobj_description(oid, 'pg_authid') LIKE '%in database "' || current_database() || '"%' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

describe.each(REFUSED)('%s', (_what, name) => {
  it.each<[string, (name: string) => Promise<unknown>, new (...args: never[]) => CloacinaError]>([
    [
      'schema of createTenant()',
      (schema) => admin.createTenant({ ...database.names(), schema }),
      SchemaNameError,
    ],
    [
      'username of createTenant()',
      (username) => admin.createTenant({ ...database.names(), username }),
      InvalidArgumentError,
    ],
    ['schema of removeTenant()', (schema) => admin.removeTenant({ schema }), SchemaNameError],
    [
      'username of removeTenant()',
      (username) => admin.removeTenant({ ...database.names(), username }),
      InvalidArgumentError,
    ],
    [
      'schema of rotatePassword()',
      (schema) => admin.rotatePassword({ ...database.names(), schema }),
      SchemaNameError,
    ],
    [
      'schema of CloacinaTenants.add()',
      (schema) => tenants.add({ tenant: 'any', schema }),
      ConfigurationError,
    ],
  ])('is refused as %s', async (_place, use, type) => {
    const before = await everyName();
    expect(await failureOf(use(name))).toBeInstanceOf(type);
    expect(await everyName()).toEqual(before);
  });
});

describe('names that are reserved for roles', () => {
  it.each([
    'public',
    'PUBLIC',
    'none',
    'None',
    'current_user',
    'session_user',
    'current_role',
    'user',
  ])('%s is refused', async (username) => {
    const { schema } = database.names();
    expect(await failureOf(admin.createTenant({ schema, username }))).toBeInstanceOf(
      InvalidArgumentError,
    );
  });
});

describe('names that are taken', () => {
  const all = [...EXACT, ...RESERVED.map((word) => [`the word ${word}`, word] as const)];
  it.each(cases(all, ([, name]) => QUICK.has(name)))(
    '%s is exact, as the name of a schema and of a role',
    async (_what, name) => {
      const others = await everyName();
      const role = name === 'user' ? database.names().username : name;

      const { connectionString } = await admin.createTenant({ schema: name, username: role });

      expect((await everyName()).filter((found) => !others.includes(found)).sort()).toEqual([
        `role ${role}`,
        `schema ${name}`,
      ]);
      const tenant = await tenants.add({ schema: name, databaseUrl: connectionString });
      expect((await tenant.runner.execute(hello)).context).toEqual({ tenant: name });
      expect(tenants.get(name).schema).toBe(name);
      expect(await admin.removeTenant({ schema: name })).toEqual({
        dropped: [`schema "${name}"`, `role "${role}"`],
      });
      expect(tenants.has(name)).toBe(false);
      expect(await everyName()).toEqual(others);
    },
    30_000,
  );

  it('are not taken in another case, on the same login or another', async () => {
    const { schema, username } = database.names();
    const { connectionString } = await admin.createTenant({ schema, username });
    const before = await everyName();
    for (const use of [
      () => admin.createTenant({ schema: schema.toUpperCase(), username: `${username}_2` }),
      () => admin.createTenant({ schema: `${schema}_2`, username: username.toUpperCase() }),
    ]) {
      expect(await failureOf(use())).toBeInstanceOf(InvalidArgumentError);
    }
    await tenants.add({ schema, databaseUrl: connectionString });
    for (const login of [{}, { databaseUrl: connectionString }]) {
      expect(
        await failureOf(tenants.add({ schema: schema.toUpperCase(), ...login })),
      ).toBeInstanceOf(ConfigurationError);
    }
    expect(await everyName()).toEqual(before);
    expect(await admin.removeTenant({ schema: schema.toUpperCase() })).toEqual({ dropped: [] });
    expect(await everyName()).toEqual(before);
  });
});

describe('names of tenants', () => {
  it.each([
    'a "quoted" name',
    "O'Reilly; DROP TABLE x",
    'Ünïcødé 表 🙂',
    'a.b-c',
    '__proto__',
    'x'.repeat(100),
  ])('%s is exact', async (name) => {
    const { schema } = database.names();
    const tenant = await tenants.add({ tenant: name, schema });
    expect((await tenant.runner.execute(hello)).context).toEqual({ tenant: name });
    expect(tenants.get(name)).toBe(tenant);
    expect(tenants.list().map((each) => each.name)).toContain(name);
    await tenants.remove(name);
    expect(tenants.has(name)).toBe(false);
  });

  it.each(['', ' ', 'a\nb', 'a\0b', 'x'.repeat(101)])('%j is refused', async (tenant) => {
    const added = tenants.add({ tenant, schema: database.names().schema });
    expect(await failureOf(added)).toBeInstanceOf(ConfigurationError);
  });
});
