import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { ScheduleQuery, ScheduleRecord } from '../store/port/index.js';
import { pollerOf, textProblem } from '../workflow/index.js';
import { planSchedule, type CatchUp, type ScheduleSpec } from '../workflow/schedule/index.js';
import { checkWorkflow } from './list-filter.js';
import type { TenantSchedule } from './schedule.js';
import type { ScheduleFilter } from './schedule-options.js';

const MAX_NAME = 200;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
const OVERLAPS = new Set<unknown>(['allow', 'cancelPrevious', 'queue', 'skip']);
const STATES = new Set<TenantSchedule['state']>(['active', 'paused', 'ended', 'broken']);
const ORIGINS = new Set<TenantSchedule['origin']>(['code', 'api']);
const LIST_OPTIONS: ReadonlySet<string> = new Set<keyof ScheduleFilter>([
  'workflow',
  'state',
  'origin',
  'after',
  'limit',
]);

/** @throws InvalidArgumentError for a name that is empty or too long, or that PostgreSQL cannot store */
export function checkName(name: string, argument = 'name'): void {
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) {
    throw new InvalidArgumentError(argument, `must be a string of 1 to ${MAX_NAME} characters`);
  }
  const problem = textProblem(name);
  if (problem !== undefined) throw new InvalidArgumentError(argument, problem);
}

/** @throws InvalidArgumentError for the first invalid field */
export function checkSpec(spec: ScheduleSpec): void {
  if (typeof spec !== 'object' || spec === null) {
    throw new InvalidArgumentError('spec', `must be an object, not ${formatValue(spec)}`);
  }
  const plan = planSchedule(spec, 0);
  if (!('problems' in plan)) return;
  const [first] = plan.problems;
  throw new InvalidArgumentError(first?.field ?? 'spec', first?.problem ?? 'is not valid');
}

/**
 * @param argument - the argument with which a caller would change what only the code of a poller says
 * @throws InvalidArgumentError if the workflow of the schedule is that of a poller
 */
export function refusePoller(
  argument: 'input' | 'name' | 'workflow',
  schedule: Pick<ScheduleRecord, 'workflow'> | undefined,
): void {
  const poller = schedule === undefined ? undefined : pollerOf(schedule.workflow);
  if (poller === undefined) return;
  throw new InvalidArgumentError(
    argument,
    `is that of the poller ${JSON.stringify(poller)}, whose code declares its schedule; use pause(), resume() and runNow()`,
  );
}

/** A schedule as the subject of an error's sentence. */
export function scheduleSubject(name: string): string {
  return `Schedule ${JSON.stringify(name)}`;
}

/** @throws InvalidArgumentError for a policy that is not valid */
export function checkCatchUp(catchUp: CatchUp): void {
  checkSpec({ every: '1d', catchUp });
}

/** @throws InvalidArgumentError for an unknown policy */
export function checkOverlap(overlap: unknown): void {
  checkOneOf('overlap', overlap, OVERLAPS);
}

/** @throws InvalidArgumentError unless the change is an object */
export function checkChange(change: unknown): void {
  if (typeof change === 'object' && change !== null && !Array.isArray(change)) return;
  throw new InvalidArgumentError('change', `must be an object, not ${formatValue(change)}`);
}

/**
 * The spec with the given fields in place of its own. A field that is undefined is removed, and so is one that belongs to
 * another kind of rule than the given one.
 */
export function mergeSpec(spec: ScheduleSpec, change: Partial<ScheduleSpec>): ScheduleSpec {
  const isGiven = (field: keyof ScheduleSpec): boolean => change[field] !== undefined;
  const { cron: _c, every: _e, at: _a, timezone, aligned, ...rest } = spec;
  const replacesRule = (['cron', 'every', 'at'] as const).some((field) =>
    Object.hasOwn(change, field),
  );
  const kept = {
    ...rest,
    ...(isGiven('cron') ? { timezone } : {}),
    ...(isGiven('every') ? { aligned } : {}),
  };
  const merged = { ...(replacesRule ? kept : spec), ...change };
  const given = Object.entries(merged).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

/** @throws InvalidArgumentError for the first field that is unknown or not valid */
export function checkScheduleFilter(filter: ScheduleFilter): ScheduleQuery {
  checkCallOptions('schedules.list()', filter, LIST_OPTIONS);
  const { state, origin, after, limit } = filter;
  checkOneOf('state', state, STATES);
  checkOneOf('origin', origin, ORIGINS);
  if (after !== undefined) checkName(after, 'after');
  return {
    workflow: checkWorkflow(filter.workflow) ?? null,
    state: state ?? null,
    origin: origin ?? null,
    after: after ?? null,
    limit: checkLimit(limit),
  };
}

function checkOneOf(argument: string, value: unknown, known: ReadonlySet<unknown>): void {
  if (value === undefined || known.has(value)) return;
  throw new InvalidArgumentError(
    argument,
    `must be one of ${[...known].join(', ')}, not ${formatValue(value)}`,
  );
}

/** @throws InvalidArgumentError unless the limit is a whole number from 1 to 500 */
export function checkLimit(limit: number = DEFAULT_LIMIT): number {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError('limit', `must be 1 to ${MAX_LIMIT}, not ${formatValue(limit)}`);
}
