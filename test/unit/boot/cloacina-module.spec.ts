import {
  Global,
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type InjectionToken,
  type ModuleMetadata,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  getDataSourceToken,
  getEntityManagerToken,
  getRepositoryToken,
  InjectDataSource,
  TypeOrmModule,
} from '@nestjs/typeorm';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';
import type { DataSource, EntityManager, Repository } from 'typeorm';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import {
  getMigratorToken,
  getRunnerToken,
  InjectMigrator,
  InjectRunner,
} from '../../../lib/cloacina.tokens.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { ConfigurationError } from '../../../lib/errors/index.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaMigrator } from '../../../lib/tenants/migrations/cloacina-migrator.js';
import { FakeHost } from './fake-host.js';

const databaseUrl = 'postgres://app:s3cret@host/db';

@Workflow({ name: 'order' })
class Order {
  @Task() charge() {}
}

interface Booted {
  app: TestingModule;
  host: FakeHost;
}

async function compile(
  metadata: ModuleMetadata,
  host = new FakeHost(),
  moduleIdGeneratorAlgorithm: 'reference' | 'deep-hash' = 'reference',
): Promise<Booted> {
  @Module(metadata)
  class AppModule {}
  const builder = Test.createTestingModule(
    { imports: [AppModule] },
    { moduleIdGeneratorAlgorithm },
  );
  const app = await builder.overrideProvider(TENANT_MANAGER).useValue(host).compile();
  return { app, host };
}

async function boot(metadata: ModuleMetadata, host = new FakeHost()): Promise<Booted> {
  const booted = await compile(metadata, host);
  await booted.app.init();
  return booted;
}

async function problemsOf(
  metadata: ModuleMetadata,
  algorithm?: 'deep-hash',
): Promise<{ problems: readonly string[]; host: FakeHost }> {
  const { app, host } = await compile(metadata, new FakeHost(), algorithm);
  const error: unknown = await app.init().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return { problems: [], host };
  expect(error).toBeInstanceOf(ConfigurationError);
  return { problems: (error as ConfigurationError).problems, host };
}

const acme = () => CloacinaModule.forTenant({ tenant: 'acme', schema: 'tenant_acme', databaseUrl });
const globex = () => CloacinaModule.forTenant({ schema: 'tenant_globex', databaseUrl });

describe('Module ids by deep-hash', () => {
  const asynchronous = (schema: string) =>
    CloacinaModule.forTenantAsync({ useFactory: () => ({ schema, databaseUrl }) });

  it('make no one tenant of two that look the same', async () => {
    const { problems, host } = await problemsOf(
      { imports: [asynchronous('tenant_a'), asynchronous('tenant_b')] },
      'deep-hash',
    );
    const nameless =
      'CloacinaModule.forTenantAsync(): there are 2 tenants, so it needs a `tenant` name beside its factory.';
    expect(problems).toEqual([nameless, nameless]);
    expect(host.opened).toEqual([]);
    expect((await problemsOf({ imports: [acme(), acme()] }, 'deep-hash')).problems).toEqual([
      expect.stringContaining('There are 2 tenants named "acme"'),
    ]);
  });

  it('leave one that is imported twice as one', async () => {
    const tenant = asynchronous('tenant_a');
    @Module({ imports: [tenant] })
    class Feature {}
    const { problems, host } = await problemsOf({ imports: [tenant, Feature] }, 'deep-hash');
    expect(problems).toEqual([]);
    expect(host.opened.map(({ schema }) => schema)).toEqual(['tenant_a']);
  });
});

