import type { EntityManager } from 'typeorm';
import type { StepOptions } from '../../discovery/task-context/step-options.js';
import { InvalidArgumentError, NotAllowedError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import { DURATION_FORM, INSTANT_FORM, isInstant, parseDuration } from '../../workflow/index.js';
import type { StepDue } from '../../store/port/index.js';
import { stepNameOf } from './step-name.js';
import type { TaskSteps } from './task-steps.js';

const STEP_OPTIONS: ReadonlySet<string> = new Set<keyof StepOptions | 'transactional'>([
  'key',
  'version',
  'transactional',
]);
const SLEEP_OPTIONS: ReadonlySet<string> = new Set(['until']);

type Work = (manager?: EntityManager) => unknown;

/** `context.step(name, work)` or `context.step(name, options, work)`, with its arguments checked. */
export function callStep(
  steps: TaskSteps,
  name: unknown,
  given: readonly unknown[],
): Promise<unknown> {
  try {
    const { task } = steps.claim;
    if (task.transactional) {
      throw new NotAllowedError(
        `context.step() in the transactional task ${JSON.stringify(task.name)}`,
        'its writes are committed together with its outcome, so a recorded step could outlive them',
        'Use a task that is not transactional, with transactional steps.',
      );
    }
    const [options, work] = given.length > 1 ? given : [{}, given[0]];
    checkCallOptions('step()', options as object, STEP_OPTIONS);
    const { key, version, transactional } = options as StepOptions & {
      readonly transactional?: unknown;
    };
    if (typeof work !== 'function') {
      throw new InvalidArgumentError('step()', `needs a function, not ${formatValue(work)}`);
    }
    if (transactional !== undefined && typeof transactional !== 'boolean') {
      throw new InvalidArgumentError(
        'transactional',
        `must be a boolean, not ${formatValue(transactional)}`,
      );
    }
    const stepName = stepNameOf(name, { key, version });
    return transactional === true
      ? steps.transactionalStep(stepName, work as Work)
      : steps.step(stepName, work as Work);
  } catch (error) {
    return steps.refuse(error);
  }
}

/** `context.sleep(name, duration)`, with its arguments checked. */
export function callSleep(steps: TaskSteps, name: unknown, duration: unknown): Promise<void> {
  try {
    return steps.wait<void>({
      kind: 'sleep',
      name: stepNameOf(name),
      due: dueOf(duration),
      whenDue: 'Done',
      listensFor: null,
      valueOf: () => undefined,
    });
  } catch (error) {
    return steps.refuse(error);
  }
}

function dueOf(duration: unknown): StepDue {
  if (typeof duration === 'object' && duration !== null) {
    checkCallOptions('sleep()', duration, SLEEP_OPTIONS);
    const { until } = duration as { readonly until?: unknown };
    if (isInstant(until)) return { at: until };
    throw new InvalidArgumentError('until', `must be ${INSTANT_FORM}, not ${formatValue(until)}`);
  }
  const inMs = parseDuration(duration);
  if (inMs !== undefined) return { inMs };
  throw new InvalidArgumentError(
    'duration',
    `must be ${DURATION_FORM}, or { until: a Date }, not ${formatValue(duration)}`,
  );
}
