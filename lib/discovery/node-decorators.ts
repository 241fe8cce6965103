import type { TriggerRule } from '../workflow/trigger-rule.js';
import type { ContextOfClass, RuleKeysOf, TaskNamesOf } from './class-types.js';
import type { ContextKey } from './context-types.js';
import type {
  AnyMessage,
  ChildNodeOptions,
  Node,
  OutputOf,
  SleepOptions,
  WaitForOptions,
} from './node-options.js';
import type { TaskContext } from './task-context.js';
import { addNode } from './workflow-metadata.js';
import type { WorkflowInput, WorkflowRef } from './workflow-ref.js';

/** The rules that a node of the class may have. */
type RuleOf<T, D extends readonly string[]> = TriggerRule<NoInfer<D>[number], RuleKeysOf<T>>;

/** A decorator of a property of the type `Node<M>`. */
type NodeDecorator<T, M> = <K extends string>(
  target: T & { readonly [P in K]: Node<M> },
  key: K,
) => void;

/**
 * Makes a property of a {@link Workflow} class a node that waits for a signal or an event. It needs no handler, and
 * occupies nothing while it waits. The payload becomes the context key of the node's name.
 *
 * `dependsOn`, `when` and the names in them are those of {@link Task}, and tasks may depend on nodes.
 *
 * @example
 * ```ts
 * @WaitFor({ signal: Approval, dependsOn: ['price'], when: contextValue('total', 'greaterThan', 1000), timeout: '14d' })
 * approval!: Node<typeof Approval>;
 *
 * @WaitFor({ event: InvoicePaid, key: 'invoiceId', dependsOn: ['invoice'] })
 * payment!: Node<typeof InvoicePaid>;
 * ```
 */
export function WaitFor<
  T extends object,
  const D extends readonly TaskNamesOf<T>[] = [],
  M extends AnyMessage = AnyMessage,
>(options: WaitForOptions<D, RuleOf<T, D>, M, ContextKey<ContextOfClass<T>>>): NodeDecorator<T, M> {
  return (target, key) => addNode(target, key, { kind: 'wait', options: { ...options } });
}

/**
 * Makes a property of a {@link Workflow} class a node that sleeps. It needs no handler, and occupies nothing while it
 * sleeps.
 *
 * @example
 * ```ts
 * @Sleep({ for: '3d', dependsOn: ['remind'] }) coolDown!: Node;
 * @Sleep({ until: 'dueDate', dependsOn: ['invoice'] }) due!: Node;
 * ```
 */
export function Sleep<T extends object, const D extends readonly TaskNamesOf<T>[] = []>(
  options: SleepOptions<D, RuleOf<T, D>, ContextKey<ContextOfClass<T>>>,
): NodeDecorator<T, void> {
  return (target, key) => addNode(target, key, { kind: 'sleep', options: { ...options } });
}

/**
 * Makes a property of a {@link Workflow} class a node that starts an execution as a child, and waits for its end without
 * occupying anything. The child's context becomes the context key of the node's name.
 *
 * If the child fails, the node fails with a ChildFailedError and is not retried. A manual retry of the execution retries
 * the child in place.
 *
 * @param workflow - a function, so that the files of two workflows may import each other
 * @example
 * ```ts
 * @Child(() => RenderPdf, { dependsOn: ['approval'], input: (context) => ({ id: context.require('id') }), output: 'pdf' })
 * pdf!: Node<typeof RenderPdf>;
 * ```
 */
export function Child<
  T extends object,
  R extends WorkflowRef,
  const D extends readonly TaskNamesOf<T>[] = [],
>(
  workflow: () => R,
  options?: ChildNodeOptions<
    D,
    RuleOf<T, D>,
    TaskContext<ContextOfClass<T>>,
    WorkflowInput<R>,
    OutputOf<R>
  >,
): NodeDecorator<T, R extends string ? string : R> {
  return (target, key) =>
    addNode(target, key, { kind: 'child', options: { ...options }, workflow });
}
