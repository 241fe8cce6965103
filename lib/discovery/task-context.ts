import type { JsonObject } from './context-types.js';
import type { BatchInputs } from './task-context/batch-inputs.js';
import type { ChildExecutions } from './task-context/child-executions.js';
import type { ReadableContext, WritableContext } from './task-context/context-values.js';
import type { DurableSteps } from './task-context/durable-steps.js';
import type { DurableWaits } from './task-context/durable-waits.js';
import type { MapResults } from './task-context/map-results.js';
import type { ProgressReporting } from './task-context/progress-reporting.js';
import type { TaskRunInfo } from './task-context/run-info.js';
import type { TaskMessages } from './task-context/task-messages.js';
import type { TaskServices } from './task-context/task-services.js';

/** The parameter of a task's handler: the execution's context, and facts and services of the attempt. */
export interface TaskContext<C extends object = JsonObject>
  extends
    ReadableContext<C>,
    WritableContext<C>,
    TaskRunInfo,
    TaskServices,
    DurableSteps,
    DurableWaits,
    TaskMessages,
    ChildExecutions,
    MapResults,
    ProgressReporting,
    BatchInputs {}

/** The result of a task: keys to store, as with {@link TaskContext.set}, or nothing. */
export type TaskResult = JsonObject | void | undefined;

/**
 * The handler of a task. The context is `any`, because a parameter of type `TaskContext<JsonObject>` would not accept a
 * method `(context: TaskContext<Order>) => …`.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type TaskMethod = (context: TaskContext<any>) => TaskResult | Promise<TaskResult>;

/**
 * A result whose type is an interface or a class. The compiler does not accept these as JsonObject, because they have
 * no index signature. Iterables such as arrays and Maps are refused. Promises are too, because they would hide the type
 * that they resolve to.
 */
export type TaskResultObject = object & {
  readonly [Symbol.iterator]?: never;
  readonly then?: never;
};

/** The methods that {@link Task} accepts: a {@link TaskMethod}, or one whose result has an interface as its type. */
export type TaskHandlerOf<C extends object> = (
  context: TaskContext<C>,
) => TaskResult | TaskResultObject | Promise<TaskResult | TaskResultObject>;
