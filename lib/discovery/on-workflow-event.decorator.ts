import 'reflect-metadata';
import type { WorkflowEventName, WorkflowEventOf } from '../events/event-name.js';
import type { WorkflowRef } from './workflow-ref.js';

// A registered symbol: a class decorated by one copy of the package is known to another one.
const HANDLERS = Symbol.for('nestjs-cloacina:event-handlers');

/** Which events a method of {@link OnWorkflowEvent} gets. Default: all. */
export interface WorkflowEventFilter {
  /** Of these workflows only. */
  workflow?: WorkflowRef | readonly WorkflowRef[];
  /** Of the tenants with these names only. */
  tenant?: string | readonly string[];
}

/** A method with {@link OnWorkflowEvent}, as it was given: nothing is checked before boot. */
export interface EventHandlerMetadata {
  readonly method: string;
  readonly names: unknown;
  readonly filter: WorkflowEventFilter;
}

/**
 * Calls a method of any provider or controller with the events of all tenants that this process serves, those that are
 * added later included. The events are this process's own, in the order in which it stored them; see
 * `CloacinaRunner.events$`. For what must not be missed when the process dies, use a task.
 *
 * Nothing waits for the method but `app.close()`, up to five seconds. An error that it throws is logged.
 *
 * @param name - the type of an event, or an end by its status, such as `execution.failed`; or several
 * @param filter - the workflows and tenants; default: all
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Alerts {
 *   @OnWorkflowEvent('execution.failed', { workflow: Billing })
 *   async billingFailed(event: WorkflowEventOf<'execution.failed'>): Promise<void> {
 *     await this.pager.call(`${event.tenant}: ${event.error?.message}`);
 *   }
 * }
 * ```
 */
export function OnWorkflowEvent<const N extends WorkflowEventName>(
  name: N | readonly N[],
  filter: WorkflowEventFilter = {},
): <M extends (event: WorkflowEventOf<N>) => unknown>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => {
    const handler: EventHandlerMetadata = { method: key, names: name, filter };
    const owner = target.constructor;
    Reflect.defineMetadata(HANDLERS, [...getEventHandlers(owner), handler], owner);
  };
}

/** The class's methods with {@link OnWorkflowEvent}, its ancestors' first. */
export function getEventHandlers(type: Function): readonly EventHandlerMetadata[] {
  const handlers: readonly EventHandlerMetadata[] | undefined = Reflect.getMetadata(HANDLERS, type);
  return handlers ?? [];
}
