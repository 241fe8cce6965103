import { describe, expect, it } from '@jest/globals';
import { EntitySchema } from 'typeorm';
import type { CloacinaTenantOptions } from '../../../lib/cloacina.options.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import {
  resolveSharedOptions,
  resolveTenantOptions,
  type ResolvedTenantOptions,
} from '../../../lib/options/index.js';

const URL = 'postgres://app:s3cret@db.internal:5432/shop';
const OTHER = 'postgres://app:s3cret@other.internal/shop';

@Workflow({ name: 'order' })
class Order {
  readonly isWorkflow = true;
}
class Invoice {
  id = '';
}

function resolved(...args: Parameters<typeof resolveTenantOptions>): ResolvedTenantOptions {
  const result = resolveTenantOptions(args[0], args[1], args[2] ?? {});
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.options;
}

function problems(
  options: unknown,
  environment: Record<string, string> = { DATABASE_URL: URL },
): readonly string[] {
  const result = resolveTenantOptions(options as CloacinaTenantOptions, {}, environment);
  return result.ok ? [] : result.problems;
}

describe('resolveTenantOptions', () => {
  it('takes a search path from forRoot, and refuses names that would stand before the built-in', () => {
    const url = { databaseUrl: URL };
    expect(resolved({}, { ...url, searchPath: ['extensions'] }).searchPath).toEqual(['extensions']);
    expect(resolved({ searchPath: [] }, { ...url, searchPath: ['extensions'] }).searchPath).toEqual(
      [],
    );
    expect(resolved({}, url)).not.toHaveProperty('searchPath');
    for (const name of ['pg_catalog', 'PG_temp', '$user', '', 'x'.repeat(64), 7]) {
      expect(problems({ schema: 's', searchPath: ['public', name] })).toEqual([
        expect.stringMatching(
          /^Tenant "s": searchPath must be an array of names of schemas.*\[1\]/,
        ),
      ]);
    }
  });

  it('fills in the defaults of the contract', () => {
    expect(resolved({}, {}, { DATABASE_URL: URL })).toEqual({
      tenant: 'public',
      schema: 'public',
      databaseUrl: URL,
      connection: {},
      controlConnection: true,
      migrate: true,
      poolSize: 10,
      poolSizeIsDefault: true,
      maxConcurrentTasks: 10,
      enableRecovery: true,
      maxRecoveryAttempts: 3,
      leaseDurationMs: 30_000,
      shutdownTimeoutMs: 30_000,
      startTimeoutMs: 10_000,
      handlerGraceMs: 30_000,
      maxContextSize: 1_048_576,
      maxSteps: 10_000,
      maxStepsSize: 33_554_432,
      signalSecrets: [],
      entities: [],
      migrations: [],
      isolation: 'schema',
    });
  });

  it('takes one secret or a list for tokens, and shows none that is not valid', () => {
    const secret = 'a secret of 32 characters or more';
    expect(resolved({ databaseUrl: URL, signalSecret: secret }).signalSecrets).toEqual([secret]);
    const list = [secret, `${secret}, older`];
    expect(resolved({}, { databaseUrl: URL, signalSecret: list }).signalSecrets).toEqual(list);
    for (const bad of ['nearly the secret of 32 chars', [], [secret, 'short'], 7, null]) {
      expect(problems({ schema: 's', signalSecret: bad })).toEqual([
        'Tenant "s": signalSecret must be a string of at least 32 characters, or a list of them.',
      ]);
    }
  });

  it('names a tenant by its schema unless it has a name', () => {
    expect(resolved({ schema: 'tenant_acme', databaseUrl: URL }).tenant).toBe('tenant_acme');
    expect(resolved({ schema: 'tenant_acme', tenant: 'acme', databaseUrl: URL })).toMatchObject({
      tenant: 'acme',
      schema: 'tenant_acme',
    });
  });

  it("takes forRoot's values as defaults, but not the process's concurrency", () => {
    const shared = {
      databaseUrl: URL,
      maxConcurrentTasks: 200,
      leaseDuration: '1m',
      poolSize: 30,
      enableRecovery: false,
      controlUrl: OTHER,
    };
    expect(resolved({ leaseDuration: undefined, poolSize: 5 }, shared)).toMatchObject({
      databaseUrl: URL,
      maxConcurrentTasks: 10,
      leaseDurationMs: 60_000,
      poolSize: 5,
      enableRecovery: false,
      controlUrl: OTHER,
    });
  });

  it("takes forRoot's workflows, entities, migrations and isolation unless it has its own, lists as a whole", () => {
    class Other {
      id = '';
    }
    class CreateInvoice {
      async up() {}
      async down() {}
    }
    const shared = {
      databaseUrl: URL,
      workflows: [Order],
      entities: [Invoice],
      migrations: [CreateInvoice],
      isolation: 'role' as const,
    };
    const { databaseUrl: _url, ...defaults } = shared;
    expect(resolved({}, shared)).toMatchObject(defaults);
    const own = {
      workflows: ['other'],
      entities: [Other],
      migrations: [],
      isolation: 'schema' as const,
    };
    expect(resolved(own, shared)).toMatchObject(own);
  });

  it('finds the database by the nearest word on it', () => {
    const environment = { DATABASE_URL: 'postgres://environment/db' };
    expect(resolved({ databaseUrl: OTHER }, { databaseUrl: URL }, environment).databaseUrl).toBe(
      OTHER,
    );
    expect(resolved({}, { databaseUrl: URL }, environment).databaseUrl).toBe(URL);
    expect(resolved({}, {}, environment).databaseUrl).toBe('postgres://environment/db');
    const own = resolved(
      { connection: { host: 'h', database: 'd' } },
      { databaseUrl: URL },
      environment,
    );
    expect(own).toMatchObject({ connection: { host: 'h', database: 'd' } });
    expect(own.databaseUrl).toBeUndefined();
    expect(resolved({}, { connection: { host: 'h' } }, environment).databaseUrl).toBeUndefined();
  });

  it('drops what forRoot says of its server where the tenant has its own, and keeps the rest', () => {
    const shared = {
      connection: {
        host: 'h',
        port: 1,
        password: 'p',
        applicationName: 'app',
        extra: { a: 1, b: 1 },
      },
      controlUrl: URL,
    };
    expect(resolved({ databaseUrl: OTHER, connection: { extra: { b: 2 } } }, shared)).toMatchObject(
      {
        databaseUrl: OTHER,
        connection: { applicationName: 'app', extra: { a: 1, b: 2 } },
      },
    );
    const { connection, controlUrl } = resolved({ databaseUrl: OTHER }, shared);
    expect(Object.keys(connection).sort()).toEqual(['applicationName', 'extra']);
    expect(controlUrl).toBeUndefined();
    expect(shared.connection.host).toBe('h');
  });

  it('takes workflows by class and by name', () => {
    expect(resolved({ databaseUrl: URL, workflows: [Order, 'by-name'] }).workflows).toEqual([
      Order,
      'by-name',
    ]);
  });

  it.each([
    'postgres://h/db',
    'postgresql://u:p%40ss@h:1/db?sslmode=require',
    'postgres://u:p@/db?host=/run/pg',
    'postgres:///db',
    'socket:/run/pg?db=db',
  ])('takes the URL %s', (databaseUrl) => expect(problems({ databaseUrl })).toEqual([]));

  it('takes entities of classes and schemas, and what TypeORM may be told', () => {
    const entities = [Invoice, new EntitySchema({ name: 'Line', columns: {} })];
    const connection = { type: 'postgres' as const, ssl: true, logging: true, url: URL };
    expect(problems({ entities, connection, migrations: [Invoice] })).toEqual([]);
  });
});

