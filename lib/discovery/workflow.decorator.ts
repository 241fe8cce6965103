import { setWorkflowOptions } from './workflow-metadata.js';
import type { WorkflowOptions } from './options.js';

/**
 * Makes a class a workflow. Its methods with {@link Task} are the tasks. List the class in the `providers` of one
 * module. It must be a singleton, because tasks run outside any request.
 *
 * A subclass is the same workflow, with inherited, overridden and additional tasks. With its own `@Workflow`, it is
 * another workflow. All mistakes are reported at boot, in one ConfigurationError.
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
