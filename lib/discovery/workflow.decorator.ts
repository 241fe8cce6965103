import { setWorkflowOptions } from './workflow-metadata.js';
import type { WorkflowOptions } from './options.js';

/**
 * Makes a class a workflow; its methods with {@link Task} are the tasks. Add it to the providers of one module. The
 * class must be a singleton: tasks run outside any request.
 *
 * A subclass is the same workflow, with the tasks it inherits, overrides and adds, unless it has a `@Workflow` of its
 * own. Mistakes are reported at boot, all of them in one ConfigurationError.
 *
 * @example
 * ```ts
 * @Workflow({ name: 'order-fulfilment', timeout: '2d' })
 * export class OrderFulfilment {
 *   // Optional: a Standard Schema, which validates and types what start() takes.
 *   static readonly input = z.object({ orderId: z.number() });
 *
 *   constructor(private readonly payments: PaymentService) {}
 *
 *   @Task()
 *   async charge(context: TaskContext<Order>) {
 *     return { paymentId: await this.payments.charge(context.require('orderId'), context.idempotencyKey) };
 *   }
 *
 *   @Task({ dependsOn: ['charge'] })
 *   async ship(context: TaskContext<Order>) {}
 * }
 * ```
 */
export function Workflow(options: WorkflowOptions): ClassDecorator {
  return (target) => setWorkflowOptions(target, { ...options });
}
