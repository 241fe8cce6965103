import type {
  ChildCall,
  ExecuteAllOptions,
  ExecuteChildOptions,
  StartChildOptions,
} from '../../discovery/task-context/child-options.js';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { ClaimLostError, InvalidArgumentError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { StepRow, UserTransaction } from '../../store/port/index.js';
import { SuspensionSignal } from '../waits/suspension.js';
import type { TaskSteps } from '../waits/task-steps.js';
import {
  ALL_OPTIONS,
  checkChild,
  checkSettled,
  EXECUTE_OPTIONS,
  MEMBER_OPTIONS,
  START_OPTIONS,
  type CheckedChild,
} from './child-arguments.js';
import { contextOfChild, settledChild } from './child-end.js';
import { assertNotTooDeep, childRequest, ChildWait } from './child-wait.js';
import type { Children } from './children.js';

/** `context.execute(workflow, input, options)`, with its arguments checked. */
export function callExecute(
  steps: TaskSteps,
  children: Children,
  workflow: WorkflowRef,
  input: object | undefined,
  options: ExecuteChildOptions = {},
): Promise<unknown> {
  try {
    checkCallOptions('execute()', options, EXECUTE_OPTIONS);
    const { settled, ...own } = options;
    const value = valueOf(children, checkSettled(settled));
    const { nameOf } = children;
    const defaults = { call: 'execute()', known: MEMBER_OPTIONS, nameOf };
    const child = checkChild(workflow, input, own, defaults);
    return steps.wait(new ChildWait(steps, children, child, false, value));
  } catch (error) {
    return steps.refuse(error);
  }
}

/**
 * `context.executeAll(children, options)`, with its arguments checked. All children are started, and the task is suspended
 * once: the end of the last one wakes it.
 */
export function callExecuteAll(
  steps: TaskSteps,
  children: Children,
  calls: readonly ChildCall<WorkflowRef>[],
  options: ExecuteAllOptions = {},
): Promise<unknown[]> {
  try {
    checkCallOptions('executeAll()', options, ALL_OPTIONS);
    if (!Array.isArray(calls)) {
      throw new InvalidArgumentError(
        'executeAll()',
        `needs an array of [workflow, input, options], not ${formatValue(calls)}`,
      );
    }
    const value = valueOf(children, checkSettled(options.settled));
    const waits = calls
      .map((call, key) => checkMember(children, call, key, options.name))
      .map((child) => steps.wait(new ChildWait(steps, children, child, true, value)));
    return allOf(waits);
  } catch (error) {
    return steps.refuse(error);
  }
}

function checkMember(
  { nameOf }: Children,
  call: ChildCall<WorkflowRef>,
  key: number,
  name: string | undefined,
): CheckedChild {
  if (!Array.isArray(call)) {
    throw new InvalidArgumentError(
      'executeAll()',
      `needs an array of [workflow, input, options]; its element ${key} is ${formatValue(call)}`,
    );
  }
  const [workflow, input, options] = call as ChildCall<WorkflowRef>;
  const defaults = { call: 'executeAll()', known: MEMBER_OPTIONS, nameOf, name, key };
  return checkChild(workflow, input, options, defaults);
}

/** All values. While a child runs, the task is suspended, even if another one has failed: no child is left behind. */
async function allOf(waits: readonly Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(waits);
  const failed = results.filter((result) => result.status === 'rejected');
  const suspended = failed.find(({ reason }) => reason instanceof SuspensionSignal);
  const [first] = failed;
  if (first !== undefined) throw (suspended ?? first).reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value);
}

function valueOf(children: Children, settled: boolean): (row: StepRow) => Promise<unknown> {
  return (row) => (settled ? settledChild(children, row) : contextOfChild(children, row));
}

/**
 * `context.start(workflow, input, options)`, with its arguments checked.
 *
 * @param transaction - that of a transactional task: the child is stored with its outcome
 */
export function callStart(
  steps: TaskSteps,
  children: Children,
  child: {
    readonly workflow: WorkflowRef;
    readonly input: object | undefined;
    readonly options: StartChildOptions | undefined;
  },
  transaction: UserTransaction | undefined,
): Promise<object> {
  try {
    const { workflow, input, options } = child;
    const checked = checkChild(workflow, input, options, {
      call: 'start()',
      known: START_OPTIONS,
      nameOf: children.nameOf,
    });
    return steps.once(checked.name, 'child', async (found) => {
      if (found !== undefined) return children.handle(found.childId ?? '');
      return children.handle(await startOnce(steps, children, checked, transaction));
    });
  } catch (error) {
    return steps.refuse(error);
  }
}

/** Starts the child. Returns its id: that of an earlier one if its key was taken, or if the step exists already. */
async function startOnce(
  steps: TaskSteps,
  children: Children,
  child: CheckedChild,
  transaction: UserTransaction | undefined,
): Promise<string> {
  const { claim } = steps;
  const request = await childRequest(children, claim, child, false);
  const started =
    transaction === undefined
      ? await children.start(request)
      : await children.startIn(transaction, request);
  assertNotTooDeep(started, child.workflow);
  if (started.fate === 'refused') throw new ClaimLostError(claim.task.name, claim.executionId);
  if (transaction === undefined) claim.progressed();
  if (started.fate !== 'exists' || started.isAttached) return started.id;
  return (await steps.stepNow(child.name))?.childId ?? started.id;
}
