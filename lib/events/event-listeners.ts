import { exactNameOf, exactNamesOf, type WorkflowEventName } from './event-name.js';
import type { WorkflowEvent } from './workflow-event.js';

/** Receives the events with its names from all tenants of one application. */
export interface EventListener {
  readonly names: readonly WorkflowEventName[];
  /** Handles an event. Neither throws nor rejects. The application waits for the promise when it closes. */
  readonly receive: (event: WorkflowEvent) => void | Promise<void>;
}

/** The event listeners of one application. They receive the events of all tenants, also of those added later. */
export class EventListeners {
  /** By exact name, so that `want()`, which every task calls, is one lookup. */
  private readonly byName = new Map<WorkflowEventName, EventListener[]>();
  private readonly underWay = new Set<Promise<void>>();

  add(listener: EventListener): void {
    for (const name of new Set(listener.names.flatMap(exactNamesOf))) {
      this.byName.set(name, [...(this.byName.get(name) ?? []), listener]);
    }
  }

  /** Whether an event of this exact name has a listener. */
  want(name: WorkflowEventName): boolean {
    return this.byName.has(name);
  }

  tell(event: WorkflowEvent): void {
    for (const { receive } of this.byName.get(exactNameOf(event)) ?? []) {
      const work = receive(event);
      if (work !== undefined) this.follow(work);
    }
  }

  /** Resolves when the listeners that are running now have ended. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private follow(work: Promise<void>): void {
    const done = work.finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }
}
