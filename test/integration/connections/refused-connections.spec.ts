import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import type { CloacinaSharedOptions } from '../../../lib/cloacina.options.js';
import { DatabaseConnectionError } from '../../../lib/errors/index.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';

const PASSWORD = 's3cret-of-the-login';
let url = '';
let role = '';
/** A login whose password is asked for. That of the tests' server is not. */
let asked = '';
beforeAll(async () => {
  url = await scratchDatabase();
  const database = new URL(url).pathname.slice(1);
  role = `locked_out_${database}`;
  asked = `asked_${database}`;
  await rowsOf(
    url,
    `CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'; CREATE ROLE ${asked} LOGIN PASSWORD 'another';
     REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`,
  );
});
afterEach(() => void jest.restoreAllMocks());
const open: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(open.map((app) => app.close())));

interface Refused {
  readonly source: () => CloacinaSharedOptions;
  /** The server's or the driver's reason, and what to do. */
  readonly says: RegExp;
}

function changed(change: (target: URL) => void): () => CloacinaSharedOptions {
  return () => {
    const target = new URL(url);
    change(target);
    return { databaseUrl: target.href };
  };
}

const REFUSED: Readonly<Record<string, Refused>> = {
  'a wrong password': {
    source: changed((target) => {
      target.username = asked;
      target.password = PASSWORD;
    }),
    says: /: password authentication failed for user "[^"]*"\. Check the user and the password /,
  },
  'a login that does not exist': {
    source: changed((target) => (target.username = 'no_such_login')),
    says: /: password authentication failed for user "no_such_login"\. Check the user and the password /,
  },
  'no password': {
    source: changed((target) => {
      target.username = asked;
      target.password = '';
    }),
    says: /: SASL: .*password must be a .*string\. Check the user and the password /,
  },
  'a missing database': {
    source: changed((target) => (target.pathname = '/no_such_database')),
    says: /^.*"no_such_database" at .*: database "no_such_database" does not exist\. Create it with CREATE DATABASE "no_such_database", or /,
  },
  'a login that may not connect': {
    source: changed((target) => {
      target.username = role;
      target.password = PASSWORD;
    }),
    says: /: permission denied for database "[^"]*"\. Allow it with GRANT CONNECT ON DATABASE /,
  },
  'a server without TLS': {
    source: changed((target) => target.searchParams.set('sslmode', 'require')),
    says: /: The server does not support SSL connections\. Check sslmode /,
  },
};

/** What all of them say, and what none does. */
function expectRefusal(error: unknown, { source, says }: Refused, tenant?: string): void {
  expect(error).toBeInstanceOf(DatabaseConnectionError);
  const target = new URL(source().databaseUrl ?? '');
  const [host, port, database] = [target.hostname, Number(target.port), target.pathname.slice(1)];
  expect(error).toMatchObject({ code: 'DATABASE_CONNECTION', tenant, host, port, database });
  const { message } = error as Error;
  const subject = tenant === undefined ? 'Cannot' : `Tenant "${tenant}": cannot`;
  expect(message).toMatch(says);
  expect(message.startsWith(`${subject} connect to database "${database}" at ${host}:${port}: `)).toBe(true); // prettier-ignore
  expect(message).not.toContain('postgres://');
  for (const secret of [PASSWORD, decodeURIComponent(new URL(url).password)]) {
    if (secret !== '') expect(message).not.toContain(secret);
  }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function boot(imports: Parameters<typeof Test.createTestingModule>[0]['imports']) {
  const app = await Test.createTestingModule({ imports: imports ?? [] }).compile();
  open.push(app);
  return app.init();
}

describe.each(Object.entries(REFUSED))('With %s', (_what, refused) => {
  it('the boot of a tenant says where it could not connect', async () => {
    const tenant = CloacinaModule.forTenant({ tenant: 'acme', ...refused.source() });
    expectRefusal(await failureOf(boot([tenant])), refused, 'acme');
  });

  it('so does the boot with the URL of forRoot, discovery, the admin, add and its migrator', async () => {
    const root = CloacinaModule.forRoot(refused.source());
    const tenant = CloacinaModule.forTenant({ schema: 'tenant_acme' });
    expectRefusal(await failureOf(boot([root, tenant])), refused, 'tenant_acme');
    const tenants = { discover: true };
    const discovering = CloacinaModule.forRoot({ ...refused.source(), tenants });
    expectRefusal(await failureOf(boot([discovering])), refused);
    const app = await boot([root]);
    expectRefusal(await failureOf(app.get(CloacinaAdmin).listTenants()), refused);
    const added = app.get(CloacinaTenants).add({ tenant: 'added' });
    expectRefusal(await failureOf(added), refused, 'added');
  });
});

describe('A login that the driver refuses by itself', () => {
  it('leaves no connection open that the server would wait for', async () => {
    const proxy = await TcpProxy.start();
    const target = new URL(proxy.url);
    target.username = asked;
    target.password = '';
    const failed = failureOf(boot([CloacinaModule.forTenant({ databaseUrl: target.href })]));
    expect((await failed) as Error).toMatchObject({ code: 'DATABASE_CONNECTION' });
    await waitFor(() => proxy.connections === 0, {
      what: 'the last connection',
      // The server gives up after a minute.
      deadline: 30_000,
    });
  });
});

describe("A migration's statement that names another database", () => {
  it('is told as the failure of the migration', async () => {
    class AltersMissingDatabase1700000000000 implements MigrationInterface {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query('ALTER DATABASE no_such_database RESET ALL');
      }
      async down(): Promise<void> {}
    }
    const tenant = CloacinaModule.forTenant({
      databaseUrl: url,
      schema: 'tenant_migrated',
      migrations: [AltersMissingDatabase1700000000000],
    });
    const error = await failureOf(boot([tenant]));
    expect(error).toMatchObject({ code: 'MIGRATION', cause: { code: '3D000' } });
  });
});

