import { DURATION_FORM, parseDuration } from '../duration.js';
import { formatRule as shown } from '../rule-check.js';
import { parseCron, type CronExpression } from './cron.js';
import type { CatchUp, Overlap, ScheduleSpec } from './schedule-spec.js';
import { timeZone, type TimeZone } from './time-zone.js';

const DAY = 86_400_000;
const MIN_EVERY = 1_000;
const MAX_JITTER = DAY;
/** Maximum of `{ all: n }`. One statement starts them. */
const MAX_CAUGHT_UP = 1_000;

/** When a schedule fires, before its window and its jitter. Times are in milliseconds since 1970. */
export type ScheduleRule =
  | { readonly kind: 'cron'; readonly cron: CronExpression; readonly zone: TimeZone }
  /** `first` is the first multiple that fires: 1 if it counts from the creation, which is no firing itself. */
  | { readonly kind: 'every'; readonly ms: number; readonly from: number; readonly first: number }
  | { readonly kind: 'at'; readonly at: number };

/** A checked spec, ready to compute instants. */
export interface SchedulePlan {
  readonly rule: ScheduleRule;
  readonly startAt: number;
  readonly endAt: number;
  readonly jitterMs: number;
  readonly catchUp: CatchUp;
  readonly catchUpWindowMs: number;
  readonly overlap: Overlap;
  readonly pauseAfterFailures: number;
  /** Undefined if executions may begin at any time. */
  readonly startBeforeMs: number | undefined;
}

/** What is wrong with a spec: the field, and a clause that follows its name. */
export interface ScheduleProblem {
  readonly field: string;
  readonly problem: string;
}

type Fail = (field: string, problem: string) => void;

/**
 * Checks a spec, and prepares it to compute instants.
 *
 * @param createdAt - the creation of the schedule, in milliseconds since 1970. Without a `startAt`, `every` counts from it
 */
export function planSchedule(
  spec: ScheduleSpec,
  createdAt: number,
): SchedulePlan | { readonly problems: readonly ScheduleProblem[] } {
  const problems: ScheduleProblem[] = [];
  const fail: Fail = (field, problem) => problems.push({ field, problem });
  for (const field of Object.keys(spec)) {
    if (!FIELDS.has(field)) fail(field, `is not one of ${[...FIELDS].join(', ')}`);
  }
  const startAt = instant(spec.startAt, 'startAt', fail) ?? -Infinity;
  const endAt = instant(spec.endAt, 'endAt', fail) ?? Infinity;
  if (endAt < startAt) fail('endAt', 'must not be before startAt');
  const rule = ruleOf(spec, createdAt, fail);
  const plan = {
    startAt,
    endAt,
    jitterMs: duration(spec.jitter, 'jitter', { max: MAX_JITTER }, fail) ?? 0,
    catchUp: catchUpOf(spec.catchUp, fail),
    catchUpWindowMs: duration(spec.catchUpWindow, 'catchUpWindow', {}, fail) ?? DAY,
    overlap: overlapOf(spec.overlap, fail),
    pauseAfterFailures: count(spec.pauseAfterFailures, 'pauseAfterFailures', fail) ?? Infinity,
    startBeforeMs: duration(spec.startBefore, 'startBefore', { min: 1 }, fail),
  };
  return rule === undefined || problems.length > 0 ? { problems } : { ...plan, rule };
}

const OVERLAPS = new Set<unknown>(['allow', 'cancelPrevious', 'queue', 'skip'] satisfies Overlap[]);
const FIELDS = new Set<string>([
  'cron',
  'every',
  'at',
  'timezone',
  'aligned',
  'startAt',
  'endAt',
  'jitter',
  'catchUp',
  'catchUpWindow',
  'overlap',
  'pauseAfterFailures',
  'startBefore',
] satisfies (keyof ScheduleSpec)[]);

