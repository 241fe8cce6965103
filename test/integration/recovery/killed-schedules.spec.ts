import { expect, test } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import {
  gaps,
  NOTHING_WRONG,
  scheduled,
  wrongFirings,
  type FirePoint,
  type SchedulingSettings,
} from './scheduling.js';

const SCRIPT = new URL('scheduling-process.ts', import.meta.url);
const SCHEDULES = sized(200, 20);

async function start(settings: SchedulingSettings): Promise<TestChild> {
  return startChild(SCRIPT, { env: { SCHEDULING: JSON.stringify(settings) } });
}

/** Makes schedules of which the first firing is due in a moment, by a client that fires nothing once it is closed. */
async function makeSchedules(schema: string, every: string): Promise<void> {
  const maker = await openTenant([scheduled], { schema, maxConcurrentTasks: 0 });
  for (let no = 0; no < SCHEDULES; no++) {
    await maker.runner.schedules.create(`s${no}`, scheduled, {
      every,
      overlap: 'allow',
      catchUp: { all: 1_000 },
      startAt: new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 1_000),
    });
  }
  await maker.close();
}

/** No instant is left out up to the last one of a schedule, and each has one firing and one execution. */
async function expectEachInstantOnce(tenant: OpenTenant, everyMs: number): Promise<void> {
  expect(await gaps(tenant, everyMs)).toEqual([]);
  expect(await wrongFirings(tenant)).toEqual(NOTHING_WRONG);
  const outcomes = await tenant.query(
    `SELECT DISTINCT outcome FROM cloacina_schedule_firing WHERE outcome NOT IN ('started', 'caughtUp')`,
  );
  expect(outcomes).toEqual([]);
}

const firings = async ({ query }: OpenTenant): Promise<number> => {
  const [row] = await query<{ n: number }>(
    'SELECT count(*)::integer AS n FROM cloacina_schedule_firing',
  );
  return row?.n ?? 0;
};

test.each<FirePoint>(['before', 'sent', 'after'])(
  'A process that is killed %s the statement of a firing loses and doubles none',
  async (dieAt) => {
    const schema = freshSchema();
    await makeSchedules(schema, '1s');
    const victim = await start({ schema, dieAt });
    expect(await victim.end()).toMatchObject({ signal: 'SIGKILL' });
    const survivor = await openTenant([scheduled], { schema });
    const before = await firings(survivor);
    await waitFor(async () => (await firings(survivor)) >= before + 3 * SCHEDULES, {
      what: 'further firings',
    });
    await expectEachInstantOnce(survivor, 1_000);
  },
);

test('Eight processes of which some are killed at random make each firing once', async () => {
  const schema = freshSchema();
  await makeSchedules(schema, '1s');
  const settings = { schema, dieAt: null };
  const children = await Promise.all(Array.from({ length: 7 }, () => start(settings)));
  const last = await openTenant([scheduled], { schema });
  for (const child of children) {
    const seen = await firings(last);
    await waitFor(async () => (await firings(last)) > seen, { what: 'a firing' });
    await child.kill('SIGKILL');
  }
  const seen = await firings(last);
  await waitFor(async () => (await firings(last)) >= seen + 2 * SCHEDULES, { what: 'firings' });
  await expectEachInstantOnce(last, 1_000);
});
