import type { WorkflowContext, WorkflowInput, WorkflowRef } from '../workflow-ref.js';
import type {
  ChildCall,
  ChildContexts,
  ChildHandle,
  ExecuteAllOptions,
  ExecuteChildOptions,
  SettledChild,
  SettledChildren,
  StartChildOptions,
} from './child-options.js';

/** Starts executions that belong to a task. */
export interface ChildExecutions {
  /**
   * Starts an execution as a child, waits for its end without occupying a slot, and returns its context. The child is
   * recorded under a name: a later run of the task finds the same child.
   *
   * The child gets the priority and the tags of this execution unless the options have others, and it is pinned to the
   * newest definition of its workflow. When this execution is Cancelled or Failed, children that have not ended are
   * cancelled, see `onParentEnd`. A manual retry of this execution retries its failed children in place.
   *
   * Always await the call, and do not catch the signal that it throws; see {@link TaskContext.sleep}.
   *
   * @param input - the input, at most `maxContextSize` bytes of JSON
   * @throws ChildFailedError, ChildCancelledError if the child did not complete; the task fails without a retry, unless
   *   the handler catches the error. With `settled: true`, the child is returned instead
   * @throws ChildMissingError if the child was deleted
   * @throws NotAllowedError below 50 levels of executions, or if the child would wait for itself
   * @throws DuplicateStepError for a name that this run has used already; give a `name` or a `key`
   * @throws UnknownWorkflowError, InvalidContextError, ContextTooLargeError, InvalidArgumentError as `start`
   * @example
   * ```ts
   * const { pdf } = await context.execute(RenderPdf, { invoiceId: context.require('id') });
   * ```
   */
  execute<R extends WorkflowRef>(
    workflow: R,
    input?: WorkflowInput<R>,
    options?: ExecuteChildOptions & { settled?: false },
  ): Promise<WorkflowContext<R>>;
  /** With `settled: true`, returns a child in any final status; check its `status`. */
  execute<R extends WorkflowRef>(
    workflow: R,
    input: WorkflowInput<R> | undefined,
    options: ExecuteChildOptions,
  ): Promise<SettledChild<WorkflowContext<R>>>;
  /**
   * Starts several children together, waits for all of them, and returns their contexts in the same order. The task is
   * suspended once, until the last child has ended. If children did not complete, it throws the error of the first of them
   * after all have ended.
   *
   * Without a `name` or a `key`, a child is recorded under its workflow and its position, so a deploy must not change the
   * order; see the options.
   *
   * @param children - the workflow, the input and the options of each child
   * @throws the errors of {@link TaskContext.execute}
   * @example
   * ```ts
   * const pages = await context.executeAll(urls.map((url) => [ScanPage, { url }, { key: url }] as const));
   * ```
   */
  executeAll<const W extends readonly WorkflowRef[]>(
    children: { readonly [K in keyof W]: ChildCall<W[K]> },
    options?: ExecuteAllOptions & { settled?: false },
  ): Promise<ChildContexts<W>>;
  /** With `settled: true`, returns the children in any final status. */
  executeAll<const W extends readonly WorkflowRef[]>(
    children: { readonly [K in keyof W]: ChildCall<W[K]> },
    options: ExecuteAllOptions,
  ): Promise<SettledChildren<W>>;
  /**
   * Starts an execution as a child without waiting for it, and returns its handle. A later run of the task finds the same
   * child. In a transactional task, the child is stored with the writes and the outcome of the task, or not at all.
   *
   * If the parent is Cancelled or Failed, the child is cancelled, unless `onParentEnd` is `'abandon'`. It stays Cancelled when
   * the parent is retried, because no task waits for it; retry it by its id.
   *
   * @throws the errors of {@link TaskContext.execute} that concern the start
   * @example
   * ```ts
   * const { id } = await context.start(SendNewsletter, { edition }, { onParentEnd: 'abandon' });
   * ```
   */
  start<R extends WorkflowRef>(
    workflow: R,
    input?: WorkflowInput<R>,
    options?: StartChildOptions,
  ): Promise<ChildHandle<WorkflowContext<R>>>;
}
