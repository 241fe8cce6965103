import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  dueFirings,
  dueTime,
  nextInstant,
  nextInstants,
  planSchedule,
  type CatchUp,
  type SchedulePlan,
  type ScheduleSpec,
} from '../../../../lib/workflow/schedule/index.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-03-28T00:00:00Z');

function plan(spec: ScheduleSpec): SchedulePlan {
  const result = planSchedule(spec, START);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}

/** What `dueFirings` promises, by going through all instants. */
function slowFirings(schedule: SchedulePlan, from: number, now: number) {
  const all = [from];
  for (let at = nextInstant(schedule, from); at !== undefined; at = nextInstant(schedule, at)) {
    all.push(at);
    if (at > now) break;
  }
  const firstLater = all.findIndex(
    (at) => at > now - schedule.jitterMs && dueTime(schedule, 'a', at) > now,
  );
  const due = firstLater === -1 ? all : all.slice(0, firstLater);
  const lateness = (at: number): number => now - schedule.jitterMs - at;
  const onTime = due.filter((at) => lateness(at) <= MINUTE);
  const inWindow = due.filter((at) => lateness(at) <= schedule.catchUpWindowMs);
  const { catchUp } = schedule;
  const caughtUp =
    catchUp === 'skip'
      ? []
      : catchUp === 'once'
        ? inWindow.slice(-1)
        : inWindow.slice(-Math.max(catchUp.all, onTime.length));
  const chosen =
    catchUp === 'once' && onTime.length > 0
      ? onTime
      : caughtUp.length < onTime.length
        ? onTime
        : caughtUp;
  const missed = due.slice(0, due.length - chosen.length);
  return {
    chosen,
    missed:
      missed.length === 0
        ? undefined
        : { first: missed[0], last: missed.at(-1), count: Math.min(missed.length, 1_000) },
    next: firstLater === -1 ? undefined : all[firstLater],
  };
}

describe('due firings', () => {
  it('are those of a slow search through all instants', () => {
    const catchUp = fc.oneof(
      fc.constantFrom<CatchUp>('skip', 'once'),
      fc.integer({ min: 1, max: 8 }).map((all) => ({ all })),
    );
    fc.assert(
      fc.property(
        fc.constantFrom<ScheduleSpec>(
          { every: '15s' },
          { every: '7m' },
          { cron: '*/5 * * * *', timezone: 'Europe/Berlin' },
          { cron: '30 1-3 * * *', timezone: 'Europe/Berlin' },
          { cron: '0 9 * * MON', timezone: 'Australia/Lord_Howe' },
        ),
        catchUp,
        fc.constantFrom(0, 30_000, 10 * MINUTE),
        fc.constantFrom<string>('30s', '20m', '1d'),
        fc.integer({ min: -1, max: (60 * HOUR) / 10 }),
        (spec, policy, jitter, catchUpWindow, outage) => {
          const schedule = plan({ ...spec, catchUp: policy, jitter, catchUpWindow });
          const [from = 0] = nextInstants(schedule, START, 1);
          const now = from + outage;
          const { due, missed, next } = dueFirings(schedule, 'a', from, now);
          const slow = slowFirings(schedule, from, now);
          expect({ chosen: due.map(({ at }) => at), missed, next }).toEqual(slow);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each<[string, string]>([
    ['Australia/Lord_Howe', '2026-10-02T00:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-03T00:00:00Z'],
    // The offset changed by a quarter of an hour, once.
    ['Asia/Kathmandu', '1985-12-30T00:00:00Z'],
    // 30 December was left out.
    ['Pacific/Apia', '2011-12-28T00:00:00Z'],
    // The rules changed.
    ['Europe/Istanbul', '2016-10-28T00:00:00Z'],
    ['America/Caracas', '2016-04-29T00:00:00Z'],
    ['Africa/Casablanca', '2026-02-13T00:00:00Z'],
  ])('are those of a slow search where clocks change: %s, %s', (timezone, day) => {
    const start = Date.parse(day);
    fc.assert(
      fc.property(
        fc.constantFrom('*/20 * * * *', '30 0-3 * * *', '15 9,23 * * *', '0 2 * * SAT,SUN'),
        fc.oneof(
          fc.constantFrom<CatchUp>('skip', 'once'),
          fc.integer({ min: 1, max: 8 }).map((all) => ({ all })),
        ),
        fc.constantFrom(0, 10 * MINUTE),
        fc.constantFrom<string>('20m', '1d'),
        fc.integer({ min: 0, max: 96 * 60 }),
        (cron, catchUp, jitter, catchUpWindow, minutes) => {
          const schedule = plan({ cron, timezone, catchUp, jitter, catchUpWindow });
          const [from = 0] = nextInstants(schedule, start, 1);
          const now = start + minutes * MINUTE;
          fc.pre(now >= from);
          const { due, missed, next } = dueFirings(schedule, 'a', from, now);
          const slow = slowFirings(schedule, from, now);
          expect({ chosen: due.map(({ at }) => at), missed, next }).toEqual(slow);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are the latest missed one within a day, unless another is due just now', () => {
    const daily = plan({ cron: '0 2 * * *' });
    const from = Date.parse('2026-04-01T02:00:00Z');
    const at = (now: string) => dueFirings(daily, 'a', from, Date.parse(now));
    expect(at('2026-04-04T14:00:00Z')).toEqual({
      due: [{ at: Date.parse('2026-04-04T02:00:00Z'), isCaughtUp: true }],
      missed: { first: from, last: Date.parse('2026-04-03T02:00:00Z'), count: 3 },
      next: Date.parse('2026-04-05T02:00:00Z'),
    });
    expect(at('2026-04-04T02:00:30Z').due).toEqual([
      { at: Date.parse('2026-04-04T02:00:00Z'), isCaughtUp: false },
    ]);
  });

  it('are none, and all recorded as missed, if the window has passed', () => {
    const weekly = plan({ cron: '0 2 * * MON' });
    const from = Date.parse('2026-04-06T02:00:00Z');
    const { due, missed } = dueFirings(weekly, 'a', from, from + 25 * HOUR);
    expect({ due, missed }).toEqual({ due: [], missed: { first: from, last: from, count: 1 } });
  });

  it('end the schedule with its last instant', () => {
    const once = plan({ at: new Date(START + HOUR) });
    expect(dueFirings(once, 'a', START + HOUR, START + HOUR)).toEqual({
      due: [{ at: START + HOUR, isCaughtUp: false }],
      missed: undefined,
      next: undefined,
    });
  });

  it('are found after ten years of seconds, without going through them', () => {
    const seconds = plan({ cron: '* * * * * *' });
    const { due, missed } = dueFirings(seconds, 'a', START, START + 87_600 * HOUR + 500);
    expect(due).toHaveLength(60);
    expect(missed?.count).toBe(1_000);
  });
});

describe('jitter', () => {
  it('is drawn from the schedule and the instant, within its limit', () => {
    const schedule = plan({ every: '1h', jitter: '10m' });
    const times = nextInstants(schedule, START, 200).map((at) => dueTime(schedule, 'a', at) - at);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...times)).toBeLessThanOrEqual(10 * MINUTE);
    expect(new Set(times).size).toBeGreaterThan(190);
    expect(dueTime(schedule, 'a', START)).toBe(dueTime(schedule, 'a', START));
    expect(dueTime(schedule, 'a', START)).not.toBe(dueTime(schedule, 'b', START));
  });
});
