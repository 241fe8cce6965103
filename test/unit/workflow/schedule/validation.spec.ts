import { describe, expect, it } from '@jest/globals';
import {
  decodeSpec,
  encodeSpec,
  planSchedule,
  type ScheduleSpec,
} from '../../../../lib/workflow/schedule/index.js';

function problemsOf(spec: unknown): string[] {
  const result = planSchedule(spec as ScheduleSpec, 0);
  if (!('problems' in result)) return [];
  return result.problems.map(({ field, problem }) => `${field} ${problem}`);
}

describe('the check of a schedule', () => {
  it.each<[string, unknown, string]>([
    ['no rule', {}, 'cron or every or at must be given, and only one of them'],
    [
      'two rules',
      { cron: '@daily', every: '1h' },
      'cron or every or at must be given, and only one of them',
    ],
    ['an unknown field', { cron: '@daily', tz: 'UTC' }, 'tz is not one of cron, every'],
    ['a cron that is no string', { cron: 5 }, "cron must be a string, such as '0 2 * * *', not 5"],
    ['too few fields', { cron: '* * * *' }, `cron is not a valid expression: "* * * *"`],
    ['a year', { cron: '0 0 0 1 1 * 2027' }, 'cron is not a valid expression'],
    [
      'a time in place of an expression',
      { cron: '2026-01-01T00:00:00' },
      'it must have 5 or 6 fields',
    ],
    ['@reboot', { cron: '@reboot' }, 'cron is not a valid expression'],
    ['a question mark', { cron: '0 9 ? * MON' }, "'?' is not supported; use '*'"],
    ['a value out of range', { cron: '61 * * * *' }, 'Invalid value for minute: 61'],
    [
      'a date that does not exist',
      { cron: '0 0 30 2 *' },
      `cron never fires: no date matches "0 0 30 2 *"`,
    ],
    [
      'an unknown zone',
      { cron: '@daily', timezone: 'Europe/Atlantis' },
      `timezone must be an IANA time zone, such as 'Europe/Lisbon', not "Europe/Atlantis"`,
    ],
    ['an offset', { cron: '@daily', timezone: '+02:00' }, 'timezone must be an IANA time zone'],
    [
      'a zone that is no string',
      { cron: '@daily', timezone: 7 },
      'timezone must be an IANA time zone',
    ],
    ['a zone of an interval', { every: '1h', timezone: 'UTC' }, 'timezone is only for cron'],
    ['an interval without a unit', { every: '100' }, 'every must be milliseconds, or a string'],
    ['too short an interval', { every: 10 }, 'every must be at least 1000 ms, not 10'],
    ['aligned without every', { cron: '@daily', aligned: true }, 'aligned is only for every'],
    [
      'aligned that is no flag',
      { every: '1h', aligned: 1 },
      'aligned must be true or false, not 1',
    ],
    ['an invalid instant', { at: new Date(NaN) }, 'at must be a valid Date, not an object'],
    [
      'an instant as text',
      { cron: '@daily', startAt: '2026-01-01' },
      'startAt must be a valid Date',
    ],
    [
      'an end before the start',
      { cron: '@daily', startAt: new Date(2), endAt: new Date(1) },
      'endAt must not be before startAt',
    ],
    ['too much jitter', { cron: '@daily', jitter: '2d' }, 'jitter must be at most 86400000 ms'],
    [
      'an unknown catch-up',
      { cron: '@daily', catchUp: 'all' },
      `catchUp must be 'skip', 'once' or { all: n } with n from 1 to 1000, not "all"`,
    ],
    ['too many to catch up', { cron: '@daily', catchUp: { all: 1001 } }, 'catchUp must be'],
    [
      'an unknown overlap',
      { cron: '@daily', overlap: 'wait' },
      'overlap must be one of allow, cancelPrevious, queue, skip, not "wait"',
    ],
    [
      'no failures',
      { cron: '@daily', pauseAfterFailures: 0 },
      'pauseAfterFailures must be a whole number of at least 1, not 0',
    ],
  ])('names %s', (_what, spec, problem) => {
    expect(problemsOf(spec).join('; ')).toContain(problem);
  });

  it('reports all problems at once', () => {
    expect(problemsOf({ cron: 'x', timezone: 'y', overlap: 'z' })).toHaveLength(3);
  });

  it('accepts each option', () => {
    expect(
      problemsOf({
        every: '15m',
        aligned: true,
        startAt: new Date(0),
        endAt: new Date(1),
        jitter: '5s',
        catchUp: { all: 3 },
        catchUpWindow: '2d',
        overlap: 'allow',
        pauseAfterFailures: 3,
      }),
    ).toEqual([]);
    expect(problemsOf({ cron: '0 9 * * *', overlap: 'skip', catchUp: 'skip' })).toEqual([]);
  });

  it('keeps a spec in its stored form', () => {
    const spec: ScheduleSpec = {
      every: '15m',
      startAt: new Date('2026-01-01T00:00:00Z'),
      endAt: new Date('2027-01-01T00:00:00Z'),
      catchUp: { all: 3 },
    };
    expect(decodeSpec(encodeSpec(spec))).toEqual(spec);
  });
});