describe('A control connection that is refused', () => {
  it('is told by its own place', async () => {
    const controlUrl = new URL(url);
    controlUrl.pathname = '/no_such_database';
    const tenant = CloacinaModule.forTenant({
      tenant: 'acme',
      databaseUrl: url,
      controlUrl: controlUrl.href,
    });
    const refused = { source: () => ({ databaseUrl: controlUrl.href }), says: /does not exist/ };
    expectRefusal(await failureOf(boot([tenant])), refused, 'acme');
  });
});

describe('A database that cannot be reached', () => {
  it.each([
    ['a port that nothing listens on', '127.0.0.1', 1, 'connect ECONNREFUSED'],
    ['a host name that cannot be resolved', 'db.invalid', 5432, 'getaddrinfo'],
  ])('by %s is told in the warning, and in the error', async (_what, host, port, reason) => {
    const warned: string[] = [];
    jest
      .spyOn(Logger.prototype, 'warn')
      .mockImplementation((message: unknown) => void warned.push(String(message)));
    const databaseUrl = `postgres://app:${PASSWORD}@${host}:${port}/shop`;
    const app = await boot([CloacinaModule.forRoot({ databaseUrl })]);
    const place = `"shop" at ${host}:${port}`;
    const adding = app.get(CloacinaTenants).add({ tenant: 'acme', startTimeout: 1 });
    const error = await failureOf(adding);
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', tenant: 'acme' });
    expect((error as Error).message).toMatch(
      new RegExp(
        `^The database ${place} of tenant "acme" could not be reached for \\d+ ms: ${reason}`,
      ),
    );
    warned.length = 0;
    // Its wait ends with the application.
    const waiting = failureOf(app.get(CloacinaTenants).add({ tenant: 'acme', startTimeout: '1h' }));
    // Another warning may come between: the boot's one about shutdown hooks is late on a busy machine.
    const waits = () => warned.filter((line) => line.includes('waiting for the database'));
    await waitFor(() => waits().length > 0, { what: 'the warning' });
    expect(waits()).toEqual([
      expect.stringContaining(`Tenant "acme": waiting for the database ${place}: ${reason}`),
    ]);
    const listing = await failureOf(app.get(CloacinaAdmin).listTenants());
    expect((listing as Error).message).toMatch(`The database ${place} could not be reached`);
    await app.close();
    const shown = `${String(error)} ${String(await waiting)} ${String(listing)} ${warned.join()}`;
    expect(shown).not.toContain(PASSWORD);
  });
});
