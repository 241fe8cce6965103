import type { ExecutionStore } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Maximum number of executions in one statement. */
const MAX_BATCH = 500;

interface Look {
  readonly id: string;
  readonly resolve: (status: string | undefined | Promise<string | undefined>) => void;
}

/**
 * Reads the status of executions that callers wait for: many executions in one statement, one statement at a time.
 * Otherwise three thousand waiting callers, with a statement each every five seconds, would take the connections from
 * the claims and outcomes of the tenant, and so delay the executions that they wait for.
 */
export class CompletionLookups {
  private waiting: Look[] = [];
  private running = false;

  constructor(
    private readonly store: Pick<ExecutionStore, 'awaitUnlocked'>,
    /** Reads the status of a single execution. It waits for the lock of its row and handles errors. */
    private readonly one: (id: string) => Promise<string | undefined>,
    private readonly clock: Pick<Clock, 'immediate'>,
  ) {}

  /** The status of the execution; undefined if there is no such execution. */
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
      // Executions that are locked, missing or part of a failed statement are read alone, so none delays the others.
      for (const { id, resolve } of looks) resolve(found?.get(id) ?? this.one(id));
    }
    this.running = false;
  }

  private ask(looks: readonly Look[]): Promise<ReadonlyMap<string, string> | undefined> {
    return this.store.awaitUnlocked([...new Set(looks.map(({ id }) => id))]).catch(() => undefined);
  }
}
