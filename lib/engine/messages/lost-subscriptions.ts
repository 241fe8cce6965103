import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { EventStartStore } from '../../store/port/index.js';

/** Minimum time between two looks for definitions that the database has lost, in milliseconds. */
const LOOK_INTERVAL_MS = 1_000;

export interface LostSubscriptionsParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: { readonly eventStarts: Pick<EventStartStore, 'startFor'> };
  /** The workflows of the running code that the tenant serves. */
  readonly workflows: () => readonly RegisteredWorkflow[];
  /** Stores again what the database has lost of that which the process stores at its boot. False: it has lost nothing. */
  readonly restore: () => Promise<boolean>;
  /** Called with the workflows that the events are to start. */
  readonly toStart: (workflows: readonly string[]) => void;
}

/**
 * Finds out that the tables were emptied while the process runs: an event that it has sent starts none of the workflows that
 * its own code declares for it. Then it stores missing definitions again, and has the event start what is declared. Another
 * release may have registered a definition that the event does not start, so definitions that are there stay as they are.
 */
export class LostSubscriptions {
  private readonly logger = new Logger('Cloacina');
  private byEvent: ReadonlyMap<string, readonly string[]> | undefined;
  private lookedAt = -Infinity;

  constructor(private readonly parts: LostSubscriptionsParts) {}

  /** The workflows of the running code that events of the name start. */
  declaredFor(event: string): readonly string[] {
    this.byEvent ??= this.read();
    return this.byEvent.get(event) ?? [];
  }

  /** Call when delivered events have started less than the code declares. Never rejects. */
  async missed(eventIds: readonly string[]): Promise<void> {
    const { clock, tenant, store, restore, toStart } = this.parts;
    if (clock.now() - this.lookedAt < LOOK_INTERVAL_MS) return;
    try {
      if (!(await restore())) this.lookedAt = clock.now();
      // Another process may have stored the definitions again since the delivery.
      toStart(await store.eventStarts.startFor(eventIds));
    } catch (error) {
      this.logger.warn(
        `Tenant "${tenant}": an event has started no execution, and the look for lost workflow definitions failed: ` +
          toStoredError(error).message,
      );
    }
  }

  /** Read on first use, when the registry is complete. */
  private read(): Map<string, string[]> {
    const byEvent = new Map<string, string[]>();
    for (const { definition, eventStarts } of this.parts.workflows()) {
      for (const event of eventStarts?.keys() ?? []) {
        byEvent.set(event, [...(byEvent.get(event) ?? []), definition.name]);
      }
    }
    return byEvent;
  }
}
