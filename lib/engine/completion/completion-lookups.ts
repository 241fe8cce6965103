import type { ExecutionStore } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Executions that one statement asks about at most. */
const MAX_BATCH = 500;

interface Look {
  readonly id: string;
  readonly resolve: (status: string | undefined | Promise<string | undefined>) => void;
}

/**
 * Asks for the status of executions that callers wait for, many in one statement, one statement at a time. Three
 * thousand waiting callers that send a statement each, at first and then every five seconds, take the connections
 * from the claims and outcomes of the tenant, so that the executions which they wait for end later and later.
 */
export class CompletionLookups {
  private waiting: Look[] = [];
  private running = false;

  constructor(
    private readonly store: Pick<ExecutionStore, 'awaitUnlocked'>,
    /** Asks about one, waits for its lock, and knows what to make of an error. */
    private readonly one: (id: string) => Promise<string | undefined>,
    private readonly clock: Pick<Clock, 'immediate'>,
  ) {}

  /** Undefined: there is no such execution. */
  statusOf(id: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.waiting.push({ id, resolve });
      if (this.running) return;
      this.running = true;
      this.clock.immediate(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const looks = this.waiting.splice(0, MAX_BATCH);
      const found = looks.length === 1 ? undefined : await this.ask(looks);
      // What is locked, or not there, or was asked in vain, is asked alone: none of them holds up the others.
      for (const { id, resolve } of looks) resolve(found?.get(id) ?? this.one(id));
    }
    this.running = false;
  }

  private ask(looks: readonly Look[]): Promise<ReadonlyMap<string, string> | undefined> {
    return this.store.awaitUnlocked([...new Set(looks.map(({ id }) => id))]).catch(() => undefined);
  }
}