describe('resolveTenantOptions reports', () => {
  it('everything at once', () => {
    const options = {
      tenant: 'acme',
      schema: '1st',
      poolSize: 2,
      maxConcurrentTasks: -1,
      enableRecovery: 'yes',
      maxRecoveryAttempts: Number.NaN,
      leaseDuration: '10ms',
      shutdownTimeout: 'soon',
      startTimeout: -5,
      maxContextSize: 1.5,
      workflows: ['a', 5],
      entities: [undefined],
      migrations: Invoice,
      isolation: 'database',
      tenants: { discover: true },
      databaseURL: URL,
      connection: { synchronize: true, type: 'mysql' },
    };
    expect(problems(options)).toEqual([
      `Tenant "acme": schema '1st' starts with a digit; use letters, digits and underscores.`,
      'Tenant "acme": poolSize must be a whole number of at least 3, not 2.',
      'Tenant "acme": maxConcurrentTasks must be a whole number of at least 0, not -1.',
      `Tenant "acme": enableRecovery must be true or false, not 'yes'.`,
      'Tenant "acme": maxRecoveryAttempts must be a whole number of at least 0, not NaN.',
      `Tenant "acme": leaseDuration must be at least 1000 ms, not '10ms'.`,
      expect.stringContaining(
        'Tenant "acme": shutdownTimeout must be milliseconds, or a string such as',
      ),
      expect.stringContaining(
        'Tenant "acme": startTimeout must be milliseconds, or a string such as',
      ),
      'Tenant "acme": maxContextSize must be a whole number from 1 to 268435455, not 1.5.',
      'Tenant "acme": workflows must be an array of workflow classes and names, but [1] is 5.',
      'Tenant "acme": entities must be an array of entity classes and schemas, but [0] is undefined (is there a circular import between files?).',
      'Tenant "acme": migrations must be an array of migration classes, not Invoice.',
      `Tenant "acme": isolation must be "schema" or "role", not 'database'.`,
      'Tenant "acme": tenants is an option of forRoot() only.',
      'Tenant "acme": there is no option "databaseURL". Did you mean "databaseUrl"?',
      `Tenant "acme", connection: synchronize can't be used: tables are changed by migrations only.`,
      'Tenant "acme", connection: type must be "postgres".',
    ]);
  });

  it.each<[string, unknown, string]>([
    ['hosts', 'h', 'there is no option "hosts". Did you mean "host"?'],
    ['user', 'u', `user can't be used: TypeORM's name for it is "username".`],
    [
      'replication',
      { master: {}, slaves: [] },
      "replication can't be used: the library reads its own writes, so it needs the primary; name the primary.",
    ],
    ['connectTimeoutMS', 5, "connectTimeoutMS can't be used: the library waits 10 s"],
    ['autoLoadEntities', true, 'autoLoadEntities can\'t be used: use the option "entities".'],
    ['host', 'a,b', 'host names several hosts, and the driver connects to one only'],
    ['port', '543x', "port must be a whole number from 1 to 65535, not '543x'."],
    ['password', 5, 'password must be a string or a function.'],
    ['ssl', 'require', "ssl must be an object, not 'require'."],
    ['extra', { connectionString: URL }, 'extra may not have a "connectionString"; use "url"'],
    ['url', 'postgres://a,b/d', 'url names several hosts'],
  ])('what connection can not have: %s', (name, value, expected) => {
    const found = problems({ tenant: 'acme', connection: { [name]: value } });
    expect(found).toEqual([expect.stringContaining(`Tenant "acme", connection: ${expected}`)]);
    expect(found[0]).not.toContain('s3cret');
    expect(resolveSharedOptions({ connection: { [name]: value } })).toMatchObject({
      problems: [expect.stringContaining(`CloacinaModule.forRoot(), connection: ${expected}`)],
    });
  });

  it('nothing of what asks for nothing', () => {
    const connection = {
      type: 'postgres',
      synchronize: false,
      dropSchema: false,
      migrationsRun: false,
      migrationsTransactionMode: 'all',
      autoLoadEntities: false,
      installExtensions: false,
      cache: false,
      entities: [],
      migrations: [],
      entityPrefix: '',
      replication: undefined,
      name: 'default',
      port: '5432',
      password: () => 'token',
      ssl: false,
    };
    expect(problems({ connection })).toEqual([]);
  });

  it.each([
    ['no URL at all', {}, {}],
    ['an empty one', {}, { DATABASE_URL: '' }],
  ])('%s', (_what, options, environment) => {
    expect(problems(options, environment)).toEqual([
      'Tenant "public": there is no databaseUrl; set it here, in CloacinaModule.forRoot(), or as DATABASE_URL in the environment.',
    ]);
  });

  it.each([
    'mysql://app:s3cret@h/db',
    'postgres://app:s3cret#1/x@h:99999/db',
    'postgres://app:s3cret%zz@h/db',
    's3cret',
    5,
  ])('a bad URL, without showing it: %#', (databaseUrl) => {
    for (const found of [
      problems({ databaseUrl }),
      problems({ controlUrl: databaseUrl }),
      problems({ connection: { url: databaseUrl } }),
      problems({}, { DATABASE_URL: String(databaseUrl) }),
    ]) {
      expect(found).toHaveLength(1);
      expect(found[0]).not.toContain('s3cret');
    }
  });

  it.each([undefined, null, 'tenant_acme', ['a']])('options that are none: %p', (options) => {
    expect(problems(options)).toEqual([
      expect.stringMatching(/^Tenant "public": the options must be an object, not /),
    ]);
  });
});

