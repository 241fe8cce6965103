import { ContextHistory } from './context-history.js';
import { ContextIndex, type ContextEntry } from './context-index.js';

/** The writer of what came with the start: an ancestor of every task. */
export const INPUT_WRITER = -1;

/** What is kept of a view beside its entries, so that nothing has to be counted again. */
interface Totals {
  /** Keys that are not deleted. */
  readonly live: number;
  /** Bytes of these keys and their values as JSON, without what is between them. */
  readonly payload: number;
}

/**
 * A context at one point of an execution: every key with its value, or its deletion, and its writers. Immutable. It
 * shares what it didn't change with the view that it came from, so that thousands of views on one large context take
 * no more than their differences.
 */
export class ContextView {
  static readonly empty = new ContextView(ContextIndex.empty, ContextHistory.start, {
    live: 0,
    payload: 0,
  });

  private constructor(
    /** Its entries; nodes are shared with other views. */
    readonly index: ContextIndex,
    /** For joins: what two views have in common needs no comparison. */
    readonly history: ContextHistory,
    private readonly totals: Totals,
  ) {}

  /** The context with which an execution starts: each key with the JSON text of its value. */
  static ofInput(context: ReadonlyMap<string, string>): ContextView {
    return ContextView.empty.withWrites(INPUT_WRITER, context);
  }

  /** Of {@link toJson}, in UTF-8; kept up to date, so it costs nothing to ask. */
  get bytes(): number {
    return 2 + this.totals.payload + Math.max(0, this.totals.live - 1);
  }

  /** What is known of the key; a deleted key has an entry, too. */
  get(key: string): ContextEntry | undefined {
    return this.index.find(key)?.entry;
  }

  /** Whether the key is there; a deleted one is not. */
  has(key: string): boolean {
    return this.get(key)?.json !== undefined;
  }

  /** The keys that are there, ascending. */
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

  /** The JSON text of one object with the keys that are there, ascending. */
  toJson(): string {
    const members: string[] = [];
    this.index.forEach(({ key, entry }) => {
      if (entry.json !== undefined) members.push(`${JSON.stringify(key)}:${entry.json}`);
    });
    return `{${members.join(',')}}`;
  }

  /** The view after the task's writes: JSON text to set a key, `undefined` to delete it. Itself when there are none. */
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

  /** The view with these entries, each key once, in place of its own for the same keys. Itself when there are none. */
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
