import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CLOCKS } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import type { CloacinaSharedOptions } from '../../../lib/cloacina.options.js';
import type { PlaceTenant } from '../../../lib/cloacina.callbacks.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { DuplicateSchemaError } from '../../../lib/errors/index.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { SYSTEM_CLOCKS, type Clocks } from '../../../lib/store/postgres/clocks.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { CloacinaHealth } from '../../../lib/tenants/health/cloacina-health.js';
import type { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { FaultyServer } from '../../faults/server/faulty-server.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { SecondServer } from '../../support/second-server.js';
import { waitFor } from '../../support/wait-for.js';
import { start, type Application } from '../tenants/application.js';

const whereAmI = defineWorkflow('where-am-i')
  .task('ask', { transactional: true }, async ({ manager, tenant }) => {
    const [row] = await manager.query<{ port: number }[]>(
      `SELECT current_setting('port')::integer AS port`,
    );
    return { port: row?.port, tenant };
  })
  .build();
const providers = [{ provide: whereAmI.name, useValue: whereAmI }];

/** Two servers of the suite, which stay up, and one that the tests take down. */
let home = '';
let eu: SecondServer;
let us: FaultyServer;
beforeAll(async () => {
  [home, eu, us] = await Promise.all([
    scratchDatabase(),
    SecondServer.connect(),
    FaultyServer.start(),
  ]);
}, 120_000);
afterAll(() => Promise.all([eu.close(), us.close()]));

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

function shared(more: CloacinaSharedOptions = {}): CloacinaSharedOptions {
  return {
    databaseUrl: undefined,
    servers: {
      home: { databaseUrl: home },
      eu: { databaseUrl: eu.url },
      us: { databaseUrl: us.url },
    },
    startTimeout: '500ms',
    ...more,
  };
}

/** Serves a schema on each of the servers. */
function onEach(
  schemas: Readonly<Record<string, string>>,
  more?: CloacinaSharedOptions,
): Promise<Application> {
  const imports = Object.entries(schemas).map(([server, schema]) =>
    CloacinaModule.forTenant({ schema, server }),
  );
  return start(providers, { shared: shared(more), imports });
}

async function works(tenants: CloacinaTenants, tenant: string): Promise<unknown> {
  const { runner } = tenants.get(tenant);
  const { status, context } = await runner.execute(whereAmI, {}, { timeout: '60s' });
  expect({ tenant, status }).toEqual({ tenant, status: 'Completed' });
  return context['port'];
}

/** A start that was sent on a breaking connection may wait longer; a later one fails in `startTimeout`. */
async function isAway(tenants: CloacinaTenants, tenant: string): Promise<void> {
  await waitFor(
    async () => {
      const error: unknown = await tenants
        .get(tenant)
        .runner.start(whereAmI)
        .catch((failure: unknown) => failure);
      return Reflect.get(Object(error), 'code') === 'DATABASE_UNAVAILABLE';
    },
    { what: 'DATABASE_UNAVAILABLE' },
  );
}

const newSchemas = (): Record<'home' | 'eu' | 'us', string> => ({
  home: freshSchema('home'),
  eu: freshSchema('eu'),
  us: freshSchema('us'),
});

describe('several servers', () => {
  it('work side by side, and one that is killed harms no tenant of the others', async () => {
    const schemas = newSchemas();
    const { app, tenants } = await onEach(schemas);
    const ports = await Promise.all(Object.values(schemas).map((tenant) => works(tenants, tenant)));
    expect(new Set(ports).size).toBe(3);
    expect(
      tenants
        .list()
        .map(({ server }) => server)
        .toSorted(),
    ).toEqual(['eu', 'home', 'us']);

    await us.kill();
    await us.refuse();
    await isAway(tenants, schemas.us);
    for (let n = 0; n < 10; n++) {
      await Promise.all([works(tenants, schemas.home), works(tenants, schemas.eu)]);
    }
    const report = await app.get(CloacinaHealth).check();
    expect(report).toMatchObject({ status: 'degraded', isReady: true, isLive: true });
    const answers = Object.fromEntries(report.databases.map(({ server, isUp }) => [server, isUp]));
    expect(answers).toEqual({ home: true, eu: true, us: false });
    expect(report.reasons.join()).toContain('of server "us" does not answer');

    await us.startAgain();
    await us.listen();
    await waitFor(() => works(tenants, schemas.us).then(() => true));
  }, 300_000);

  it('boot without one that is down, and serve its tenants when it is back', async () => {
    const schemas = newSchemas();
    const known = freshSchema('known');
    const before = await start(providers, { shared: shared() });
    await before.tenants.add({ schema: known, server: 'us' });
    for (const name of ['home', 'eu'] as const)
      await before.tenants.add({ schema: schemas[name], server: name });
    await before.app.close();

    await us.refuse();
    const { app, tenants } = await onEach(schemas, { tenants: { discover: true } });
    await Promise.all([works(tenants, schemas.home), works(tenants, schemas.eu)]);
    await isAway(tenants, schemas.us);
    expect(tenants.has(known)).toBe(false);
    const about = logged.filter((line) => line.includes('could not be reached. The application'));
    expect(about).toEqual([expect.stringContaining('of server "us"')]);
    const { tenants: health, status } = await app.get(CloacinaHealth).check();
    expect({ status, troubled: health.troubled }).toMatchObject({
      status: 'degraded',
      troubled: [{ tenant: schemas.us, trouble: 'serverAway' }],
    });

    await us.listen();
    // By the application, whose calls wait for the schema, which this boot has to make.
    await waitFor(() => works(tenants, schemas.us).then(() => true));
    await waitFor(() => tenants.has(known), { what: 'the discovered tenant' });
    await works(tenants, known);
    expect((await app.get(CloacinaHealth).check()).tenants.troubled).toEqual([]);
  }, 300_000);

  it.each<CloacinaSharedOptions>([
    { requireAll: true },
    // Its data source would have the rights of the login until the role is known.
    { isolation: 'role' },
  ])(
    'fail the boot if one that is down is needed: %j',
    async (more) => {
      await us.refuse();
      try {
        const imports = [CloacinaModule.forTenant({ schema: freshSchema('needed'), server: 'us' })];
        // A minute passes in a second.
        const process = Object.assign(Object.create(systemClock) as typeof systemClock, {
          now: () => systemClock.now() * 60,
        });
        const clocks: Clocks = { ...SYSTEM_CLOCKS, process };
        const booting = Test.createTestingModule({
          imports: [CloacinaModule.forRoot(shared(more)), ...imports],
        })
          .overrideProvider(CLOCKS)
          .useValue(clocks)
          .compile();
        await expect(booting).rejects.toMatchObject({
          code: 'DATABASE_UNAVAILABLE',
          message: expect.stringContaining('of server "us"'),
        });
      } finally {
        await us.listen();
      }
    },
    120_000,
  );

  it('have each schema once: another tenant on a second server is refused, and names both', async () => {
    const schemas = newSchemas();
    const { tenants } = await onEach(schemas);
    await expect(
      tenants.add({ tenant: 'again', schema: schemas.eu, server: 'us' }),
    ).rejects.toEqual(new DuplicateSchemaError(schemas.eu, ['eu', 'us']));
    await works(tenants, schemas.eu);
    await expect(onEach({ eu: schemas.home, us: schemas.home })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/on the servers "eu" and "us"/),
    });
  });

  it('are all searched for tenants, and neither of two tenants on one schema is served', async () => {
    const schemas = newSchemas();
    const twice = freshSchema('twice');
    const placed = { ...schemas };
    for (const [server, schema] of Object.entries(placed)) {
      // Processes that know one server: with all of them, the second one would serve the tenant of the first.
      const url = { home, eu: eu.url, us: us.url }[server];
      const maker = await start(providers, { shared: { databaseUrl: url } });
      await maker.tenants.add({ schema });
      if (server !== 'home') await maker.tenants.add({ schema: twice });
      await maker.app.close();
    }
    const seen: unknown[] = [];
    const { tenants } = await start(providers, {
      shared: shared({
        tenants: {
          discover: (schema, _tenant, server) => {
            if (Object.values(placed).includes(schema)) seen.push([server, schema]);
            return Object.values(placed).includes(schema) || schema === twice ? {} : undefined;
          },
        },
      }),
    });
    expect(new Set(seen)).toEqual(new Set(Object.entries(placed)));
    for (const schema of Object.values(placed)) await works(tenants, schema);
    expect(tenants.has(twice)).toBe(false);
    const about = logged.filter((line) => line.includes(`"${twice}"`));
    expect(about).toContainEqual(
      expect.stringMatching(/on the servers "(eu" and "us|us" and "eu)"/),
    );
  });
});

