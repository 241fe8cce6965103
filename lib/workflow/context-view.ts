import { ContextHistory } from './context-history.js';
import { ContextIndex, type ContextEntry } from './context-index.js';

/** The writer of the input. It counts as an ancestor of every task. */
export const INPUT_WRITER = -1;

/** Sums over the entries of a view, which are kept up to date at each write. */
interface Totals {
  /** The number of keys that are not deleted. */
  readonly live: number;
  /** The bytes of these keys with their colons and values as JSON, without commas and braces. */
  readonly payload: number;
}

/**
 * The context at one point of an execution: for each key its value or its deletion, and its writers. A view is
 * immutable. It shares unchanged entries with the view that it was made from, so thousands of views of one large
 * context only take the memory of their differences.
 */
export class ContextView {
  static readonly empty = new ContextView(ContextIndex.empty, ContextHistory.start, {
    live: 0,
    payload: 0,
  });

  private constructor(
    /** The entries. Views share nodes of it. */
    readonly index: ContextIndex,
    /** The history of writes, by which a join skips the keys that two views have in common. */
    readonly history: ContextHistory,
    private readonly totals: Totals,
  ) {}

  /** The view of an execution's input, given as the JSON text of each key's value. */
  static ofInput(context: ReadonlyMap<string, string>): ContextView {
    return ContextView.empty.withWrites(INPUT_WRITER, context);
  }

  /** The size of {@link toJson} in bytes of UTF-8, computed without making the text. */
  get bytes(): number {
    return 2 + this.totals.payload + Math.max(0, this.totals.live - 1);
  }

  /** The entry of the key. A deleted key has an entry too. */
  get(key: string): ContextEntry | undefined {
    return this.index.find(key)?.entry;
  }

  /** Whether the context has the key. A deleted key does not count. */
  has(key: string): boolean {
    return this.get(key)?.json !== undefined;
  }

  /** The keys that are not deleted, ascending. */
  keys(): string[] {
    const keys: string[] = [];
    this.index.forEach(({ key, entry }) => {
      if (entry.json !== undefined) keys.push(key);
    });
    return keys;
  }

  /** All keys with their entries, deletions included, ascending by key. */
  entries(): [string, ContextEntry][] {
    const entries: [string, ContextEntry][] = [];
    this.index.forEach(({ key, entry }) => entries.push([key, entry]));
    return entries;
  }

  /** The context as JSON text, with its keys in ascending order. */
  toJson(): string {
    const members: string[] = [];
    this.index.forEach(({ key, entry }) => {
      if (entry.json !== undefined) members.push(`${JSON.stringify(key)}:${entry.json}`);
    });
    return `{${members.join(',')}}`;
  }

  /**
   * The view after the writes of a task: JSON text sets a key, `undefined` deletes it. Without writes, the same view.
   */
  withWrites(taskNo: number, writes: ReadonlyMap<string, string | undefined>): ContextView {
    const writers = [taskNo];
    const entries: [string, ContextEntry][] = [];
    for (const [key, json] of writes) {
      entries.push([
        key,
        { json, bytes: json === undefined ? 0 : Buffer.byteLength(json), writers },
      ]);
    }
    return this.withEntries(entries);
  }

  /** The view with some entries replaced or added, each key at most once. Without entries, the same view. */
  withEntries(entries: readonly (readonly [string, ContextEntry])[]): ContextView {
    if (entries.length === 0) return this;
    const history = this.history.write(entries.map(([key]) => key));
    const totals = this.totalsWith(entries);
    if (this.index.height === 0) {
      const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
      return new ContextView(ContextIndex.of(sorted), history, totals);
    }
    let { index } = this;
    for (const [key, entry] of entries) index = index.put(key, entry);
    return new ContextView(index, history, totals);
  }

  private totalsWith(entries: readonly (readonly [string, ContextEntry])[]): Totals {
    let { live, payload } = this.totals;
    for (const [key, entry] of entries) {
      const before = this.get(key);
      const name = Buffer.byteLength(JSON.stringify(key)) + 1;
      if (before?.json !== undefined) {
        live--;
        payload -= name + before.bytes;
      }
      if (entry.json !== undefined) {
        live++;
        payload += name + entry.bytes;
      }
    }
    return { live, payload };
  }
}
