import { expect, test } from '@jest/globals';
import { startChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
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
const MINUTE = 60_000;
/** Three pages of the operation, of one or two statements each; the last one is short. */
const INSTANTS = 2_050;
/** The executions run in few batches: these tests are not about how they run. */
const SLOTS = { maxConcurrentTasks: 100 };

async function killAt(settings: SchedulingSettings): Promise<void> {
  const child = startChild(SCRIPT, { env: { SCHEDULING: JSON.stringify(settings) } });
  expect(await child.end()).toMatchObject({ signal: 'SIGKILL' });
}

test.each<FirePoint>(['before', 'sent', 'after'])(
  'A backfill whose processes are killed %s a statement goes on, and starts each time once',
  async (dieAt) => {
    const schema = freshSchema();
    const client = await openTenant([scheduled], { schema, maxConcurrentTasks: 0 });
    const { schedules } = client.runner;
    await schedules.create('s', scheduled, { every: MINUTE, startAt: new Date('2020-01-01') });
    await schedules.pause('s');
    const from = new Date('2021-01-01');
    const to = new Date(from.getTime() + (INSTANTS - 1) * MINUTE);
    const { id } = await schedules.backfill('s', { from, to, background: true });
    await client.close();
    // What is done already takes no statement, so each process has fewer.
    for (const number of [1, 2]) await killAt({ schema, dieAt, statement: 'backfill', number });
    const last = await openTenant([scheduled], { schema, ...SLOTS });
    const { context } = await last.runner.handle(id).result();
    // What the killed processes started after their last recorded page counts as found.
    expect(context).toMatchObject({ matched: INSTANTS });
    expect(await wrongFirings(last)).toEqual(NOTHING_WRONG);
    expect(await gaps(last, MINUTE)).toEqual([]);
    const { firedBy } = await last.runner.schedules.stats();
    expect(firedBy.backfill).toBe(INSTANTS);
    await waitFor(
      async () => (await last.runner.schedules.stats()).executions.completed === INSTANTS,
      { what: 'the ends of the executions' },
    );
  },
);

test('Backfills of one range by several processes at once start each time once', async () => {
  const schema = freshSchema();
  const tenants = await Promise.all(
    Array.from({ length: 3 }, () => openTenant([scheduled], { schema, ...SLOTS })),
  );
  const [first] = tenants;
  const from = new Date('2021-01-01');
  const to = new Date(from.getTime() + 899 * MINUTE);
  // It fires all the time, too.
  const spec = { every: '1s', overlap: 'allow', aligned: true } as const;
  await first!.runner.schedules.create('busy', scheduled, spec);
  await first!.runner.schedules.create('s', scheduled, { every: MINUTE, aligned: true });
  const results = await Promise.all([
    ...tenants.map(({ runner }) => runner.schedules.backfill('s', { from, to, background: false })),
    first!.runner.schedules.backfill('busy', {
      from,
      to: new Date(from.getTime() + 899_000),
      background: false,
    }),
  ]);
  expect(results.map(({ matched }) => matched)).toEqual([900, 900, 900, 900]);
  expect(results.slice(0, 3).reduce((sum, { changed }) => sum + changed, 0)).toBe(900);
  expect(results[3]).toMatchObject({ changed: 900 });
  expect(await wrongFirings(first!)).toEqual(NOTHING_WRONG);
});
