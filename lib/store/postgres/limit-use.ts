import { TableUse } from './table-use.js';

/** Max number of keys that are remembered. A forgotten one costs a statement that inserts nothing. */
const MAX_KEYS = 10_000;

/** What the process knows of the limits of a tenant. */
export class LimitUse {
  /**
   * Whether sweeps look for waiting tasks with a limit: from the first handler for such tasks on. A process without one finds
   * out now and then whether there are any, because it may have a handler for those of an older or a newer release.
   */
  readonly tasks = new TableUse();
  /** Whether the process knows definitions with an admission. Sweeps look for executions that wait for their turn only then. */
  admit = false;
  private readonly known = new Set<string>();

  /** The keys whose rows may not exist. */
  unknown(keys: readonly string[]): string[] {
    return keys.filter((key) => !this.known.has(key));
  }

  exist(keys: readonly string[]): void {
    if (this.known.size + keys.length > MAX_KEYS) this.known.clear();
    for (const key of keys) this.known.add(key);
  }

  /** Call for a key that was found locked: its row may have been deleted. */
  doubt(key: string): void {
    this.known.delete(key);
  }
}
