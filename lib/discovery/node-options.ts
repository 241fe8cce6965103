import type { Duration } from '../workflow/duration.js';
import type { ParentEnd, TimeoutOutcome } from '../workflow/node.js';
import type { TriggerRule } from '../workflow/trigger-rule.js';
import type { EventDefinition, SignalDefinition } from './message-definitions.js';
import type { WorkflowContext, WorkflowRef } from './workflow-ref.js';

/** Exists for the compiler only. It carries the type of what a node is made from. */
declare const NODE: unique symbol;

/**
 * The type of a property that is a node of a {@link Workflow} class, for {@link WaitFor}, {@link Sleep} and
 * {@link Child}. The property has no value. `T` is the type of the signal, event or workflow.
 *
 * @example
 * ```ts
 * @WaitFor({ signal: Approval, dependsOn: ['price'] }) approval!: Node<typeof Approval>;
 * ```
 */
export interface Node<T = void> {
  readonly [NODE]: T;
}

/** A signal or event with any payload. */
// oxlint-disable-next-line typescript/no-explicit-any -- any payload
export type AnyMessage = SignalDefinition<any, any> | EventDefinition<any, any>;

/** The payload of a signal or event as a task receives it. */
export type MessagePayload<M> =
  // oxlint-disable-next-line typescript/no-explicit-any -- the input of the sender does not matter
  M extends SignalDefinition<infer P, any> | EventDefinition<infer P, any> ? P : never;

/** Options of all nodes. `D` are the names of the dependencies, `W` is the type of the trigger rule. */
export interface NodeOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
> {
  /** The node's name, unique in the workflow, 1 to 200 characters. Default: the name of the property. */
  name?: string;
  /** The tasks and nodes that have to end before this node. Default: none. */
  dependsOn?: D;
  /** The trigger rule: whether the node runs after its dependencies have ended. Default: if all of them are Completed. */
  when?: W;
}

/** The signal that a node waits for. */
export interface NodeSignal<M> {
  /** A result of `defineSignal()`. The node takes the oldest signal of the execution, also one that was sent before. */
  // oxlint-disable-next-line typescript/no-explicit-any -- any payload
  signal: M & SignalDefinition<any, any>;
  event?: undefined;
  key?: undefined;
  lookback?: undefined;
}

/** The event that a node waits for. `K` are the keys of the context. */
export interface NodeEvent<M, K extends string = string> {
  /** A result of `defineEvent()`. */
  // oxlint-disable-next-line typescript/no-explicit-any -- any payload
  event: M & EventDefinition<any, any>;
  /** The key of the context whose value is the key of the event: a string of 1 to 200 characters, or a number. */
  key: K;
  /** How old the event may be when the node begins to wait. Default: no older than the execution. */
  lookback?: Duration;
  signal?: undefined;
}

/** The time limit of a node that waits. */
export interface NodeTimeout<O extends TimeoutOutcome = TimeoutOutcome> {
  /** The longest wait. Default: no limit. */
  timeout?: Duration;
  /**
   * What becomes of the node after its `timeout`:
   *
   * - `'fail'`: it is Failed with a SignalTimeoutError, which a task with `taskFailed()` may handle.
   * - `'skip'`: it is Skipped, and so are its dependents by the default rule. The execution does not fail.
   * - `'complete'`: it is Completed, and its context key is not set.
   *
   * Default: `'fail'`.
   */
  onTimeout?: O;
}

/** Options of {@link WaitFor}. */
export type WaitForOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
  M = AnyMessage,
  K extends string = string,
  O extends TimeoutOutcome = TimeoutOutcome,
> = NodeOptions<D, W> & NodeTimeout<O> & (NodeSignal<M> | NodeEvent<M, K>);

/** How long a node sleeps. `K` are the keys of the context. */
export type NodeSleep<K extends string = string> =
  | {
      /** The time to sleep, from the end of the last dependency. */
      for: Duration;
      until?: undefined;
    }
  | {
      /**
       * The key of the context whose value is the time at which the node ends: an ISO 8601 string, as a stored Date is, or
       * milliseconds since 1970. A time in the past does not sleep.
       */
      until: K;
      for?: undefined;
    };

/** Options of {@link Sleep}. */
export type SleepOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
  K extends string = string,
> = NodeOptions<D, W> & NodeSleep<K>;

/** Options of {@link Child}. `C` is the context that the node sees, `I` the input of the child. */
export interface ChildNodeOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
  C = never,
  I = object,
  O extends string = string,
> extends NodeOptions<D, W> {
  /**
   * Makes the child's input from the context that the node sees. It runs each time the node runs, so it should only choose
   * and convert values. The running code decides, so a deploy changes it for unfinished executions too. Default: the
   * whole context is the input.
   */
  input?: (context: C) => I | Promise<I>;
  /** The key of the child's context whose value is stored under the node's name. Default: the child's whole context. */
  output?: O;
  /** What happens to a child that has not ended when this execution is Cancelled or Failed. Default: `'cancel'`. */
  onParentEnd?: ParentEnd;
}

/** The names of the keys of a child's context. */
export type OutputOf<R extends WorkflowRef> = keyof WorkflowContext<R> & string;
