import { ContextLayer, mergeLayers, type ContextEntry } from './context-layer.js';

/** The writer of what came with the start: an ancestor of every task. */
export const INPUT_WRITER = -1;

/** What is kept of a view beside its layers, so that nothing has to be counted again. */
interface Totals {
  /** Keys, deleted ones included. */
  readonly keys: number;
  /** Keys that are not deleted. */
  readonly live: number;
  /** Bytes of the live keys and their values as JSON, without what is between them. */
  readonly payload: number;
}

const NOTHING: Totals = { keys: 0, live: 0, payload: 0 };

/**
 * A context at one point of an execution: every key with its value, or its deletion, and its writers. Immutable. It
 * shares what it didn't change with the view that it came from, so that thousands of views on one large context take
 * no more than their differences.
 */
export class ContextView {
  static readonly empty = new ContextView(new ContextLayer(new Map(), undefined), NOTHING);

  private constructor(
    /** For joins: views share layers, and what is shared needs no comparison. */
    readonly layer: ContextLayer,
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

  /** How many keys it knows of, deleted ones included. */
  get size(): number {
    return this.totals.keys;
  }

  /** What is known of the key; a deleted key has an entry, too. */
  get(key: string): ContextEntry | undefined {
    return this.layer.find(key);
  }

  /** Whether the key is there; a deleted one is not. */
  has(key: string): boolean {
    return this.get(key)?.json !== undefined;
  }

  /** The keys that are there, in the order in which they were first written. */
  keys(): string[] {
    return [...this.entries()].filter(([, entry]) => entry.json !== undefined).map(([key]) => key);
  }

  /** All keys with their entries, deletions included, in the order in which they were first written. */
  entries(): ReadonlyMap<string, ContextEntry> {
    return mergeLayers(this.layer.pile());
  }

  /** The JSON text of one object with the keys that are there. */
  toJson(): string {
    const members: string[] = [];
    for (const [key, { json }] of this.entries()) {
      if (json !== undefined) members.push(`${JSON.stringify(key)}:${json}`);
    }
    return `{${members.join(',')}}`;
  }

  /** The view after the task's writes: JSON text to set a key, `undefined` to delete it. Itself when there are none. */
  withWrites(taskNo: number, writes: ReadonlyMap<string, string | undefined>): ContextView {
    const writers = [taskNo];
    const entries = new Map<string, ContextEntry>();
    for (const [key, json] of writes) {
      entries.set(key, { json, bytes: json === undefined ? 0 : Buffer.byteLength(json), writers });
    }
    return this.withEntries(entries);
  }

  /** The view with these entries in place of its own for the same keys. Itself when there are none. */
  withEntries(entries: ReadonlyMap<string, ContextEntry>): ContextView {
    if (entries.size === 0) return this;
    let { keys, live, payload } = this.totals;
    for (const [key, entry] of entries) {
      const before = this.get(key);
      const name = Buffer.byteLength(JSON.stringify(key)) + 1;
      if (before === undefined) keys++;
      if (before?.json !== undefined) {
        live--;
        payload -= name + before.bytes;
      }
      if (entry.json !== undefined) {
        live++;
        payload += name + entry.bytes;
      }
    }
    return new ContextView(this.layer.cover(entries), { keys, live, payload });
  }
}
