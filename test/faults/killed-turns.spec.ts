import { expect, test } from '@jest/globals';
import { startChild } from '../support/child-process.js';
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

const SCRIPT = new URL('../integration/recovery/scheduling-process.ts', import.meta.url);
const SCHEDULES = 5;

test("Executions of schedules with overlap 'queue' run one at a time and are all admitted, though processes are killed", async () => {
  const schema = freshSchema();
  const last = await openTenant([scheduled], { schema });
  for (let no = 0; no < SCHEDULES; no++) {
    await last.runner.schedules.create(`s${no}`, scheduled, {
      every: '1s',
      overlap: 'queue',
      catchUp: { all: 1_000 },
    });
  }
  const settings: SchedulingSettings = { schema, dieAt: null };
  const children = Array.from({ length: 3 }, () =>
    startChild(SCRIPT, { env: { SCHEDULING: JSON.stringify(settings) } }),
  );
  const fired = async (): Promise<number> => (await last.runner.schedules.stats()).fired;
  for (const child of children) {
    const before = await fired();
    await waitFor(async () => (await fired()) >= before + 2 * SCHEDULES, { what: 'firings' });
    await child.kill('SIGKILL');
  }
  for (let no = 0; no < SCHEDULES; no++) await last.runner.schedules.pause(`s${no}`);
  await waitFor(async () => (await last.runner.schedules.stats()).executions.unfinished === 0, {
    // The lease of a killed process may have to expire, several times over.
    deadline: 180_000,
    what: 'the end of all executions',
  });
  const overlapping = await last.query(
    `SELECT a.schedule, a.id, b.id FROM cloacina_workflow_execution a
       JOIN cloacina_workflow_execution b ON b.schedule = a.schedule AND b.id <> a.id
     WHERE a.started_at < b.completed_at AND b.started_at < a.completed_at`,
  );
  expect(overlapping).toEqual([]);
  const { executions, skipped } = await last.runner.schedules.stats();
  expect(executions).toMatchObject({ failed: 0, cancelled: 0 });
  expect(skipped.overlap).toBe(0);
  expect(await wrongFirings(last)).toEqual(NOTHING_WRONG);
  expect(await gaps(last, 1_000)).toEqual([]);
}, 300_000);
