import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { ScheduleColumns } from '../../../lib/store/port/index.js';
import { openStore, type OpenStore } from './open-store.js';

const DUE = Date.parse('2001-01-01T00:00:00Z');
const ERROR = { kind: 'unknownWorkflow', message: 'gone', at: DUE } as const;
const COLUMNS: ScheduleColumns = {
  workflow: 'w',
  spec: '{"every":3600000}',
  input: null,
  origin: 'api',
  state: 'active',
  reason: null,
  nextFor: DUE,
  nextAt: DUE,
  lastError: null,
};

let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
});
afterAll(() => open.close());
beforeEach(async () => {
  await open.admin.query(`TRUNCATE ${open.tables.schedule}`);
  for (const name of ['free', 'locked']) await open.store.schedules.create(name, COLUMNS);
  await open.admin.query('BEGIN');
});

/** As a transaction of the application does that changes the schedule. */
async function lock(): Promise<void> {
  await open.admin.query(`SELECT FROM ${open.tables.schedule} WHERE name = 'locked' FOR UPDATE`);
}

test('Broken schedules are mended without waiting for one that is locked, which is told', async () => {
  const { schedules } = open.store;
  await schedules.breakUnknown([], 0, ERROR);
  await lock();
  expect(await schedules.mend(['w'])).toEqual({ mended: 1, locked: ['locked'] });
  expect(await schedules.get('free')).toMatchObject({ state: 'active', version: 3 });
  await open.admin.query('COMMIT');
  expect(await schedules.mend(['w'], ['locked'])).toEqual({ mended: 1, locked: [] });
  expect(await schedules.get('locked')).toMatchObject({ state: 'active', reason: null });
});

test('Schedules of unknown workflows are marked without waiting for one that is locked', async () => {
  const { schedules } = open.store;
  await lock();
  expect(await schedules.breakUnknown([], 0, ERROR)).toEqual([{ name: 'free', workflow: 'w' }]);
  await open.admin.query('COMMIT');
  expect(await schedules.breakUnknown([], 0, ERROR)).toEqual([{ name: 'locked', workflow: 'w' }]);
});
