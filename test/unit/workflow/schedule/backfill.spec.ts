import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  backfillPlan,
  backfillStep,
  nextInstants,
  planSchedule,
  previousInstant,
  type SchedulePlan,
  type ScheduleSpec,
} from '../../../../lib/workflow/schedule/index.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-28T00:00:00Z');

function plan(spec: ScheduleSpec): SchedulePlan {
  const result = planSchedule(spec, START);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return backfillPlan(result);
}

/** A record by the numbers of its first and last instant, in a list of instants. */
interface Entry {
  readonly first: number;
  readonly last: number;
  readonly isFired: boolean;
}

/** Records side by side that do not overlap, with gaps. */
const entries = (length: number): fc.Arbitrary<readonly Entry[]> =>
  fc
    .array(
      fc.record({ gap: fc.nat(3), length: fc.integer({ min: 1, max: 8 }), isFired: fc.boolean() }),
      { maxLength: 8 },
    )
    .map((parts) => {
      const all: Entry[] = [];
      let at = 0;
      for (const part of parts) {
        const first = at + part.gap;
        const last = first + (part.isFired ? 1 : part.length) - 1;
        if (last >= length) break;
        all.push({ first, last, isFired: part.isFired });
        at = last + 1;
      }
      return all;
    });

describe('a step of a backfill', () => {
  it.each<ScheduleSpec>([
    { every: '7m' },
    { cron: '30 1-3 * * *', timezone: 'Europe/Berlin' },
    { cron: '0 9 * * *', timezone: 'Australia/Lord_Howe' },
  ])('gives each of its instants one execution, and leaves the others as they were: %j', (spec) => {
    const schedule = plan(spec);
    const instants = nextInstants(schedule, START, 40);
    fc.assert(
      fc.property(entries(40), fc.nat(39), fc.nat(39), (before, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const records = before.map(({ first, last, isFired }) => ({
          scheduledFor: instants[first]!,
          until: first === last ? null : instants[last]!,
          outcome: isFired ? 'started' : 'missed',
          executionId: isFired ? 'x' : null,
        }));
        const asked = records.filter(
          ({ scheduledFor, until }) =>
            scheduledFor <= instants[high]! && (until ?? scheduledFor) >= instants[low]!,
        );
        const part = instants.slice(low, high + 1);
        const step = backfillStep(schedule, part, asked);

        // As the statement does: a record of the same instant is replaced unless it has an execution.
        const table = new Map<number, { readonly until: number | null; readonly fired: boolean }>();
        for (const { scheduledFor, until, executionId } of records)
          table.set(scheduledFor, { until, fired: executionId !== null });
        for (const { scheduledFor, until } of step.rests)
          table.set(scheduledFor, { until, fired: false });
        for (const at of step.instants) {
          expect(table.get(at)?.fired).not.toBe(true);
          table.set(at, { until: null, fired: true });
        }
        for (const [no, at] of instants.entries()) {
          const old = before.find(({ first, last }) => first <= no && no <= last);
          const of = [...table].filter(([from, { until }]) => from <= at && at <= (until ?? from));
          const isPart = low <= no && no <= high;
          expect(of).toHaveLength(isPart || old !== undefined ? 1 : 0);
          expect(of[0]?.[1].fired).toBe(isPart ? true : old?.isFired);
        }
        for (const { scheduledFor, until, count } of step.rests) {
          const last = until ?? scheduledFor;
          expect(count).toBe(instants.filter((at) => at >= scheduledFor && at <= last).length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('leaves the ranges of another expression as they are', () => {
    const daily = plan({ cron: '0 2 * * *' });
    const range = {
      scheduledFor: START + HOUR / 2,
      until: START + 3 * DAY,
      outcome: 'missed',
      executionId: null,
    };
    const instants = nextInstants(daily, START, 2);
    expect(backfillStep(daily, instants, [range])).toEqual({ instants, rests: [] });
  });
});

describe('the plan of a backfill', () => {
  it('goes back beyond the creation, in the steps of the interval', () => {
    expect(nextInstants(plan({ every: '1h' }), START - 2 * HOUR - 1, 3)).toEqual([
      START - 2 * HOUR,
      START - HOUR,
      START,
    ]);
  });

  it('does not go back beyond startAt', () => {
    const startAt = new Date(START);
    expect(nextInstants(plan({ every: '1h', startAt }), START - DAY, 1)).toEqual([START]);
  });
});

describe('the instant before', () => {
  it.each<[string, ScheduleSpec]>([
    ['of seconds', { every: '1s' }],
    ['of nights', { cron: '0 2 * * *', timezone: 'Europe/Berlin' }],
    ['of leap days', { cron: '0 0 29 2 *' }],
  ])('is the one whose next it is: %s', (_, spec) => {
    const schedule = plan(spec);
    const [first = 0, second = 0] = nextInstants(schedule, START, 2);
    expect(previousInstant(schedule, second)).toBe(first);
  });

  it('is undefined for the first one', () => {
    const at = new Date(START);
    expect(previousInstant(plan({ at }), START)).toBeUndefined();
  });
});
