import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  dueFirings,
  nextInstant,
  nextInstants,
  planSchedule,
  type SchedulePlan,
  type ScheduleSpec,
} from '../../../../lib/workflow/schedule/index.js';
import { minutesAround, slowInstants } from './slow-reference.js';

const DAY = 86_400_000;

function plan(spec: ScheduleSpec, createdAt = 0): SchedulePlan {
  const result = planSchedule(spec, createdAt);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}

const shown = (instants: readonly number[]): string[] =>
  instants.map((at) => new Date(at).toISOString().replace(':00.000Z', 'Z'));

/** Days on which clocks did something odd. */
const CHANGES = [
  minutesAround('Europe/Berlin', '2026-03-29T01:00:00Z', 2),
  minutesAround('Europe/Berlin', '2026-10-25T01:00:00Z', 2),
  minutesAround('America/Chicago', '2026-11-01T07:00:00Z', 2),
  // Half an hour.
  minutesAround('Australia/Lord_Howe', '2026-10-03T15:30:00Z', 2),
  minutesAround('Australia/Lord_Howe', '2026-04-04T15:00:00Z', 2),
  // From 5:30 to 5:45, once.
  minutesAround('Asia/Kathmandu', '1985-12-31T18:30:00Z', 2),
  // 30 December was left out.
  minutesAround('Pacific/Apia', '2011-12-30T10:00:00Z', 3),
  // The rule was given up: the clocks stayed on summer time.
  minutesAround('Europe/Istanbul', '2016-10-30T01:00:00Z', 2),
  minutesAround('America/Caracas', '2016-05-01T07:00:00Z', 2),
  // Two hours.
  minutesAround('Antarctica/Troll', '2026-03-29T01:00:00Z', 2),
  // Back for Ramadan.
  minutesAround('Africa/Casablanca', '2026-02-15T02:00:00Z', 2),
];

const field = (from: number, to: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min: from, max: to }).map(String),
    fc.integer({ min: 2, max: 30 }).map((step) => `*/${Math.min(step, to)}`),
    fc
      .tuple(fc.integer({ min: from, max: to }), fc.integer({ min: from, max: to }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  );
const expression = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    fc.oneof(fc.constant('*'), field(1, 31)),
    fc.constant('*'),
    field(0, 6),
  )
  .map((fields) => fields.join(' '));

