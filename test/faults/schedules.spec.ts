import { expect, test } from '@jest/globals';
import { startChild, type TestChild } from '../support/child-process.js';
import { openTenant } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import {
  gaps,
  NOTHING_WRONG,
  scheduled,
  wrongFirings,
  type SchedulingSettings,
} from '../integration/recovery/scheduling.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';

/** `FAULTS=short`: what fits into a CI run. */
const SHORT = process.env['FAULTS'] === 'short';
const SCHEDULES = 1_000;
const PROCESSES = 8;
const KILLS = SHORT ? 6 : 30;
const EVERY_MS = 10_000;
const SCRIPT = new URL('../integration/recovery/scheduling-process.ts', import.meta.url);

test(`${PROCESSES} processes that are killed at random fire ${SCHEDULES} schedules once for each instant`, async () => {
  const random = randomFrom(seedOfRun());
  const schema = freshSchema();
  const watcher = await openTenant([scheduled], { schema, maxConcurrentTasks: 0 });
  const { schedules } = watcher.runner;
  const startAt = new Date(Math.ceil(Date.now() / EVERY_MS) * EVERY_MS);
  for (let no = 0; no < SCHEDULES; no++) {
    await schedules.create(`s${no}`, scheduled, {
      every: EVERY_MS,
      overlap: 'allow',
      catchUp: { all: 1_000 },
      startAt: new Date(startAt.getTime() + (no % 10) * 1_000),
    });
  }
  const settings: SchedulingSettings = { schema, dieAt: null };
  const start = (): TestChild =>
    startChild(SCRIPT, { env: { SCHEDULING: JSON.stringify(settings) } });
  let children = Array.from({ length: PROCESSES }, start);
  const fired = async (): Promise<number> => {
    const { firedBy } = await schedules.stats();
    return firedBy.schedule + firedBy.catchUp;
  };
  for (let kills = 0; kills < KILLS; kills++) {
    const before = await fired();
    await waitFor(async () => (await fired()) > before, { what: 'a firing' });
    const victim = pick(random, children);
    await victim.kill('SIGKILL');
    children = [...children.filter((child) => child !== victim), start()];
  }
  const before = await fired();
  await waitFor(async () => (await fired()) >= before + SCHEDULES, { what: 'firings of all' });
  expect(await wrongFirings(watcher)).toEqual(NOTHING_WRONG);
  expect(await gaps(watcher, EVERY_MS)).toEqual([]);
  const stats = await schedules.stats();
  expect(stats.skipped).toEqual({ overlap: 0, missed: 0, paused: 0 });
  await Promise.all(children.map((child) => child.kill()));
}, 600_000);