describe('resolveSharedOptions', () => {
  it('fills in the defaults of the process and keeps what was given for tenants', () => {
    expect(resolveSharedOptions({})).toEqual({
      ok: true,
      options: {
        maxConcurrentTasks: 100,
        poolSize: 10,
        logFailures: true,
        taskInterceptors: [],
        given: {},
      },
    });
    const given = {
      maxConcurrentTasks: 0,
      poolSize: 4,
      logFailures: false,
      tenants: { discover: false },
      databaseUrl: URL,
    };
    expect(resolveSharedOptions(given)).toEqual({
      ok: true,
      options: {
        maxConcurrentTasks: 0,
        poolSize: 4,
        logFailures: false,
        taskInterceptors: [],
        given,
      },
    });
  });

  it('takes a function for discover, and every tenant with true', async () => {
    const discover = (schema: string) => (schema === 'a' ? { maxConcurrentTasks: 1 } : undefined);
    const given = { tenants: { discover } };
    expect(resolveSharedOptions(given)).toMatchObject({ ok: true, options: { discover } });
    const all = resolveSharedOptions({ tenants: { discover: true } });
    expect(all.ok && (await all.options.discover?.('a', 'a'))).toEqual({});
  });

  it('reports all problems', () => {
    expect(
      resolveSharedOptions({ schema: 'x', tenants: { discovery: true }, poolSize: 0 } as never),
    ).toEqual({
      ok: false,
      problems: [
        'CloacinaModule.forRoot(): schema is an option of a tenant. Import CloacinaModule.forTenant() with it, in addition to forRoot() or alone.',
        'CloacinaModule.forRoot(): poolSize must be a whole number of at least 3, not 0.',
      ],
    });
    expect(resolveSharedOptions({ tenants: { discover: 'yes' as never } })).toEqual({
      ok: false,
      problems: [
        "CloacinaModule.forRoot(), tenants: discover must be true, false or a function, not 'yes'.",
      ],
    });
    expect(resolveSharedOptions({ tenants: { discovery: true } } as never)).toEqual({
      ok: false,
      problems: [
        'CloacinaModule.forRoot(), tenants: there is no option "discovery". Did you mean "discover"?',
      ],
    });
  });
});