describe('CloacinaModule without forRoot or forTenant', () => {
  it('ends the boot with what to import in its place', async () => {
    await expect(compile({ imports: [CloacinaModule], providers: [Order] })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      problems: [expect.stringMatching(/CloacinaModule\.forTenant\(.* CloacinaModule\.forRoot\(/)],
    });
  });

  it('adds nothing to a feature module of an application that has a tenant', async () => {
    @Module({ imports: [CloacinaModule] })
    class Feature {}
    const { problems, host } = await problemsOf({ imports: [acme(), Feature] });
    expect(problems).toEqual([]);
    expect(host.opened).toHaveLength(1);
    expect((await problemsOf({ imports: [CloacinaModule.forRoot(), Feature] })).problems).toEqual(
      [],
    );
  });
});

describe('CloacinaModule.forTenant', () => {
  it('provides a tenant to all modules, by its name', async () => {
    class Invoice {
      id = 0;
    }
    @Injectable()
    class Consumer {
      @InjectRunner('tenant_globex') readonly property!: unknown;
      constructor(
        @InjectRunner('acme') readonly runner: unknown,
        @InjectMigrator('acme') readonly migrator: unknown,
        @InjectDataSource('acme') readonly dataSource: unknown,
        @Inject(getEntityManagerToken('acme')) readonly manager: unknown,
        @Inject(getRepositoryToken(Invoice, 'billing')) readonly invoices: unknown,
      ) {}
    }
    @Module({ providers: [Consumer] })
    class Feature {}
    const billing = CloacinaModule.forTenant({
      tenant: 'billing',
      schema: 'billing',
      databaseUrl,
      entities: [Invoice],
    });
    const { app } = await boot({ imports: [acme(), globex(), billing, Feature] });
    expect(app.get(Consumer)).toEqual({
      property: { is: 'runner of tenant_globex' },
      runner: { is: 'runner of acme' },
      migrator: { is: 'migrator of acme' },
      dataSource: expect.objectContaining({ is: 'dataSource of acme' }),
      manager: { is: 'manager of acme' },
      invoices: { is: 'repository Invoice of billing' },
    });
    expect(getRunnerToken('acme')).toBe('CloacinaRunner:acme');
    expect(getMigratorToken('acme')).toBe('CloacinaMigrator:acme');
    expect([getRunnerToken(), getMigratorToken()]).toEqual([CloacinaRunner, CloacinaMigrator]);
  });

  it('provides the only tenant by class too, and a data source named default as the default one', async () => {
    const { app } = await boot({
      imports: [CloacinaModule.forTenant({ tenant: 'default', databaseUrl })],
    });
    expect(app.get(CloacinaRunner)).toEqual({ is: 'runner of default' });
    expect(app.get(CloacinaMigrator)).toEqual({ is: 'migrator of default' });
    expect(app.get(getDataSourceToken())).toMatchObject({ is: 'dataSource of default' });
  });

  it('hands the host resolved options', async () => {
    const { host } = await boot({
      imports: [
        CloacinaModule.forRoot({ databaseUrl, leaseDuration: '1m', maxConcurrentTasks: 7 }),
        CloacinaModule.forTenant({ schema: 'one', workflows: [Order] }),
        CloacinaModule.forTenant({ schema: 'two', maxConcurrentTasks: 3 }),
      ],
      providers: [Order],
    });
    expect(host.opened).toMatchObject([
      {
        tenant: 'one',
        databaseUrl,
        leaseDurationMs: 60_000,
        maxConcurrentTasks: 10,
        workflows: [Order],
      },
      { tenant: 'two', maxConcurrentTasks: 3 },
    ]);
  });

  it('is one tenant when one module object is imported twice', async () => {
    const shared = acme();
    @Module({ imports: [shared] })
    class Feature {}
    const { host } = await boot({ imports: [shared, Feature] });
    expect(host.calls).toEqual(['open acme', 'startClaiming']);
  });

  it('keeps two applications in one process apart', async () => {
    const [one, two] = await Promise.all([
      boot({ imports: [acme()] }),
      boot({ imports: [globex()] }),
    ]);
    expect(one.app.get(CloacinaRunner)).toEqual({ is: 'runner of acme' });
    expect(two.app.get(CloacinaRunner)).toEqual({ is: 'runner of tenant_globex' });
  });
});

describe('CloacinaModule, async', () => {
  @Injectable()
  class Config {
    readonly url = databaseUrl;
  }
  @Global()
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  it('takes factories, classes and existing providers', async () => {
    @Injectable()
    class Factory {
      constructor(@Inject(Config) readonly config: Config) {}
      createCloacinaOptions() {
        return { schema: 'by_class', databaseUrl: this.config.url };
      }
    }
    @Module({ providers: [Factory], exports: [Factory] })
    class FactoryModule {}
    const { host, app } = await boot({
      imports: [
        ConfigModule,
        CloacinaModule.forRootAsync({
          inject: [Config],
          useFactory: (config: Config) => Promise.resolve({ databaseUrl: config.url, poolSize: 5 }),
        }),
        CloacinaModule.forTenantAsync({
          tenant: 'a',
          useFactory: async () => ({ schema: 'by_factory' }),
        }),
        CloacinaModule.forTenantAsync({ tenant: 'b', useClass: Factory }),
      ],
    });
    expect(host.opened.map(({ tenant, schema, poolSize }) => [tenant, schema, poolSize])).toEqual(
      expect.arrayContaining([
        ['a', 'by_factory', 5],
        ['b', 'by_class', 5],
      ]),
    );
    expect(app.get(getRunnerToken('b'))).toEqual({ is: 'runner of b' });
    const existing = CloacinaModule.forTenantAsync({
      imports: [FactoryModule],
      useExisting: Factory,
    });
    const single = await boot({ imports: [ConfigModule, existing] });
    expect(single.app.get(CloacinaRunner)).toEqual({ is: 'runner of by_class' });
  });

  it("makes one tenant's options from another's data source", async () => {
    const fromData = CloacinaModule.forTenantAsync({
      tenant: 'second',
      inject: [getDataSourceToken('acme')],
      useFactory: (dataSource: { is: string }) => ({
        schema: dataSource.is.replaceAll(' ', '_'),
        databaseUrl,
      }),
    });
    const { host } = await boot({ imports: [fromData, acme()] });
    expect(host.opened.map(({ schema }) => schema)).toEqual(['tenant_acme', 'dataSource_of_acme']);
  });

  it('reports what fails or is wrong in all of them together', async () => {
    class NoFactory {
      readonly schema = 's';
    }
    const imports: DynamicModule[] = [
      CloacinaModule.forRootAsync({ useFactory: () => ({ databaseUrl, poolSize: 1 }) }),
      CloacinaModule.forTenantAsync({
        tenant: 'a',
        useFactory: () => Promise.reject(new Error('no postgres://u:s3cret@h/ in the vault')),
      }),
      CloacinaModule.forTenantAsync({
        tenant: 'b',
        useFactory: () => ({ tenant: 'z', schema: '1' }),
      }),
      CloacinaModule.forTenantAsync({ tenant: 'c', useClass: NoFactory }),
      CloacinaModule.forTenantAsync({ tenant: 'd' }),
      CloacinaModule.forTenantAsync({
        tenant: 'e',
        useFactory: () => ({}),
        useClass: NoFactory,
        inject: [],
      }),
      CloacinaModule.forTenantAsync({ useFactory: () => ({}) }),
      CloacinaModule.forTenantAsync({ tenant: 'f', useFactry: 1 } as never),
    ];
    const { problems, host } = await problemsOf({ imports });
    expect([...problems].sort()).toEqual(
      [
        'CloacinaModule.forRoot(): poolSize must be a whole number of at least 3, not 1.',
        'CloacinaModule.forTenantAsync(): there are 7 tenants, so it needs a `tenant` name beside its factory.',
        'Tenant "a": its options factory failed: no postgres://***@h/ in the vault',
        'Tenant "b": its factory names it "z". Remove the name from the factory\'s options.',
        `Tenant "b": schema '1' starts with a digit; use letters, digits and underscores.`,
        'Tenant "c": its options factory failed: NoFactory has no method createCloacinaOptions(); it must implement CloacinaOptionsFactory',
        'Tenant "d": give it one of useFactory, useClass, useExisting; it has none.',
        'Tenant "e": give it one of useFactory, useClass, useExisting; it has useFactory and useClass.',
        'Tenant "f": there is no option "useFactry". Did you mean "useFactory"?',
      ].map((problem) => expect.stringContaining(problem)),
    );
    expect(host.calls).toEqual(['close']);
  });
});

describe('a boot with mistakes', () => {
  it('reports all of them at once, before any database is touched', async () => {
    @Workflow({ name: 'bad' })
    class Bad {
      @Task({ dependsOn: ['b'] as never }) a() {}
    }
    @Injectable()
    class Consumer {
      @Inject(CloacinaMigrator) readonly migrator!: unknown;
      constructor(@Inject(CloacinaRunner) readonly runner: unknown) {}
    }
    const factory = {
      provide: 'F',
      useFactory: () => 1,
      inject: [{ token: CloacinaRunner, optional: true }],
    };
    @Module({ providers: [{ provide: getDataSourceToken('acme'), useValue: {} }] })
    class OwnTypeOrm {}
    const tenants = '5 tenants: "Acme", "acme", "tenant_globex", "x y"';
    const { problems, host } = await problemsOf({
      imports: [
        CloacinaModule.forRoot({ databaseURL: 'x' } as never),
        CloacinaModule.forRoot(),
        OwnTypeOrm,
        acme(),
        acme(),
        globex(),
        CloacinaModule.forTenant({ tenant: 'Acme', schema: 'tenant_acme', databaseUrl }),
        CloacinaModule.forTenant({ schema: 'x y', databaseUrl: 's3cret', workflows: ['nothing'] }),
      ],
      providers: [Bad, Consumer, factory],
    });
    expect(problems).toEqual([
      'CloacinaModule.forRoot() was imported 2 times. Import it once, in the root module.',
      'CloacinaModule.forRoot(): there is no option "databaseURL". Did you mean "databaseUrl"?',
      `Tenant "x y": schema 'x y' has characters other than letters, digits and underscores; use letters, digits and underscores.`,
      'Tenant "x y": databaseUrl must begin with postgres:// or postgresql://, or with socket: for a Unix socket.',
      `Consumer (in AppModule) injects CloacinaRunner, but there are ${tenants}. Name the tenant, with @InjectRunner(tenant).`,
      `Consumer (in AppModule) injects CloacinaMigrator, but there are ${tenants}. Name the tenant, with @InjectMigrator(tenant).`,
      `F (in AppModule) injects CloacinaRunner, but there are ${tenants}. Name the tenant, with @InjectRunner(tenant).`,
      'Tenant "acme": OwnTypeOrm provides a data source of that name already. Give the tenant another `tenant` name.',
      expect.stringMatching(/^There are 2 tenants named "acme"\. /),
      'The tenants "acme" and "Acme" differ only in case. Rename one of them.',
      'The tenants "acme" and "Acme" are on one schema, "tenant_acme", of one database. Give each its own.',
      'Workflow "bad": task "a" depends on "b", which is not a task of this workflow. Did you mean "a"?',
    ]);
    expect(host.calls).toEqual(['close']);
  });

  it('reports that there is no database to discover tenants in', async () => {
    const environment = process.env['DATABASE_URL'];
    delete process.env['DATABASE_URL'];
    try {
      const root = CloacinaModule.forRoot({ tenants: { discover: true } });
      const { problems } = await problemsOf({ imports: [root] });
      expect(problems).toEqual([
        expect.stringMatching(
          /^CloacinaModule\.forRoot\(\), tenants\.discover: there is no databaseUrl/,
        ),
      ]);
    } finally {
      if (environment !== undefined) process.env['DATABASE_URL'] = environment;
    }
  });

  it('reports a workflow that no module provides', async () => {
    class NoWorkflow {
      charge() {}
    }
    const tenant = CloacinaModule.forTenant({
      databaseUrl,
      workflows: ['ordr', Order, NoWorkflow],
    });
    const { problems } = await problemsOf({ imports: [tenant], providers: [Order] });
    expect(problems).toEqual([
      'Tenant "public": workflows has "ordr", which no module provides. Did you mean "order"?',
      'Tenant "public": workflows has the class NoWorkflow, which has no @Workflow({ name }).',
    ]);
  });

  it('reports a workflow of forRoot that no module provides once, not for every tenant', async () => {
    const root = CloacinaModule.forRoot({ workflows: ['ordr'] });
    const { problems } = await problemsOf({
      imports: [root, acme(), globex()],
      providers: [Order],
    });
    expect(problems).toEqual([
      'CloacinaModule.forRoot(): workflows has "ordr", which no module provides. Did you mean "order"?',
    ]);
  });

  it('says what is wrong with the configuration when a tenant is used before its end', async () => {
    class Invoice {
      id = 0;
    }
    const imports = [CloacinaModule.forTenant({ schema: '1', databaseUrl, entities: [Invoice] })];
    const { app } = await compile({ imports });
    const using = async (token: InjectionToken, use: (part: never) => unknown): Promise<void> => {
      const error = "schema '1' starts with a digit";
      expect(() => use(app.get<never>(token))).toThrow(error);
      const useFactory = (part: never): unknown => use(part);
      const early = { provide: 'X', useFactory, inject: [token] };
      await expect(compile({ imports, providers: [early] })).rejects.toThrow(error);
    };
    await using(CloacinaRunner, (runner: CloacinaRunner) => runner.list());
    await using(getMigratorToken('1'), (migrator: CloacinaMigrator) => migrator.ensure());
    await using(getDataSourceToken('1'), (source: DataSource) => source.query('SELECT 1'));
    await using(getEntityManagerToken('1'), (manager: EntityManager) => manager.find(Invoice));
    await using(getRepositoryToken(Invoice, '1'), (r: Repository<Invoice>) => r.find());
  });

  it('reports all of it although providers ask for repositories and read what they are given', async () => {
    class Invoice {
      id = 0;
    }
    @Injectable()
    class Consumer {
      readonly read: unknown[];
      constructor(
        @InjectDataSource('1') source: DataSource,
        @Inject(CloacinaRunner) runner: CloacinaRunner,
      ) {
        const { manager } = source.getRepository(Invoice);
        this.read = [runner.tenant, manager.getRepository(Invoice).target];
      }
    }
    const { problems } = await problemsOf({
      imports: [
        CloacinaModule.forTenant({ schema: '1', databaseUrl, workflows: ['nothing'] }),
        TypeOrmModule.forFeature([Invoice], '1'),
      ],
      providers: [Consumer, { provide: 'F', useFactory: () => defineWorkflow('empty').build() }],
    });
    expect(problems).toEqual([
      expect.stringContaining("schema '1' starts with a digit"),
      expect.stringContaining('Workflow "empty"'),
    ]);
  });

  it('says that there are several tenants when the class is asked for by other means', async () => {
    const { app } = await boot({ imports: [acme(), globex()] });
    const message = 'there are 2 tenants: "acme", "tenant_globex"';
    const runner = app.get(CloacinaRunner);
    expect(() => runner.start(Order)).toThrow(message);
    await expect(firstValueFrom(runner.events$)).rejects.toThrow(message);
    expect(() => app.get(CloacinaMigrator).ensure()).toThrow(message);
  });

  it('closes what is open when a tenant cannot be opened', async () => {
    const host = new FakeHost();
    host.refuse = 'tenant_globex';
    await expect(compile({ imports: [acme(), globex()] }, host)).rejects.toThrow('refused');
    expect(host.calls.at(-1)).toBe('close');
  });
});
