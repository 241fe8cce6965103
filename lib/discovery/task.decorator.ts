import type { TaskOptions } from './options.js';
import type { TaskHandlerOf } from './task-context.js';
import { addTask } from './workflow-metadata.js';

/** A task's handler, whatever its context. The context is `any` for the reason given at {@link TaskMethod}. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyTaskHandler = TaskHandlerOf<any>;

/**
 * Makes a public method of a {@link Workflow} class a task. It takes one {@link TaskContext} and returns an object of
 * keys to store in the context, or nothing.
 *
 * `dependsOn` and the rules of `when` name the class's methods; the compiler checks `dependsOn`. A task whose `name`
 * differs from its method may be named by either, and its method goes first.
 *
 * @example
 * ```ts
 * @Task({ dependsOn: ['charge', 'reserve'], retry: { maxAttempts: 5, delay: '2s' }, timeout: '30s' })
 * async ship(context: TaskContext<Order>) {
 *   return { trackingCode: await this.carrier.ship(context.require('orderId')) };
 * }
 * ```
 */
export function Task<const D extends readonly string[] = []>(
  options?: TaskOptions<D>,
): <T extends Record<D[number], AnyTaskHandler>, M extends AnyTaskHandler>(
  target: T,
  key: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => addTask(target, key, { ...options });
}
