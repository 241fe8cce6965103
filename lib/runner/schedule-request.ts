import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { ScheduleRecord } from '../store/port/index.js';
import { pollerOf, textProblem } from '../workflow/index.js';
import { planSchedule, type CatchUp, type ScheduleSpec } from '../workflow/schedule/index.js';

const MAX_NAME = 200;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
const RUN_NOW = new Set<unknown>(['allow', 'cancelPrevious', 'queue']);

/** @throws InvalidArgumentError for a name that is empty or too long, or that PostgreSQL cannot store */
export function checkName(name: string): void {
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) {
    throw new InvalidArgumentError('name', `must be a string of 1 to ${MAX_NAME} characters`);
  }
  const problem = textProblem(name);
  if (problem !== undefined) throw new InvalidArgumentError('name', problem);
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

/** @throws InvalidArgumentError for a policy that `runNow` does not take */
export function checkRunNow(overlap: unknown): void {
  if (overlap === undefined || RUN_NOW.has(overlap)) return;
  throw new InvalidArgumentError(
    'overlap',
    `must be one of ${[...RUN_NOW].join(', ')}, not ${formatValue(overlap)}`,
  );
}

/** The spec with the given fields in place of its own. A field that is undefined is removed. */
export function mergeSpec(spec: ScheduleSpec, change: Partial<ScheduleSpec>): ScheduleSpec {
  const replacesRule = ['cron', 'every', 'at'].some((field) => Object.hasOwn(change, field));
  const { cron: _c, every: _e, at: _a, ...rest } = spec;
  const merged = { ...(replacesRule ? rest : spec), ...change };
  const given = Object.entries(merged).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

/** @throws InvalidArgumentError unless the limit is a whole number from 1 to 500 */
export function checkLimit(limit: number = DEFAULT_LIMIT): number {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError('limit', `must be 1 to ${MAX_LIMIT}, not ${formatValue(limit)}`);
}
