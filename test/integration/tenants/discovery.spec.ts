import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Entity, PrimaryColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import type { DiscoverTenant } from '../../../lib/cloacina.callbacks.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { Timer } from '../../../lib/runtime/clock.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import type {
  DiscoveryParts,
  TenantDiscovery,
} from '../../../lib/tenants/hosting/tenant-discovery.js';
import { endChildren } from '../../support/child-process.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';
import { start, type Application } from './application.js';
import { TenantProcess } from './processes.js';

const whoRan = defineWorkflow('who-ran')
  .task('only', ({ tenant }) => ({ tenant, pid: process.pid }))
  .build();
const workflows = [{ provide: whoRan.name, useValue: whoRan }];

@Entity('invoice')
class Invoice {
  @PrimaryColumn('text') id!: string;
}
class CreateInvoice1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query('CREATE TABLE invoice (id text PRIMARY KEY)');
  }
  async down() {}
}

/** Of this file alone: every schema of the database is looked at. */
let url = '';
let schemas = 0;
beforeAll(async () => {
  url = await scratchDatabase();
});
// Otherwise each test's applications would open the tenants of all tests before it.
afterEach(async () => {
  await endChildren();
  const left = await rowsOf<{ drop: string }>(
    url,
    `SELECT format('DROP SCHEMA %I CASCADE', nspname) AS drop FROM pg_namespace WHERE nspname LIKE 'tenant\\_%'`,
  );
  for (const { drop } of left) await rowsOf(url, drop);
});
/** Names that sort as they were made, and of which none is the beginning of another. */
const newSchema = (): string => `tenant_${String(++schemas).padStart(3, '0')}`;

const application = (discover: boolean, more: object = {}): Promise<Application> =>
  start(workflows, { shared: { databaseUrl: url, tenants: { discover }, ...more } });

function discoveryOf({ app }: Application): TenantDiscovery {
  const discoveries = Reflect.get(app.get<object>(TENANT_MANAGER), 'discoveries') as object;
  const [one] = Reflect.get(discoveries, 'all') as readonly {
    readonly discovery: TenantDiscovery;
  }[];
  if (one === undefined) throw new Error('The application discovers no tenants.');
  return one.discovery;
}

/** From now on it looks only when it is told to. */
function stopTimer(discovering: Application): void {
  (Reflect.get(discoveryOf(discovering), 'timer') as Timer).cancel();
}

/** However busy the machine is; the timer's look comes before. */
const served = (look: () => boolean): Promise<boolean> =>
  waitFor(look, { what: 'the discovered tenant' });

const sql = (text: string): Promise<object[]> => rowsOf(url, text);

/** What was logged as a warning or an error. */
const logged: string[] = [];
beforeEach(() => {
  logged.length = 0;
  for (const level of ['warn', 'error'] as const) {
    jest
      .spyOn(Logger.prototype, level)
      .mockImplementation((message: unknown) => void logged.push(String(message)));
  }
});

