import type { ItemPosition } from '../../discovery/map-options.js';
import type { NodeInput } from '../../discovery/node-source.js';
import type { TaskContext } from '../../discovery/task-context.js';
import {
  ContextTooLargeError,
  InvalidArgumentError,
  InvalidContextError,
  TooManyItemsError,
} from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { AppendReply, MapState } from '../../store/port/index.js';
import { decodeJson, encodeJson, type MapNode } from '../../workflow/index.js';

/** Bounds of an array that is stored in one statement, which has to end within the time limit of an answer. */
const MAX_WHOLE_ITEMS = 100_000;
const MAX_WHOLE_BYTES = 16_000_000;
/** Bounds of the parts in which other items are stored. The first that is reached counts. */
const MAX_PART_ITEMS = 5_000;
const MAX_PART_BYTES = 4_000_000;

/** Stores items behind those that are stored. */
export type Append = (items: readonly string[], isLast: boolean) => Promise<AppendReply>;

export interface ExpansionParts {
  /** The name of the map. */
  readonly name: string;
  readonly node: MapNode;
  readonly state: Pick<MapState, 'stored' | 'lastItem'>;
  /** Maximum size of an item, in bytes of JSON. */
  readonly maxItemSize: number;
  readonly signal: AbortSignal;
  readonly append: Append;
}

/**
 * Reads the items of a map and stores them: an array in one statement, everything else in parts, the first of which run
 * while the others are read. It continues behind the items that an earlier run has stored.
 */
export class Expansion {
  /** JSON texts of the rows that are not stored yet, and their size. */
  private part: string[] = [];
  private partBytes = 0;
  /** With `chunk`: the items of the row that is not full. */
  private row: string[] = [];
  /** Number of items so far, with those of earlier runs. */
  private count: number;
  private rows: number;

  constructor(private readonly parts: ExpansionParts) {
    const { node, state } = parts;
    this.rows = state.stored;
    this.count = state.stored * (node.chunk ?? 1);
  }

  /** Returns the number of rows, stored or not: 0 means that nothing was stored, because there are no items. */
  async run(items: NodeInput, context: TaskContext): Promise<number> {
    const position = this.count === 0 ? undefined : new ReadPosition(this.lastItem(), this.count);
    const source: unknown = await items(context, position);
    if (!isIterable(source)) {
      throw new InvalidArgumentError(
        'items',
        `must return an array or another iterable, not ${formatValue(source)}`,
      );
    }
    if (Array.isArray(source)) await this.readArray(source as unknown[], position);
    else await this.readParts(source, position);
    return this.rows;
  }

  /** An array is stored as a whole, unless it is too large for one statement. */
  private async readArray(source: readonly unknown[], position?: ReadPosition): Promise<void> {
    const skipped = position?.toSkip ?? 0;
    if (this.count + source.length - skipped > this.parts.node.maxItems) throw this.tooMany();
    if (skipped > 0 || this.count > 0) return this.readParts(source.slice(skipped));
    for (const [i, item] of source.entries()) {
      this.add(item);
      if (this.partBytes > MAX_WHOLE_BYTES || this.part.length > MAX_WHOLE_ITEMS) {
        await this.store(false);
        return this.readParts(source.slice(i + 1));
      }
    }
    this.closeRow();
    if (this.rows > 0) await this.store(true);
  }

  private async readParts(
    source: Iterable<unknown> | AsyncIterable<unknown>,
    position?: ReadPosition,
  ): Promise<void> {
    // A generator reads its position when its first item is asked for.
    let left: number | undefined;
    for await (const item of source) {
      left ??= position?.toSkip ?? 0;
      if (left-- > 0) continue;
      if (this.count >= this.parts.node.maxItems) throw this.tooMany();
      this.add(item);
      if (this.part.length < MAX_PART_ITEMS && this.partBytes < MAX_PART_BYTES) continue;
      const { hasUnmet } = await this.store(false);
      if (hasUnmet && this.parts.node.onItemFailure === 'failFast') break;
    }
    this.closeRow();
    if (this.rows > 0) await this.store(true);
  }

  private add(item: unknown): void {
    const json = this.encode(item);
    const { chunk } = this.parts.node;
    this.count++;
    if (chunk === undefined) return this.addRow(json);
    this.row.push(json);
    if (this.row.length === chunk) this.closeRow();
  }

  private closeRow(): void {
    if (this.row.length === 0) return;
    this.addRow(`[${this.row.join(',')}]`);
    this.row = [];
  }

  private addRow(json: string): void {
    this.part.push(json);
    this.partBytes += json.length;
    this.rows++;
  }

  private async store(isLast: boolean): Promise<AppendReply> {
    this.parts.signal.throwIfAborted();
    const { part } = this;
    this.part = [];
    this.partBytes = 0;
    return this.parts.append(part, isLast);
  }

  private encode(item: unknown): string {
    const { name, maxItemSize } = this.parts;
    const encoded = encodeJson(item);
    if (!encoded.ok) {
      const where = encoded.path === '' ? '' : ` at ${encoded.path}`;
      const whole = `Item ${this.count} of ${JSON.stringify(name)}${where}`;
      throw new InvalidContextError('', '', encoded.problem, { whole });
    }
    if (encoded.bytes <= maxItemSize) return encoded.json;
    throw new ContextTooLargeError(encoded.bytes, maxItemSize, [
      [`item ${this.count} of ${name}`, encoded.bytes],
    ]);
  }

  private lastItem(): unknown {
    const { node, state } = this.parts;
    const last = decodeJson(state.lastItem ?? 'null');
    return node.chunk === undefined ? last : (last as unknown[]).at(-1);
  }

  private tooMany(): TooManyItemsError {
    return new TooManyItemsError(this.parts.name, this.parts.node.maxItems);
  }
}

/** The position that `items` is to continue behind. It notes whether it is read: a function that does not begins anew. */
class ReadPosition implements ItemPosition {
  private wasRead = false;

  constructor(
    private readonly lastItem: unknown,
    private readonly stored: number,
  ) {}

  get after(): unknown {
    this.wasRead = true;
    return this.lastItem;
  }

  get count(): number {
    this.wasRead = true;
    return this.stored;
  }

  /** Number of items to leave out, because they are stored. */
  get toSkip(): number {
    return this.wasRead ? 0 : this.stored;
  }
}

function isIterable(source: unknown): source is Iterable<unknown> | AsyncIterable<unknown> {
  return (
    typeof source === 'object' &&
    source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source)
  );
}
