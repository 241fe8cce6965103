import type { EventDefinition } from './message-definitions.js';
import type { StartOnOptions } from './start-on.js';
import { addEventStart } from './workflow-metadata.js';
import type { WorkflowInput } from './workflow-ref.js';

/** The classes whose input an execution with the input `I` fits. For others, the compiler shows the input they take. */
type Takes<T, I> = [I] extends [WorkflowInput<T>]
  ? unknown
  : { readonly 'The input does not fit the workflow, which takes': WorkflowInput<T> };

type AnyClass = abstract new (...args: never[]) => unknown;

/** A decorator of a workflow class that takes the input `I`. */
export type StartOnDecorator<I> = <T extends AnyClass>(target: T & Takes<T, I>) => void;

/**
 * Starts an execution of a {@link Workflow} class for each event of a name, exactly once, whichever process sends or
 * delivers the event. A class may have several.
 *
 * It holds for events that are sent after a process with the decorator has booted. An event whose input the workflow
 * refuses is logged and tried again, at most until its `keepFor` is over.
 *
 * @param event - a result of `defineEvent()`
 * @example
 * ```ts
 * @StartOn(InvoicePaid, { input: (payment, event) => ({ invoiceId: event.key, amount: payment.amount }) })
 * @Workflow({ name: 'send-receipt' })
 * export class SendReceipt {}
 * ```
 */
export function StartOn<P, S, I extends object>(
  event: EventDefinition<P, S>,
  options: StartOnOptions<P, I> & { input: object },
): StartOnDecorator<I>;
/** The same with the event's payload as the input. */
export function StartOn<P, S>(
  event: EventDefinition<P, S>,
  options?: Omit<StartOnOptions<P>, 'input'>,
): StartOnDecorator<P>;
export function StartOn(event: unknown, options: object = {}): (target: Function) => void {
  return (target) => addEventStart(target, { event, options: { ...options } });
}
