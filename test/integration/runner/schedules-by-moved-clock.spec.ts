import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { RunningClock } from '../../../lib/testing/running-clock.js';
import { MOVED_CLOCK, MovedClocks } from '../../support/database-clock.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';
import { gaps, NOTHING_WRONG, scheduled, wrongFirings } from '../recovery/scheduling.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The clocks of the server and of the process, which the tests move on and back. */
describe('Schedules by a clock that jumps', () => {
  let databaseUrl: string;
  let client: pg.Client;
  let clocks: MovedClocks;
  const processClock = new RunningClock();
  let schema: string;
  beforeAll(async () => {
    databaseUrl = await scratchDatabase();
    client = new pg.Client(databaseUrl);
    await client.connect();
    clocks = await MovedClocks.install(client, processClock);
  });
  afterAll(() => client.end());
  beforeEach(() => {
    schema = freshSchema();
  });

  const open = (process = processClock): Promise<OpenTenant> =>
    openTenant([scheduled], {
      schema,
      databaseUrl,
      clocks: { process, database: MOVED_CLOCK },
    });
  /** The tenant is in another database than those of other tests. */
  const inDatabase = {
    query: async <R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> => {
      await client.query(`SET search_path TO ${client.escapeIdentifier(schema)}`);
      return (await client.query<R>(sql, [...values])).rows;
    },
  };
  const fired = async ({ runner }: OpenTenant): Promise<number> =>
    (await runner.schedules.stats()).fired;
  const untilFired = (tenant: OpenTenant, count: number): Promise<unknown> =>
    waitFor(async () => (await fired(tenant)) >= count, { what: `${count} firings` });
  const untilEnded = ({ runner }: OpenTenant): Promise<unknown> =>
    waitFor(async () => (await runner.list({ status: 'Completed' })).items.length === 1, {
      what: 'the end of the execution',
    });
  const serverTime = async (): Promise<number> => {
    const { rows } = await client.query<{ now: Date }>('SELECT test_clock.now() AS now');
    return rows[0]!.now.getTime();
  };
  /** Half an hour after an hour, so that no hour is near. */
  async function toHalfPast(): Promise<void> {
    const now = await serverTime();
    await clocks.advance(2 * HOUR - ((now + HOUR / 2) % HOUR));
  }

  it('fire for no instant twice when both clocks are set back, and go on with the next one', async () => {
    await toHalfPast();
    const tenant = await open();
    await tenant.runner.schedules.create('s', scheduled, { every: '1h', aligned: true });
    await clocks.advance(HOUR);
    await untilFired(tenant, 1);
    // Unclaimed tasks would not be due before the clock has come again, and the next instant would be skipped.
    await untilEnded(tenant);
    await clocks.advance(-3 * HOUR);
    const { nextAt } = (await tenant.runner.schedules.get('s'))!;
    // The three hours that come again have nothing to fire for.
    await clocks.advance(3 * HOUR - MINUTE);
    await tenant.engine.schedules.fireDue();
    expect(await fired(tenant)).toBe(1);
    expect((await tenant.runner.schedules.get('s'))!.nextAt).toEqual(nextAt);
    await clocks.advance(HOUR + MINUTE);
    await untilFired(tenant, 2);
    expect(await wrongFirings(inDatabase)).toEqual(NOTHING_WRONG);
    expect(await gaps(inDatabase, HOUR)).toEqual([]);
  });

  it.each([-HOUR, HOUR])(
    'fire by the clock of the server, whatever that of the process: %i ms off',
    async (offMs) => {
      await toHalfPast();
      const skewed = new RunningClock();
      // As far as the other one, and off.
      skewed.advance(processClock.wallTime() - skewed.wallTime() + offMs);
      const tenant = await open(skewed);
      const first = Math.ceil((await serverTime()) / HOUR) * HOUR;
      const spec = { every: '1h', aligned: true } as const;
      await tenant.runner.schedules.create('s', scheduled, spec);
      await tenant.engine.schedules.fireDue();
      expect(await fired(tenant)).toBe(0);
      const inMs = first - (await serverTime());
      await clocks.advance(inMs);
      skewed.advance(inMs);
      await waitFor(
        async () => {
          await tenant.engine.schedules.fireDue();
          return (await fired(tenant)) === 1;
        },
        { what: 'the firing' },
      );
      const [firing] = await tenant.runner.schedules.firings('s');
      expect(firing).toMatchObject({ outcome: 'started', scheduledFor: new Date(first) });
    },
  );

  it('make up for an outage over many firings of many schedules, each once, and record the others', async () => {
    const maker = await open();
    const names = Array.from({ length: 12 }, (_, no) => `s${no}`);
    const spec = { every: '1m', overlap: 'allow', catchUp: { all: 200 } } as const;
    for (const name of names) await maker.runner.schedules.create(name, scheduled, spec);
    await maker.close();
    await clocks.advance(10 * HOUR);
    // All of them see what is due at the same time.
    const tenants = await Promise.all([open(), open(), open()]);
    const [tenant] = tenants;
    await untilFired(tenant, names.length * 200);
    for (const name of names) {
      const firings = await tenant.runner.schedules.firings(name, { limit: 500 });
      const passed = firings.filter(({ outcome }) => outcome === 'missed');
      expect(passed).toHaveLength(1);
      // All instants of ten hours, but for those that are due since.
      const all = firings.reduce((sum, { count }) => sum + count, 0);
      expect(all).toBeGreaterThanOrEqual(600);
      expect(firings.length - 1).toBeGreaterThanOrEqual(200);
    }
    expect(await wrongFirings(inDatabase)).toEqual(NOTHING_WRONG);
    expect(await gaps(inDatabase, MINUTE)).toEqual([]);
    const { skipped } = await tenant.runner.schedules.stats();
    expect(skipped.missed).toBeGreaterThanOrEqual(names.length * 400);
  });
});
