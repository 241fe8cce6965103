import 'reflect-metadata';
import { formatValue } from '../errors/option-checks.js';
import { encodeJson } from '../workflow/index.js';
import { planSchedule, type ScheduleSpec } from '../workflow/schedule/index.js';
import {
  areDisjoint,
  chosenTenantsProblem,
  isChosen,
  type ChosenTenants,
} from './chosen-tenants.js';
import type { JsonObject } from './context-types.js';

const SCHEDULES = Symbol.for('nestjs-cloacina:schedules');

/** The options of {@link Schedule}. */
export interface ScheduleOptions extends ScheduleSpec {
  /**
   * The schedule's name, 1 to 200 characters. Two schedules may share a name only if the `tenants` of both are lists without a
   * common tenant. Default: the workflow's name.
   */
  readonly name?: string;
  /** The input of each execution. Default: none. */
  readonly input?: JsonObject;
  /** Which tenants have the schedule: their names, or a function that decides. Default: all that run the workflow. */
  readonly tenants?: readonly string[] | ((tenant: string) => boolean);
}

/** A schedule in the code, checked. */
export interface DeclaredSchedule {
  readonly name: string;
  readonly spec: ScheduleSpec;
  readonly input: JsonObject | undefined;
  /** Undefined: all that run the workflow. */
  readonly tenants: ChosenTenants | undefined;
  readonly isFor: (tenant: string) => boolean;
}

/**
 * Starts the workflow at times, in each tenant. Each time has exactly one execution, whatever the number of processes.
 *
 * When a tenant is opened, its schedules become those of the code: new ones are created, changed ones changed, and those that
 * the code no longer has are paused. Schedules that `runner.schedules` made are left alone.
 *
 * The first argument is a cron expression, or all options, of which one is `cron`, `every` or `at`.
 *
 * @example
 * ```ts
 * @Workflow({ name: 'nightly-report' })
 * @Schedule('0 2 * * *', { timezone: 'Europe/Lisbon' })
 * export class NightlyReport {
 *   @Task()
 *   async collect(context: TaskContext) {
 *     const day = context.schedule?.scheduledAt ?? new Date();
 *   }
 * }
 * ```
 */
export function Schedule(
  cron: string,
  options?: Omit<ScheduleOptions, 'at' | 'cron' | 'every'>,
): ClassDecorator;
export function Schedule(options: ScheduleOptions): ClassDecorator;
export function Schedule(
  first: ScheduleOptions | string,
  rest: Omit<ScheduleOptions, 'at' | 'cron' | 'every'> = {},
): ClassDecorator {
  const options = typeof first === 'string' ? { ...rest, cron: first } : { ...first };
  return (target) => {
    Reflect.defineMetadata(SCHEDULES, [options, ...schedulesOf(target)], target);
  };
}

/** The schedules of a class, its own or inherited, in the order of the source. */
export function schedulesOf(target: Function): readonly ScheduleOptions[] {
  const schedules: readonly ScheduleOptions[] | undefined = Reflect.getMetadata(SCHEDULES, target);
  return schedules ?? [];
}

/** Checks the declared schedules of a workflow. The problems are sentences that begin with `owner`. */
export function declareSchedules(
  owner: string,
  workflow: string,
  declared: readonly ScheduleOptions[],
): { readonly schedules: readonly DeclaredSchedule[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const schedules = declared.map((options): DeclaredSchedule => {
    const { name = workflow, input, tenants, ...spec } = options;
    const whose = `${owner}, schedule ${JSON.stringify(name)}`;
    const plan = planSchedule(spec, 0);
    if ('problems' in plan)
      for (const { field, problem } of plan.problems)
        problems.push(`${whose}: ${field} ${problem}.`);
    if (typeof name !== 'string' || name === '' || name.length > MAX_NAME)
      problems.push(`${whose}: name must be a string of 1 to ${MAX_NAME} characters.`);
    const problem = input === undefined ? undefined : inputProblem(input);
    if (problem !== undefined) problems.push(`${whose}: ${problem}.`);
    const choice = tenants === undefined ? undefined : chosenTenantsProblem(tenants);
    if (choice !== undefined) problems.push(`${whose}: tenants ${choice}.`);
    return { name, spec, input, tenants, isFor: (tenant) => isChosen(tenants, tenant) };
  });
  const twice = schedules.find((one, i) =>
    schedules.slice(0, i).some((other) => haveOneName(one, other)),
  );
  if (twice !== undefined)
    problems.push(
      `${owner} has two schedules of the name ${JSON.stringify(twice.name)}: give each a name, or lists of tenants without a ` +
        'common one.',
    );
  return { schedules, problems };
}

/** Whether a tenant might have two schedules of one name. A function of tenants can't be compared with another. */
export function haveOneName(
  a: Pick<DeclaredSchedule, 'name' | 'tenants'>,
  b: Pick<DeclaredSchedule, 'name' | 'tenants'>,
): boolean {
  return a.name === b.name && !areDisjoint(a.tenants, b.tenants);
}

const MAX_NAME = 200;

/** What keeps an input from being stored. Whether it suits the workflow's schema shows when it fires. */
function inputProblem(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return `input must be an object, not ${formatValue(input)}`;
  const encoded = encodeJson(input);
  return encoded.ok ? undefined : `input.${encoded.path} ${encoded.problem}`;
}