describe('an admin of several servers', () => {
  const admin = (placeTenant?: PlaceTenant): CloacinaAdmin =>
    new CloacinaAdmin({
      servers: { home: { databaseUrl: home }, us: { databaseUrl: us.url } },
      ...(placeTenant === undefined ? {} : { placeTenant }),
    });
  const newTenant = (): { schema: string; username: string } => {
    const schema = freshSchema('placed');
    return { schema, username: `login_${schema}` };
  };

  it('creates a tenant on the named server, and finds it there again', async () => {
    const names = newTenant();
    const made = await admin().createTenant({ ...names, server: 'us' });
    expect(made.server).toBe('us');
    expect(made.connectionString).toContain(`:${us.port}/`);
    expect(await admin().listTenants()).toContainEqual(
      expect.objectContaining({ schema: names.schema, server: 'us' }),
    );
    await expect(admin().createTenant(names)).rejects.toMatchObject({ code: 'TENANT_EXISTS' });
    await expect(admin().createTenant({ ...names, server: 'home' })).rejects.toEqual(
      new DuplicateSchemaError(names.schema, ['us', 'home']),
    );
    const { connectionString } = await admin().rotatePassword(names);
    // Its own URL leads to one of the servers, which need not be named.
    const { tenants } = await start(providers, { shared: shared() });
    const tenant = await tenants.add({ schema: names.schema, databaseUrl: connectionString });
    expect(tenant.server).toBe('us');
    await works(tenants, names.schema);
    await tenants.remove(names.schema);
    const { dropped } = await admin().removeTenant(names);
    expect(dropped).toContain(`schema "${names.schema}"`);
  });

  it('places a tenant on the server with the fewest, or where placeTenant says', async () => {
    const counts = (await admin().listServers()).map(({ tenants = 0 }) => tenants);
    const fewest = (counts[0] ?? 0) <= (counts[1] ?? 0) ? 'home' : 'us';
    const byDefault = newTenant();
    expect((await admin().createTenant(byDefault)).server).toBe(fewest);

    const seen: unknown[] = [];
    const chosen = newTenant();
    const place: PlaceTenant = (schema, loads) => {
      seen.push(schema, ...loads);
      return 'us';
    };
    expect((await admin(place).createTenant(chosen)).server).toBe('us');
    expect(seen).toEqual([
      chosen.schema,
      { server: 'home', tenants: expect.any(Number), bytes: expect.any(Number) },
      { server: 'us', tenants: expect.any(Number), bytes: expect.any(Number) },
    ]);
    await expect(admin(() => 'mars').createTenant(newTenant())).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('must return one of the servers'),
    });
    const noPlan: PlaceTenant = () => {
      throw new Error('no plan');
    };
    await expect(admin(noPlan).createTenant(newTenant())).rejects.toThrow(/^no plan$/);
    await expect(admin().createTenant({ ...newTenant(), server: 'mars' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'server',
    });
    for (const names of [byDefault, chosen]) await admin().removeTenant(names);
  });

  it('places one tenant once, however many calls there are', async () => {
    const names = newTenant();
    let turn = 0;
    // Each call would choose another server.
    const place: PlaceTenant = () => (turn++ % 2 === 0 ? 'home' : 'us');
    const made = await Promise.allSettled(
      Array.from({ length: 4 }, () =>
        admin(place).createTenant({ ...names, password: 'pass word' }),
      ),
    );
    const servers = made.map((one) => (one.status === 'fulfilled' ? one.value.server : one.reason));
    expect(servers).toEqual(['home', 'home', 'home', 'home']);
    await admin().removeTenant(names);
  });

  it('says which server is away, and creates no tenant that it may have already', async () => {
    await us.refuse();
    try {
      expect(await admin().listServers()).toMatchObject([
        { server: 'home', isUp: true, version: expect.any(String) },
        { server: 'us', isUp: false, error: expect.any(String) },
      ]);
      await expect(admin().createTenant(newTenant())).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        message: expect.stringContaining('of server "us"'),
      });
      const names = { ...newTenant(), password: 'pass word', server: 'home' };
      await expect(admin().createTenant(names)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        message: expect.stringContaining('of server "us"'),
      });
      expect(await admin().createTenant({ ...names, othersMayBeAway: true })).toMatchObject({
        server: 'home',
      });
      // It is there: nothing is made.
      expect(await admin().createTenant(names)).toMatchObject({ server: 'home' });
      await admin().removeTenant({ schema: names.schema, server: 'home' });
    } finally {
      await us.listen();
    }
  });
});

describe('migrateAll over servers', () => {
  it('migrates what it can reach, and reports on each tenant in order', async () => {
    const schemas = newSchemas();
    const { tenants } = await onEach(schemas);
    await us.refuse();
    try {
      await isAway(tenants, schemas.us);
      const report = await tenants.migrateAll();
      // In the order in which they were opened.
      expect(report.map(({ tenant }) => tenant)).toEqual(tenants.list().map(({ name }) => name));
      const byServer = Object.fromEntries(report.map(({ server, ...rest }) => [server, rest]));
      expect(byServer).toMatchObject({
        home: { tenant: schemas.home, applied: [] },
        eu: { tenant: schemas.eu, applied: [] },
        us: { tenant: schemas.us, error: { code: 'DATABASE_UNAVAILABLE' } },
      });
    } finally {
      await us.listen();
    }
  }, 120_000);
});
