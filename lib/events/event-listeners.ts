import { exactNameOf, exactNamesOf, type WorkflowEventName } from './event-name.js';
import type { WorkflowEvent } from './workflow-event.js';

/** Gets the events of all tenants of one application that have one of its names. */
export interface EventListener {
  readonly names: readonly WorkflowEventName[];
  /** Never throws. A promise is waited for when the application closes; it never rejects. */
  readonly receive: (event: WorkflowEvent) => void | Promise<void>;
}

/** The listeners to the events of one application's tenants, those of tenants that are added later included. */
export class EventListeners {
  /** By exact name, so that the question for each task is one look. */
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

  /** Resolves when the listeners that are at work now are done. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private follow(work: Promise<void>): void {
    const done = work.finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }
}