describe('instants of a cron expression', () => {
  it('are those of a slow search through each minute, also where clocks change', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CHANGES.keys()), expression, (change, cron) => {
        const minutes = CHANGES[change]!;
        const { instants } = minutes;
        const [from, to] = [instants[0] ?? 0, instants.at(-1) ?? 0];
        const window = { startAt: new Date(from), endAt: new Date(to) };
        const fast = nextInstants(
          plan({ cron, timezone: minutes.zone, ...window }),
          from,
          instants.length,
        );
        // The first minute is no firing after itself.
        expect(fast).toEqual(slowInstants(cron, minutes).filter((at) => at > from));
      }),
      { numRuns: 100 },
    );
  });

  it('do not depend on the instant from which they are searched', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CHANGES.keys()), expression, fc.nat(), (change, cron, at) => {
        const { zone, instants } = CHANGES[change]!;
        const from = instants[at % (instants.length - 1440)] ?? 0;
        const schedule = plan({ cron, timezone: zone });
        const next = nextInstant(schedule, from) ?? Infinity;
        const between = from + Math.floor(((Math.min(next, from + DAY) - from) * (at % 97)) / 97);
        expect(nextInstant(schedule, between)).toBe(next);
      }),
      { numRuns: 300 },
    );
  });

  it('has one firing at the change for a time that is skipped', () => {
    const skipped = plan({ cron: '30 2 * * *', timezone: 'Europe/Berlin' });
    expect(shown(nextInstants(skipped, Date.parse('2026-03-28T12:00:00Z'), 2))).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
    const day = plan({ cron: '0 9,17 * * *', timezone: 'Pacific/Apia' });
    expect(shown(nextInstants(day, Date.parse('2011-12-30T08:00:00Z'), 2))).toEqual([
      '2011-12-30T10:00Z',
      '2011-12-30T19:00Z',
    ]);
  });

  it('has one firing for a time that is repeated', () => {
    const repeated = plan({ cron: '30 2 * * *', timezone: 'Europe/Berlin' });
    expect(shown(nextInstants(repeated, Date.parse('2026-10-24T12:00:00Z'), 2))).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  it('leaves "every 20 minutes" at every 20 minutes', () => {
    for (const change of ['2026-03-29T00:30:00Z', '2026-10-25T00:30:00Z']) {
      const instants = nextInstants(
        plan({ cron: '*/20 * * * *', timezone: 'Europe/Berlin' }),
        Date.parse(change),
        9,
      );
      for (const [i, at] of instants.entries()) expect(at).toBe((instants[0] ?? 0) + i * 1_200_000);
    }
  });

  it.each([
    ['0 9 L * *', '2026-01-31T09:00Z', '2026-02-28T09:00Z'],
    ['0 9 15W * *', '2026-01-15T09:00Z', '2026-02-16T09:00Z'],
    ['0 9 * * MON#2', '2026-01-12T09:00Z', '2026-02-09T09:00Z'],
    ['0 9 * * 5L', '2026-01-30T09:00Z', '2026-02-27T09:00Z'],
    ['30 0 9 * * *', '2026-01-01T09:00:30.000Z', '2026-01-02T09:00:30.000Z'],
    ['@weekly', '2026-01-04T00:00Z', '2026-01-11T00:00Z'],
    ['@hourly', '2026-01-01T01:00Z', '2026-01-01T02:00Z'],
    ['* * 29 2 *', '2028-02-29T00:00Z', '2028-02-29T00:01Z'],
  ])('understands %s', (cron, ...expected) => {
    const from = Date.parse('2026-01-01T00:00:00Z');
    expect(shown(nextInstants(plan({ cron }), from, 2))).toEqual(expected);
  });

  it('finds a rare instant of an expression that allows every hour, over many changes', () => {
    const rare = plan({ cron: '* * 29 2 *', timezone: 'Europe/Berlin' });
    expect(shown(nextInstants(rare, Date.parse('2025-03-01T00:00:00Z'), 1))).toEqual([
      '2028-02-28T23:00Z',
    ]);
  });
});

describe('instants of an interval', () => {
  it('count from the creation, from startAt, or from 1970', () => {
    const created = Date.parse('2026-01-01T00:07:00Z');
    const first = (spec: ScheduleSpec): string[] =>
      shown(nextInstants(plan(spec, created), created, 2));
    expect(first({ every: '15m' })).toEqual(['2026-01-01T00:22Z', '2026-01-01T00:37Z']);
    expect(first({ every: '15m', startAt: new Date('2026-01-01T01:00:00Z') })).toEqual([
      '2026-01-01T01:00Z',
      '2026-01-01T01:15Z',
    ]);
    expect(first({ every: '15m', aligned: true })).toEqual([
      '2026-01-01T00:15Z',
      '2026-01-01T00:30Z',
    ]);
  });

  it('end with endAt', () => {
    const ending = plan({ every: '1h', endAt: new Date(2 * 3_600_000) });
    expect(nextInstants(ending, 0, 5)).toEqual([3_600_000, 7_200_000]);
  });

  it('are one for at', () => {
    const at = new Date('2026-05-01T00:00:00Z');
    expect(nextInstants(plan({ at }), 0, 5)).toEqual([at.getTime()]);
    expect(nextInstant(plan({ at }), at.getTime())).toBeUndefined();
  });
});

describe('years of firings', () => {
  it('take no time where nothing is due', () => {
    const daily = plan({ cron: '0 2 * * *', timezone: 'Europe/Lisbon', catchUp: { all: 3 } });
    const from = nextInstant(daily, Date.parse('2000-01-01T00:00:00Z')) ?? 0;
    const now = Date.parse('2026-07-01T12:00:00Z');
    expect(dueFirings(daily, 'daily', from, now).due).toHaveLength(1);
  });
});
