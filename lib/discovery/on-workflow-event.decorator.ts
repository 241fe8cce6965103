import 'reflect-metadata';
import type { WorkflowEventName, WorkflowEventOf } from '../events/event-name.js';
import type { WorkflowRef } from './workflow-ref.js';

// A registered symbol, so that one copy of the package recognizes a class that another copy decorated.
const HANDLERS = Symbol.for('nestjs-cloacina:event-handlers');

/** Selects the events that a method with {@link OnWorkflowEvent} gets. Omitted fields do not filter. */
export interface WorkflowEventFilter {
  /** The workflows whose events the method gets, by class, name or definition. Default: all. */
  workflow?: WorkflowRef | readonly WorkflowRef[];
  /** The names of the tenants whose events the method gets. Default: all. */
  tenant?: string | readonly string[];
}

/** A method with {@link OnWorkflowEvent} and its arguments, unchecked: checks run at boot. */
export interface EventHandlerMetadata {
  readonly method: string;
  readonly names: unknown;
  readonly filter: WorkflowEventFilter;
}

/**
 * Calls a method of any provider or controller with the events of all tenants that this process serves, including
 * tenants that are added later. The method gets the events that this process stores, in that order; see
 * `CloacinaRunner.events$`. A process that is killed calls nothing more: use a task for work that must not be lost.
 *
 * Executions do not wait for the method. `app.close()` waits for it, up to five seconds. An error that it throws is
 * logged.
 *
 * @param name - the type of an event, an end with its status, such as `execution.failed`, or a list of them
 * @param filter - the workflows and tenants. Default: all
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

/** The methods of a class that have {@link OnWorkflowEvent}, those of its ancestors first. */
export function getEventHandlers(type: Function): readonly EventHandlerMetadata[] {
  const handlers: readonly EventHandlerMetadata[] | undefined = Reflect.getMetadata(HANDLERS, type);
  return handlers ?? [];
}
