import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { SecondServer } from '../../support/second-server.js';
import { waitFor } from '../../support/wait-for.js';
import { start } from '../tenants/application.js';

const ask = defineWorkflow('ask')
  .task('ask', () => ({}))
  .build();
const providers = [{ provide: ask.name, useValue: ask }];

let home = '';
let us: SecondServer;
beforeAll(async () => {
  [home, us] = await Promise.all([scratchDatabase(), SecondServer.connect()]);
}, 120_000);
afterAll(() => us.close());

const logged: string[] = [];
beforeEach(() => {
  logged.length = 0;
  for (const level of ['warn', 'error'] as const) {
    jest
      .spyOn(Logger.prototype, level)
      .mockImplementation((message: unknown) => void logged.push(String(message)));
  }
});
const says = (schema: string): string[] =>
  logged.filter((line) => line.includes(`The schema "${schema}" is a tenant's on the servers`));

/** Makes a tenant in a database, without serving it. */
async function make(databaseUrl: string, schemas: readonly string[]): Promise<void> {
  const { app, tenants } = await start(providers, { shared: { databaseUrl } });
  for (const schema of schemas) await tenants.add({ schema });
  await app.close();
}

async function works(tenants: CloacinaTenants, tenant: string): Promise<void> {
  const { runner } = tenants.get(tenant);
  const { status } = await runner.execute(ask, {}, { timeout: '60s' });
  expect({ tenant, status }).toEqual({ tenant, status: 'Completed' });
}

describe('forgetServer', () => {
  it('serves the tenants of a lost server from where they were restored', async () => {
    const [moved, lost, named] = [freshSchema('moved'), freshSchema('lost'), freshSchema('named')];
    await make(us.url, [moved, lost]);
    const { tenants } = await start(providers, {
      shared: {
        databaseUrl: undefined,
        servers: { home: { databaseUrl: home }, us: { databaseUrl: us.url } },
        tenants: { discover: true },
        startTimeout: '500ms',
      },
    });
    await tenants.add({ schema: named, server: 'us' });
    expect(tenants.get(moved).server).toBe('us');
    await expect(tenants.forgetServer('mars')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(tenants.forgetServer('us')).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(tenants.get(moved).server).toBe('us');

    await us.refuse();
    await make(home, [moved]);
    await waitFor(() => says(moved).length > 0, { what: 'the refusal' });
    expect(tenants.get(moved).server).toBe('us');

    await tenants.forgetServer('us');
    expect(tenants.get(moved).server).toBe('home');
    expect(tenants.has(lost)).toBe(false);
    expect(tenants.get(named).server).toBe('us');
    await works(tenants, moved);

    logged.length = 0;
    await us.listen();
    // Nothing else has this one.
    await waitFor(() => tenants.has(lost), { what: 'the tenant that was not restored' });
    await waitFor(() => says(moved).length > 0, { what: 'the refusal of the old copy' });
    expect(tenants.get(moved).server).toBe('home');
    await works(tenants, moved);
    await works(tenants, lost);
  }, 300_000);

  it('needs discovery on several servers', async () => {
    const { tenants } = await start(providers, { shared: { databaseUrl: home } });
    await expect(tenants.forgetServer('us')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('needs the options servers and tenants.discover'),
    });
  });
});
