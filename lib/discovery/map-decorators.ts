import type { TriggerRule } from '../workflow/index.js';
import type { ContextOfTasks, RuleKeysOf, TaskNamesOf } from './class-types.js';
import type { ItemContext, ItemOf, MapChildrenOptions, MapOptions } from './map-options.js';
import type { Node, OutputOf } from './node-options.js';
import { addMap, addNode } from './workflow-metadata.js';
import type { WorkflowInput, WorkflowRef } from './workflow-ref.js';

/** The rules that a map of the class may have. */
type RuleOf<T, D extends readonly string[]> = TriggerRule<NoInfer<D>[number], RuleKeysOf<T>>;

/**
 * Makes a public method of a {@link Workflow} class a task that runs once for each item. The items run in parallel, in all
 * processes. Each has attempts, steps, waits and a result of its own, and survives its process by itself.
 *
 * When all items have ended, the map ends by `onItemFailure`, and tasks that depend on it run. A summary becomes the context
 * key of its name; {@link TaskContext.results} reads the results.
 *
 * @example
 * ```ts
 * @MapTask({
 *   dependsOn: ['load'],
 *   items: (context) => context.require('customers'),
 *   concurrency: 20,
 *   onItemFailure: { tolerate: 0.01 },
 * })
 * async notify(context: ItemContext<Customer, Billing>) {
 *   return { messageId: await this.mail.send(context.item, context.idempotencyKey) };
 * }
 * ```
 */
export function MapTask<
  T extends object,
  I,
  const D extends readonly TaskNamesOf<T>[] = [],
  K extends number | undefined = undefined,
>(
  options: MapOptions<D, RuleOf<T, D>, ContextOfTasks<T>, I, K>,
  // oxlint-disable-next-line typescript/no-explicit-any -- as for TaskMethod
): <M extends (context: ItemContext<ItemOf<I, K>, any>) => unknown>(
  target: T,
  key: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => addMap(target, key, { ...options });
}

/**
 * Makes a property of a {@link Workflow} class a map that starts an execution as a child for each item, and waits for all of
 * them without occupying anything. An item is the input of its child. The values of the items are the contexts of the children,
 * or the key `output` of them.
 *
 * @param workflow - a function, so that the files of two workflows may import each other
 * @example
 * ```ts
 * @MapChildren(() => SendInvoice, { items: (context) => context.require('invoices'), onItemFailure: 'continue' })
 * invoices!: Node<typeof SendInvoice>;
 * ```
 */
export function MapChildren<
  T extends object,
  R extends WorkflowRef,
  const D extends readonly TaskNamesOf<T>[] = [],
>(
  workflow: () => R,
  options: MapChildrenOptions<D, RuleOf<T, D>, ContextOfTasks<T>, WorkflowInput<R>, OutputOf<R>>,
): <N extends string>(
  target: T & { readonly [P in N]: Node<R extends string ? string : R> },
  key: N,
) => void {
  return (target, key) => addNode(target, key, { kind: 'map', options: { ...options }, workflow });
}
