import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  pruneFirings,
  prunedFiringsOf,
  pruneFiringsValues,
} from '../../../lib/store/postgres/statements/prune-firings.js';
import { untilWaiting } from './gate.js';
import { type OpenStore, openStore } from './open-store.js';
import type { Session } from './session.js';

const HOUR = 3_600_000;
const past = Date.parse('2001-01-01T00:00:00Z');

let open: OpenStore;
let keeper: Session;
let others: Session[];
beforeAll(async () => {
  open = await openStore();
  const [first, ...rest] = await open.connectAll(3);
  keeper = first!;
  others = rest;
});
afterAll(() => open.close());

/** Deletes all but the latest `keep` records; returns the number of those that are gone. */
async function prune(session: Session, keep: number): Promise<number> {
  const values = { after: null, olderThanMs: 0, keep };
  const rows = await session.run(pruneFirings, pruneFiringsValues(values));
  return prunedFiringsOf(rows, values).deleted;
}

test('of two prunings with one snapshot, the later one deletes nothing, and leaves the range as it is', async () => {
  const { schedules } = open.store;
  await schedules.create('s', {
    workflow: 'w',
    spec: '{"every":3600000}',
    input: null,
    origin: 'api',
    state: 'active',
    reason: null,
    nextFor: past + 100 * HOUR,
    nextAt: past + 100 * HOUR,
    lastError: null,
  });
  const known = await schedules.get('s');
  const firings = Array.from({ length: 20 }, (_, hour) => ({
    scheduledFor: past + hour * HOUR,
    outcome: 'skipped' as const,
    dueAt: null,
    until: null,
    count: 1,
    start: null,
  }));
  await schedules.fire([{ ...known!, firings }]);

  await keeper.begin();
  await keeper.client.query(
    `SELECT FROM ${open.tables.scheduleFiring} ORDER BY scheduled_for LIMIT 1 FOR UPDATE`,
  );
  const running: Promise<number>[] = [];
  try {
    for (const [i, session] of others.entries()) {
      running.push(prune(session, i === 0 ? 2 : 10));
      await untilWaiting(open.admin, [session]);
    }
  } finally {
    await keeper.commit();
  }
  expect(await Promise.all(running)).toEqual([17, 0]);
  const left = await schedules.firings({ schedule: 's', before: null, limit: 50 });
  expect(left.map(({ outcome, count }) => [outcome, count])).toEqual([
    ['skipped', 1],
    ['skipped', 1],
    ['pruned', 18],
  ]);
  // What a backfill asks for an instant within the range.
  const [range] = await schedules.firingsBetween('s', past + 17 * HOUR, past + 17 * HOUR);
  expect(range).toMatchObject({ outcome: 'pruned', until: past + 17 * HOUR });
});
