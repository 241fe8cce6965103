import type { StoredError } from '../../errors/index.js';
import type { Duration, Tags } from '../../workflow/index.js';
import type { JsonObject } from '../context-types.js';
import type { WorkflowContext, WorkflowInput, WorkflowRef } from '../workflow-ref.js';

/** Options of a child, an execution that a task starts. */
export interface ChildOptions {
  /**
   * The name of the step, which tells a later run of the task which child it has started. Unique in the task. Default: the
   * name of the workflow.
   */
  name?: string;
  /** Tells children with the same name apart, in a loop for example: 1 to 200 characters, or a number. Default: none. */
  key?: string | number;
  /**
   * What happens to a child that has not ended when its parent is Cancelled or Failed: it is cancelled, or it continues.
   * The children of a Completed parent always continue. Default: `cancel`.
   */
  onParentEnd?: 'cancel' | 'abandon';
  /**
   * A key that is unique for the tenant and workflow. If an earlier execution has it, the task uses that one in place of a
   * child of its own, also if it has ended. Default: none.
   */
  idempotencyKey?: string;
  /** A whole number from -100 to 100 that is added to the priorities of the child's tasks. Default: that of the parent. */
  priority?: number;
  /** Business keys of the child; see `StartOptions`. Default: those of the parent. */
  tags?: Tags;
}

/** Options of {@link TaskContext.execute}. */
export interface ExecuteChildOptions extends ChildOptions {
  /** Whether a child that Failed or was Cancelled is returned; check its `status`. Default: `false`, the call throws. */
  settled?: boolean;
}

/** Options of {@link TaskContext.executeAll}. */
export interface ExecuteAllOptions {
  /** The name of the steps of children without a name. Their keys are their positions. Default: the child's workflow. */
  name?: string;
  /** As in {@link ExecuteChildOptions}. */
  settled?: boolean;
}

/** Options of {@link TaskContext.start}. */
export interface StartChildOptions extends ChildOptions {
  /** The earliest time at which tasks of the child run. Default: now. */
  runAt?: Date;
  /** The earliest time at which tasks of the child run, as a duration from now. Cannot be combined with `runAt`. */
  delay?: Duration;
}

/** A child of {@link TaskContext.executeAll}: its workflow, its input and its options. */
export type ChildCall<R extends WorkflowRef> = readonly [
  workflow: R,
  input?: WorkflowInput<R>,
  options?: ChildOptions,
];

/** A child that has ended, with `settled: true`. */
export type SettledChild<C extends object = JsonObject> = {
  /** The id of the child. */
  id: string;
  workflow: string;
} & (
  | { status: 'Completed'; context: C }
  | {
      status: 'Failed' | 'Cancelled';
      /** The context as far as it was written. */
      context: Partial<C>;
      /** Of a Failed child: its timeout, or the error of the first task whose failure was not handled. */
      error?: StoredError;
      /** Of a Cancelled child: the reason that the caller gave. */
      reason?: string;
    }
);

/** The contexts of children, in the order of the calls. */
export type ChildContexts<W extends readonly WorkflowRef[]> = {
  -readonly [K in keyof W]: WorkflowContext<W[K]>;
};

/** The same with `settled: true`. */
export type SettledChildren<W extends readonly WorkflowRef[]> = {
  -readonly [K in keyof W]: SettledChild<WorkflowContext<W[K]>>;
};

/**
 * A handle of a child: an `ExecutionHandle`.
 *
 * @typeParam C - the context of the child
 */
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-unused-vars -- runner/ adds the members
export interface ChildHandle<C extends object = JsonObject> {}
