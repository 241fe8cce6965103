import type { ChildOptions } from '../../discovery/task-context/child-options.js';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { InvalidArgumentError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { OnParentEnd } from '../../store/port/index.js';
import { stepNameOf, type StepName } from '../waits/step-name.js';
import type { PreparedOptions } from './child-runner.js';

const CHILD_OPTIONS = [
  'name',
  'key',
  'onParentEnd',
  'idempotencyKey',
  'priority',
  'tags',
] as const satisfies (keyof ChildOptions)[];
export const EXECUTE_OPTIONS: ReadonlySet<string> = new Set([...CHILD_OPTIONS, 'settled']);
export const MEMBER_OPTIONS: ReadonlySet<string> = new Set(CHILD_OPTIONS);
export const START_OPTIONS: ReadonlySet<string> = new Set([...CHILD_OPTIONS, 'runAt', 'delay']);
export const ALL_OPTIONS: ReadonlySet<string> = new Set(['name', 'settled']);

/** A child to start, with its name and options checked. Input and start options are checked when it is started. */
export interface CheckedChild {
  readonly workflow: WorkflowRef;
  readonly input: object | undefined;
  readonly name: StepName;
  readonly onParentEnd: OnParentEnd;
  readonly options: PreparedOptions;
}

interface ChildDefaults {
  readonly call: string;
  readonly known: ReadonlySet<string>;
  readonly nameOf: (workflow: WorkflowRef) => string;
  /** The name and key of the step, if the options give no name. */
  readonly name?: string | undefined;
  readonly key?: number | undefined;
}

/** @throws InvalidArgumentError for an option that is not known or not valid */
export function checkChild(
  workflow: WorkflowRef,
  input: object | undefined,
  options: ChildOptions & PreparedOptions = {},
  { call, known, nameOf, name: group, key: position }: ChildDefaults,
): CheckedChild {
  checkCallOptions(call, options, known);
  const { name, key, onParentEnd = 'cancel', ...start } = options;
  if (onParentEnd !== 'cancel' && onParentEnd !== 'abandon') {
    throw new InvalidArgumentError(
      'onParentEnd',
      `must be 'cancel' or 'abandon', not ${formatValue(onParentEnd)}`,
    );
  }
  const shown = name ?? group ?? nameOf(workflow);
  const defaultKey = name === undefined ? position : undefined;
  const stepName = stepNameOf(shown, { key: key ?? defaultKey });
  return { workflow, input, name: stepName, onParentEnd, options: start };
}

/** @throws InvalidArgumentError unless `settled` is a boolean */
export function checkSettled(settled: unknown = false): boolean {
  if (typeof settled === 'boolean') return settled;
  throw new InvalidArgumentError('settled', `must be true or false, not ${formatValue(settled)}`);
}