function ruleOf(spec: ScheduleSpec, createdAt: number, fail: Fail): ScheduleRule | undefined {
  const { cron, every, at } = spec;
  const given = [cron, every, at].filter((each) => each !== undefined).length;
  if (given !== 1) fail('cron', 'or every or at must be given, and only one of them');
  if (spec.timezone !== undefined && cron === undefined)
    fail('timezone', 'is only for cron; every and at do not depend on a zone');
  if (spec.aligned !== undefined && typeof spec.aligned !== 'boolean')
    fail('aligned', `must be true or false, not ${shown(spec.aligned)}`);
  if (spec.aligned !== undefined && every === undefined) fail('aligned', 'is only for every');
  if (cron !== undefined) return cronRule(cron, spec.timezone ?? 'UTC', fail);
  if (every !== undefined) return everyRule(spec, createdAt, fail);
  const time = instant(at, 'at', fail);
  return time === undefined ? undefined : { kind: 'at', at: time };
}

function cronRule(expression: unknown, name: unknown, fail: Fail): ScheduleRule | undefined {
  const zone = typeof name === 'string' ? timeZone(name) : undefined;
  if (zone === undefined)
    fail('timezone', `must be an IANA time zone, such as 'Europe/Lisbon', not ${shown(name)}`);
  if (typeof expression !== 'string') {
    fail('cron', `must be a string, such as '0 2 * * *', not ${shown(expression)}`);
    return undefined;
  }
  try {
    const cron = parseCron(expression);
    if (zone === undefined) return undefined;
    if (cron.next(zone, 0) !== undefined) return { kind: 'cron', cron, zone };
    fail('cron', `never fires: no date matches ${shown(expression)}`);
  } catch (error) {
    const reason = (error as Error).message.replace(/^CronPattern: /, '');
    fail('cron', `is not a valid expression: ${shown(expression)} (${reason})`);
  }
  return undefined;
}

function everyRule(spec: ScheduleSpec, createdAt: number, fail: Fail): ScheduleRule | undefined {
  const ms = duration(spec.every, 'every', { min: MIN_EVERY }, fail);
  if (ms === undefined) return undefined;
  if (spec.aligned === true) return { kind: 'every', ms, from: 0, first: 0 };
  const { startAt } = spec;
  return startAt === undefined
    ? { kind: 'every', ms, from: createdAt, first: 1 }
    : { kind: 'every', ms, from: Number(startAt), first: 0 };
}

function catchUpOf(value: unknown, fail: Fail): CatchUp {
  if (value === undefined) return 'once';
  if (value === 'once' || value === 'skip') return value;
  const all: unknown = typeof value === 'object' && value !== null && 'all' in value && value.all;
  if (isCount(all) && all <= MAX_CAUGHT_UP) return { all };
  fail(
    'catchUp',
    `must be 'skip', 'once' or { all: n } with n from 1 to ${MAX_CAUGHT_UP}, not ${shown(value)}`,
  );
  return 'once';
}

function overlapOf(value: unknown, fail: Fail): Overlap {
  if (value === undefined) return 'skip';
  if (OVERLAPS.has(value)) return value as Overlap;
  fail('overlap', `must be one of ${[...OVERLAPS].join(', ')}, not ${shown(value)}`);
  return 'skip';
}

function instant(value: unknown, field: string, fail: Fail): number | undefined {
  if (value === undefined) return undefined;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  fail(field, `must be a valid Date, not ${shown(value)}`);
  return undefined;
}

function duration(
  value: unknown,
  field: string,
  { min = 0, max = Infinity }: { readonly min?: number; readonly max?: number },
  fail: Fail,
): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseDuration(value);
  if (ms === undefined) fail(field, `must be ${DURATION_FORM}, not ${shown(value)}`);
  else if (ms < min) fail(field, `must be at least ${min} ms, not ${shown(value)}`);
  else if (ms > max) fail(field, `must be at most ${max} ms, not ${shown(value)}`);
  else return ms;
  return undefined;
}

function count(value: unknown, field: string, fail: Fail): number | undefined {
  if (value === undefined || isCount(value)) return value;
  fail(field, `must be a whole number of at least 1, not ${shown(value)}`);
  return undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}
