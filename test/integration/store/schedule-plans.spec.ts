import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countPending } from '../../../lib/store/postgres/statements/queues.js';
import {
  readFiringsBetween,
  readScheduleStats,
  statsValues,
} from '../../../lib/store/postgres/statements/schedule-reports.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import { explain, rowsLookedAt, type PlanMode } from './explain.js';
import { openStore, type OpenStore } from './open-store.js';

const ROWS = 20_000;
const LAST = Date.parse('2030-01-01T00:00:00Z');
const minutesBefore = (minutes: number): Date => new Date(LAST - minutes * 60_000);

let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
  // A firing each minute, of two schedules, none of them a range.
  await open.admin.query(
    `INSERT INTO ${open.tables.scheduleFiring} (schedule, scheduled_for, outcome, fired_at)
     SELECT 's' || n % 2, $1::timestamptz - n * interval '1 minute', 'started', $1::timestamptz - n * interval '1 minute'
     FROM generate_series(1, ${ROWS}) n`,
    [new Date(LAST)],
  );
  // Of workflow 'busy', few have not begun, and many have ended. Of another one, many have not begun.
  await open.admin.query(
    `INSERT INTO ${open.tables.execution} (id, workflow, definition_id, status, input, remaining_leaves)
     SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 OR n < 10 THEN 'busy' ELSE 'other' END, 1,
            CASE WHEN n % 2 = 0 THEN 'Completed' ELSE 'Pending' END, '{}', 1
     FROM generate_series(1, ${ROWS}) n`,
  );
  await open.admin.query(`ANALYZE ${open.tables.scheduleFiring}, ${open.tables.execution}`);
});
afterAll(() => open.close());

// Of the two plans PostgreSQL takes the cheaper one, which for statistics of a short time is always the custom one.
test.each<[string, Statement, readonly PlanMode[], () => unknown[]]>([
  [
    'The firings and ranges of some minutes',
    readFiringsBetween,
    ['generic', 'custom'],
    () => ['s1', minutesBefore(20).toISOString(), minutesBefore(10).toISOString()],
  ],
  [
    'Statistics of some minutes',
    readScheduleStats,
    ['custom'],
    () => statsValues({ since: minutesBefore(20).getTime(), schedule: null }),
  ],
  [
    'Statistics of some minutes of one schedule',
    readScheduleStats,
    ['custom'],
    () => statsValues({ since: minutesBefore(20).getTime(), schedule: 's1' }),
  ],
])('%s are found without the history', async (_, statement, modes, values) => {
  for (const mode of modes) {
    const nodes = await explain(open.admin, open.tables, statement, values(), {
      mode,
      analyze: true,
    });
    expect(rowsLookedAt(nodes)).toBeLessThan(300);
  }
});

test('Executions that have not begun are counted without those that have ended, and those of other workflows', async () => {
  const session = await open.connect();
  for (const mode of ['generic', 'custom'] as const) {
    const nodes = await explain(session.client, open.tables, countPending, ['busy', 1_000], {
      mode,
      analyze: true,
    });
    expect(rowsLookedAt(nodes)).toBeLessThan(50);
  }
  expect(await open.store.queues.pending('busy', 1_000)).toBe(5);
});

test('Statistics of all times count every firing', async () => {
  const stats = await open.store.schedules.stats({ since: null, schedule: null });
  expect(stats).toMatchObject({ started: ROWS });
});