describe('Discovery', () => {
  it('is announced, by a process that adds a tenant, to one that serves it under its name', async () => {
    const [discovering, other] = await Promise.all([
      TenantProcess.start(url, { discover: true }),
      TenantProcess.start(url, { discover: false }),
    ]);
    // A client, which runs nothing itself.
    const { tenants } = await application(false, { maxConcurrentTasks: 0 });
    const { runner } = await tenants.add({ tenant: 'acme', schema: newSchema() });
    const result = await runner.execute(whoRan);
    expect(result.context).toEqual({ pid: discovering.child.pid });
    expect(await discovering.list()).toContainEqual({ name: 'acme', schema: runner.schema });
    expect(await other.list()).toEqual([]);
  });

  it('needs neither timer nor look for an announced tenant, and no announcement for a look', async () => {
    const [adding, discovering, deaf] = await Promise.all([
      application(false),
      application(true),
      application(true, { controlConnection: false }),
    ]);
    stopTimer(discovering);
    stopTimer(deaf);
    await adding.tenants.add({ tenant: 'announced', schema: newSchema() });
    await served(() => discovering.tenants.has('announced'));
    expect(deaf.tenants.has('announced')).toBe(false);
    await discoveryOf(deaf).lookOnce();
    expect(deaf.tenants.has('announced')).toBe(true);
  });

  it('opens what is there before other modules begin, but not what is closed to its login, nor public', async () => {
    const { tenants } = await application(false);
    const [open, named, closed] = [newSchema(), newSchema(), newSchema()];
    await Promise.all([
      tenants.add({ schema: open }),
      tenants.add({ tenant: 'named "1" \\', schema: named }),
      tenants.add({ schema: closed }),
      tenants.add({}),
    ]);
    const role = `reader_${schemas}`;
    await sql(`CREATE ROLE ${role} LOGIN PASSWORD 'pw';
      GRANT CREATE ON DATABASE ${new URL(url).pathname.slice(1)} TO ${role}`);
    for (const schema of [open, named]) {
      await sql(`GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
    }
    const login = new URL(url);
    login.username = role;
    login.password = 'pw';
    @Injectable()
    class Early implements OnModuleInit {
      found: string[] = [];
      constructor(private readonly all: CloacinaTenants) {}
      onModuleInit(): void {
        this.found = this.all.list().map(({ name }) => name);
      }
    }
    Reflect.defineMetadata('design:paramtypes', [CloacinaTenants], Early);
    const shared = { databaseUrl: login.href, tenants: { discover: true } };
    const { app, tenants: found } = await start([...workflows, Early], { shared });
    expect(app.get(Early).found.sort()).toEqual([open, 'named "1" \\'].sort());
    const result = await found.get(open).runner.execute(whoRan);
    expect(result.orThrow().context).toMatchObject({ tenant: open });
    await app.close();
    await sql(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });

  it('does not find again what the application removed, until it is added again', async () => {
    const [adding, discovering] = await Promise.all([application(false), application(true)]);
    stopTimer(discovering);
    const schema = newSchema();
    await adding.tenants.add({ schema });
    await served(() => discovering.tenants.has(schema));
    await discovering.tenants.remove(schema);
    await discoveryOf(discovering).lookOnce();
    expect(discovering.tenants.has(schema)).toBe(false);
    await discovering.tenants.add({ schema });
    expect(discovering.tenants.has(schema)).toBe(true);
    // One that was dropped and made again is another one.
    await discovering.tenants.remove(schema);
    await adding.tenants.remove(schema);
    await sql(`DROP SCHEMA ${schema} CASCADE`);
    await discoveryOf(discovering).lookOnce();
    await adding.tenants.add({ schema });
    await served(() => discovering.tenants.has(schema));
  });

  it('reports a schema that was dropped by hand once, and serves it no more', async () => {
    const [adding, discovering] = await Promise.all([application(false), application(true)]);
    const schema = newSchema();
    const kept = await adding.tenants.add({ tenant: 'dropped', schema });
    await served(() => discovering.tenants.has('dropped'));
    await kept.runner.execute(whoRan);
    await adding.tenants.remove('dropped');
    await sql(`DROP SCHEMA ${schema} CASCADE`);
    const discovery = discoveryOf(discovering);
    await discovery.lookOnce();
    await discovery.lookOnce();
    expect(discovering.tenants.has('dropped')).toBe(false);
    expect(logged.filter((line) => line.includes('was dropped'))).toHaveLength(1);
    // It is not made again behind the back of who dropped it, also if that was between the look and the opening.
    const { open } = Reflect.get(discovery, 'parts') as DiscoveryParts;
    await expect(open({ tenant: 'dropped', schema })).rejects.toThrow('no longer exists');
    expect(await sql(`SELECT FROM pg_namespace WHERE nspname = '${schema}'`)).toEqual([]);
  });

  it('reports a tenant that it cannot open once, and opens the others', async () => {
    const adding = await application(false);
    const [good, newer] = [newSchema(), newSchema()];
    await adding.tenants.add({ schema: good });
    await adding.tenants.add({ schema: newer });
    await sql(
      `INSERT INTO ${newer}.cloacina_migrations (timestamp, name) VALUES (9, 'OfAnotherVersion9999999999999')`,
    );
    const discovering = await application(true);
    expect(discovering.tenants.has(good)).toBe(true);
    const discovery = discoveryOf(discovering);
    const pauses = Reflect.get(discovery, 'pauses') as Map<string, object>;
    // As if the pause before the next try was over.
    pauses.set(newer, { retryAt: 0, pauseMs: 1, hasFailed: true });
    await discovery.lookOnce();
    expect(logged.filter((line) => line.includes(newer))).toEqual([
      expect.stringContaining('A newer version of nestjs-cloacina has migrated the schema'),
    ]);
    await sql(`DELETE FROM ${newer}.cloacina_migrations WHERE timestamp = 9`);
    pauses.set(newer, { retryAt: 0, pauseMs: 1, hasFailed: true });
    await discovery.lookOnce();
    expect(discovering.tenants.has(newer)).toBe(true);
  });

  it('gives way to what the application adds itself', async () => {
    const [adding, discovering] = await Promise.all([application(false), application(true)]);
    const schema = newSchema();
    await adding.tenants.add({ schema });
    await served(() => discovering.tenants.has(schema));
    const found = discovering.tenants.get(schema);
    expect(await discovering.tenants.add({ schema })).toBe(found);
    const other = newSchema();
    await adding.tenants.add({ schema: other });
    await served(() => discovering.tenants.has(other));
    const own = { tenant: 'mine', schema: other, maxConcurrentTasks: 3 };
    const added = await discovering.tenants.add(own);
    expect(discovering.tenants.has(other)).toBe(false);
    expect((await added.runner.execute(whoRan)).context).toMatchObject({ tenant: 'mine' });
    // Now it is the application's, and is not renamed by what is in the database.
    await sql(`COMMENT ON TABLE ${other}.cloacina_migrations IS 'tenant: theirs'`);
    await discoveryOf(discovering).lookOnce();
    expect(discovering.tenants.has('mine')).toBe(true);
  });

  it('gives way to names that the application uses otherwise, also crosswise', async () => {
    const [adding, discovering] = await Promise.all([application(false), application(true)]);
    const [one, two] = [newSchema(), newSchema()];
    await adding.tenants.add({ tenant: 'left', schema: one });
    await adding.tenants.add({ tenant: 'right', schema: two });
    await served(() => discovering.tenants.has('left') && discovering.tenants.has('right'));
    const added = await Promise.all([
      discovering.tenants.add({ tenant: 'left', schema: two }),
      discovering.tenants.add({ tenant: 'right', schema: one }),
    ]);
    expect(added.map(({ name, schema }) => [name, schema])).toEqual([
      ['left', two],
      ['right', one],
    ]);
  });

  it('follows a name that the tenant was given after it was found', async () => {
    const [adding, discovering] = await Promise.all([application(false), application(true)]);
    const schema = newSchema();
    await adding.tenants.add({ schema });
    await served(() => discovering.tenants.has(schema));
    await adding.tenants.remove(schema);
    await adding.tenants.add({ tenant: 'renamed', schema });
    await served(() => discovering.tenants.has('renamed'));
    expect(discovering.tenants.has(schema)).toBe(false);
  });
});

describe('Discovery by a function', () => {
  const billing = defineWorkflow<{ id: string }>('billing')
    .task('write', { transactional: true }, async (context) => {
      await context.manager.insert(Invoice, { id: context.require('id') });
      return { invoices: await context.manager.count(Invoice) };
    })
    .build();
  const providers = [{ provide: billing.name, useValue: billing }];
  const entities = { entities: [Invoice], migrations: [CreateInvoice1700000000000] };
  const discovering = (discover: DiscoverTenant, more: object = {}): Promise<Application> =>
    start(providers, { shared: { databaseUrl: url, tenants: { discover }, ...more } });

  it('serves those that it gives options, with their entities, and leaves the others alone', async () => {
    const { tenants: adding } = await application(false);
    const [wanted, declined] = [newSchema(), newSchema()];
    await adding.add({ tenant: 'wanted', schema: wanted });
    await adding.add({ schema: declined });
    const asked: [string, string][] = [];
    const { tenants } = await discovering(async (schema, tenant) => {
      asked.push([schema, tenant]);
      return Promise.resolve(schema === wanted ? entities : undefined);
    });
    expect(tenants.list().map(({ name }) => name)).toEqual(['wanted']);
    expect(asked.sort()).toEqual(
      [
        [declined, declined],
        [wanted, 'wanted'],
      ].sort(),
    );
    const { context } = await tenants.get('wanted').runner.execute(billing, { id: '17' });
    expect(context).toMatchObject({ invoices: 1 });
    expect(logged.filter((line) => line.includes(wanted) || line.includes(declined))).toEqual([]);
  });

  it('is asked again for a tenant that it declined, and not at every look', async () => {
    const { tenants: adding } = await application(false);
    const schema = newSchema();
    await adding.add({ schema });
    let isWanted = false;
    let asked = 0;
    const app = await discovering(() => (asked++, isWanted ? {} : undefined));
    stopTimer(app);
    isWanted = true;
    await discoveryOf(app).lookOnce();
    expect([asked, app.tenants.has(schema)]).toEqual([1, false]);
    const pauses = Reflect.get(discoveryOf(app), 'pauses') as Map<string, object>;
    // As if the pause was over.
    pauses.set(schema, { retryAt: 0, pauseMs: 1, hasFailed: false });
    await discoveryOf(app).lookOnce();
    expect([asked, app.tenants.has(schema)]).toEqual([2, true]);
  });

  it('forgets what it knew of a schema that is gone', async () => {
    const { tenants: adding } = await application(false);
    const schema = newSchema();
    await adding.add({ schema });
    const asked: string[] = [];
    const app = await discovering((found) => (asked.push(found), undefined));
    stopTimer(app);
    await adding.remove(schema);
    await sql(`DROP SCHEMA ${schema} CASCADE`);
    await discoveryOf(app).lookOnce();
    await adding.add({ schema });
    await discoveryOf(app).lookOnce();
    expect(asked).toEqual([schema, schema]);
  });

  it('costs only the tenant when it throws or returns what cannot be used, and says so once', async () => {
    const { tenants: adding } = await application(false);
    const [good, throwing, named, typo] = [newSchema(), newSchema(), newSchema(), newSchema()];
    for (const schema of [good, throwing, named, typo]) await adding.add({ schema });
    const app = await discovering((schema) => {
      if (schema === throwing) throw new Error('The plan is away: password=s3cret');
      if (schema === named) return { schema: 'other' } as never;
      return schema === typo ? ({ entitys: [] } as never) : {};
    });
    expect(app.tenants.list().map(({ name }) => name)).toEqual([good]);
    const failures = logged.filter((line) => line.includes('could not be opened')).sort();
    expect(failures).toEqual([
      expect.stringMatching(`^Tenant "${throwing}" .*The plan is away: password=\\*\\*\\*$`),
      expect.stringMatching(
        new RegExp(`^Tenant "${named}" [^]*tenants.discover\\("${named}"\\) may not return schema`),
      ),
      expect.stringMatching(
        new RegExp(`^Tenant "${typo}" [^]*no option "entitys". Did you mean "entities"`),
      ),
    ]);
  });

  it('needs no function where forRoot has the entities', async () => {
    const { tenants: adding } = await application(false);
    const [found, added] = [newSchema(), newSchema()];
    await adding.add({ schema: found });
    const { tenants } = await start(providers, {
      shared: { databaseUrl: url, tenants: { discover: true }, ...entities },
    });
    await tenants.add({ schema: added });
    for (const schema of [found, added]) {
      const { context } = await tenants.get(schema).runner.execute(billing, { id: '17' });
      expect(context).toMatchObject({ invoices: 1 });
    }
  });
});

describe('A schema that was dropped by hand, without discovery', () => {
  it('is reported once, costs nothing but what a tenant costs, and is no trouble to others', async () => {
    const [one, other] = [newSchema(), newSchema()];
    const { app, tenants } = await start(workflows, {
      shared: { databaseUrl: url },
      imports: [CloacinaModule.forTenant({ schema: other })],
    });
    const { runner } = await tenants.add({ schema: one });
    await runner.execute(whoRan);
    await sql(`DROP SCHEMA ${one} CASCADE`);
    const host = app.get<{ recoverOnce(): Promise<void> }>(TENANT_MANAGER);
    for (let i = 0; i < 3; i++) await host.recoverOnce();
    expect(tenants.has(one)).toBe(true);
    expect(logged.filter((line) => line.includes(one))).toHaveLength(1);
    expect((await tenants.get(other).runner.execute(whoRan)).status).toBe('Completed');
    await expect(runner.start(whoRan)).rejects.toThrow(/does not exist/);
    await tenants.remove(one);
  });
});

describe('Several processes', () => {
  it('add one tenant at once, twenty times each: one schema, one migration', async () => {
    const schema = newSchema();
    const processes = await Promise.all(
      [1, 2].map(() => TenantProcess.start(url, { discover: false })),
    );
    const add = { tenant: 'together', schema };
    const distinct = await Promise.all(processes.map((process) => process.ask({ add, times: 20 })));
    expect(distinct).toEqual([1, 1]);
    const migrations = await sql(`SELECT name FROM ${schema}.cloacina_migrations`);
    expect(new Set(migrations.map((row) => Reflect.get(row, 'name'))).size).toBe(migrations.length);
    expect(
      await sql(
        `SELECT count(*)::integer AS definitions FROM ${schema}.cloacina_workflow_definition`,
      ),
    ).toEqual([{ definitions: 1 }]);
    await processes[0]?.ask({ remove: 'together' });
    expect(await processes[0]?.list()).toEqual([]);
    expect(await processes[1]?.list()).toEqual([{ name: 'together', schema }]);
  });
});
