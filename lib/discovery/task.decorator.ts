import type { TriggerRule } from '../workflow/trigger-rule.js';
import type {
  AnyTaskHandler,
  ContextOfTasks,
  ResultFits,
  RuleKeysOf,
  TaskNamesOf,
} from './class-types.js';
import type { TaskOptions } from './options.js';
import { addTask } from './workflow-metadata.js';

/**
 * Makes a public method of a {@link Workflow} class a task. The method takes one {@link TaskContext}, and returns an
 * object whose keys are stored in the context, or nothing.
 *
 * `dependsOn` names methods and nodes of the class; the rules of `when` name those in `dependsOn` and keys of the context.
 * The compiler checks both, and editors suggest them.
 *
 * The compiler also checks the result: its keys must be keys of the context that the class's tasks see, with values of
 * their types, as for {@link TaskContext.set}. One task with a plain `TaskContext` leaves other keys open.
 *
 * @example
 * ```ts
 * @Task({ dependsOn: ['charge', 'reserve'], retry: { maxAttempts: 5, delay: '2s' }, timeout: '30s' })
 * async ship(context: TaskContext<Order>) {
 *   return { trackingCode: await this.carrier.ship(context.require('orderId')) };
 * }
 * ```
 */
export function Task<
  T extends object,
  // The compiler infers the class from the decorated method, so that the options can refer to its methods and keys.
  const D extends readonly TaskNamesOf<T>[] = [],
>(
  options?: TaskOptions<D, TriggerRule<NoInfer<D>[number], RuleKeysOf<T>>>,
): <M extends AnyTaskHandler>(
  target: T,
  key: string,
  descriptor: TypedPropertyDescriptor<M> & ResultFits<M, ContextOfTasks<T>>,
) => void {
  return (target, key) => addTask(target, key, { ...options });
}
