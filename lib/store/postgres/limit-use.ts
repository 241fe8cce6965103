/** Max number of keys that are remembered. A forgotten one costs a statement that inserts nothing. */
const MAX_KEYS = 10_000;

/** What the process knows of the limits of a tenant. */
export class LimitUse {
  /** Whether the process has handlers for tasks with a limit. Sweeps look for such tasks only then. */
  areUsed = false;
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
