import { Test } from '@nestjs/testing';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { startChild } from '../../support/child-process.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';
import { FAILING_PARTS, failingApplication } from './failing-boot.js';

let url = '';
beforeAll(async () => {
  url = await scratchDatabase();
});

const script = new URL('failing-boot-process.ts', import.meta.url);

/** Connections to the database beside the one that asks. */
async function connections(): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    url,
    `SELECT application_name AS name FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
  return rows.map(({ name }) => name);
}

async function noConnections(): Promise<void> {
  await waitFor(async () => (await connections()).length === 0, { what: 'the last connection' });
}

describe('A process whose boot fails', () => {
  it.each([
    ['a factory', 'context'],
    ["a module's constructor", 'server'],
    ['onModuleInit', 'context'],
    ['onApplicationBootstrap', 'context'],
  ])(
    'in %s ends by itself with its own error (%s)',
    async (part, kind) => {
      const child = startChild(script, { args: [part, url, kind] });
      expect(await child.exit).toEqual({ code: 42, signal: null });
      expect(child.output).toBe('Error: Refused by the application.\n');
      await noConnections();
      // A process boots as slowly as the machine is busy.
    },
    240_000,
  );
});

describe('A boot that fails in a process that goes on', () => {
  it('leaves no connection that it keeps for longer than a boot needs it', async () => {
    const child = startChild(script, { args: ['onModuleInit', url, 'context', 'goes on'] });
    await child.message((message) => message === 'failed', 240_000);
    await noConnections();
    expect(child.running).toBe(true);
    await child.kill();
  }, 300_000);

  it.each(FAILING_PARTS)('in %s leaves no connection', async (part) => {
    const booting = Test.createTestingModule({ imports: [failingApplication(part, url)] })
      .compile()
      .then((app) => app.init());
    await expect(booting).rejects.toThrow('Refused by the application.');
    await noConnections();
  });

  it('after it has begun to claim leaves no connection', async () => {
    const claiming = jest.spyOn(TenantManager.prototype, 'startClaiming');
    claiming.mockImplementationOnce(async function fail(this: TenantManager) {
      // The spy's second call is the real one.
      await this.startClaiming();
      throw new Error('Refused by the application.');
    });
    const booting = Test.createTestingModule({ imports: [failingApplication('nothing', url)] })
      .compile()
      .then((app) => app.init());
    await expect(booting).rejects.toThrow('Refused by the application.');
    await noConnections();
    expect(claiming).toHaveBeenCalledTimes(2);
    claiming.mockRestore();
  });

  it('waits no longer for a database that is away', async () => {
    const opening = jest.spyOn(TenantManager.prototype, 'openTenant');
    const away = 'postgres://nobody@127.0.0.1:1/nothing';
    const AppModule = failingApplication('a factory that waits for nothing', away);
    const booting = Test.createTestingModule({ imports: [AppModule] }).compile();
    await expect(booting).rejects.toThrow('Refused by the application.');
    await waitFor(() => opening.mock.results.length === 2);
    const opened = await Promise.allSettled(opening.mock.results.map(({ value }) => value));
    expect(opened.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    // The error of a wait that has come to its end, after a minute, tells how long that was; others that of their only try.
    const told = opened.map((one) => String('reason' in one && one.reason));
    for (const text of told) expect(text).toMatch(/could not be reached for \d{1,4} ms/);
    opening.mockRestore();
  });
});
