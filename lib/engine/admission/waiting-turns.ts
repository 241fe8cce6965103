import type { AdmissionStore } from '../../store/port/index.js';

/** Max executions whose keys are remembered. The key of a forgotten one is read when it ends. */
const MAX_REMEMBERED = 10_000;

/** The keys that are to be looked at, each with its executions whose ends have not been settled. */
export class WaitingTurns {
  private readonly keys = new Map<string, Set<string>>();
  /** Ended executions whose keys are not known. */
  private readonly unknown = new Set<string>();
  private readonly keysById = new Map<string, string>();

  constructor(private readonly store: Pick<AdmissionStore, 'keysOf'>) {}

  get isEmpty(): boolean {
    return this.keys.size === 0 && this.unknown.size === 0;
  }

  /** Remembers the key of an execution until it ends. */
  remember(id: string, key: string): void {
    if (this.keysById.size >= MAX_REMEMBERED) this.keysById.clear();
    this.keysById.set(id, key);
  }

  add(key: string, ended: Iterable<string> = []): void {
    const known = this.keys.get(key);
    if (known === undefined) this.keys.set(key, new Set(ended));
    else for (const id of ended) known.add(id);
  }

  addEnded(id: string): void {
    const key = this.keysById.get(id);
    this.keysById.delete(id);
    if (key === undefined) this.unknown.add(id);
    else this.add(key, [id]);
  }

  /** Takes up to `count` keys, sorted. Reads the keys of up to `count` executions first, where they are not known. */
  async take(count: number): Promise<readonly (readonly [key: string, ended: string[]])[]> {
    await this.find([...this.unknown].slice(0, count));
    const taken = [...this.keys].slice(0, count).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key] of taken) this.keys.delete(key);
    return taken.map(([key, ended]) => [key, [...ended]]);
  }

  private async find(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const keys = await this.store.keysOf(ids);
    for (const id of ids) {
      this.unknown.delete(id);
      const key = keys.get(id);
      // Without a key the execution was deleted.
      if (key !== undefined) this.add(key, [id]);
    }
  }
}
