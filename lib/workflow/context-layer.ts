/** What one key of a context holds, and whose word it is. */
export interface ContextEntry {
  /** `undefined`: the key was deleted, which is a value like any other. */
  readonly json: string | undefined;
  /** Of the JSON text, in UTF-8; 0 for a deletion. */
  readonly bytes: number;
  /** Ascending; several when tasks that know nothing of each other wrote equal values. */
  readonly writers: readonly number[];
}

/** A taller pile of layers is made lower before another layer is put on it. */
export const MAX_HEIGHT = 32;
/** Layers at the top that are left alone then: each was written once, and may have few views on it. */
const YOUNG_LAYERS = MAX_HEIGHT / 2;

/**
 * Some keys of a context, over those of the layers below, which it shares with other views.
 *
 * A pile is made lower by merging old layers into one of them, in place: what any view says stays the same, and all
 * views on that layer have the benefit. Were it done in the top layer instead, each of 10,000 tasks that start from
 * one long history would copy that history.
 */
export class ContextLayer {
  /** An upper bound: layers below may have been merged since. */
  private height: number;

  constructor(
    private merged: ReadonlyMap<string, ContextEntry>,
    private under: ContextLayer | undefined,
  ) {
    this.height = under === undefined ? 1 : under.height + 1;
  }

  /** Its own keys. */
  get entries(): ReadonlyMap<string, ContextEntry> {
    return this.merged;
  }

  get below(): ContextLayer | undefined {
    return this.under;
  }

  /** A new layer on this one. */
  cover(entries: ReadonlyMap<string, ContextEntry>): ContextLayer {
    if (this.height >= MAX_HEIGHT) this.settle();
    return new ContextLayer(entries, this);
  }

  /** This layer and those below it, from the top. */
  pile(): ContextLayer[] {
    const layers: ContextLayer[] = [this];
    for (let under = this.under; under !== undefined; under = under.under) layers.push(under);
    return layers;
  }

  find(key: string): ContextEntry | undefined {
    let entry = this.merged.get(key);
    for (let under = this.under; entry === undefined && under !== undefined; under = under.under) {
      entry = under.merged.get(key);
    }
    return entry;
  }

  /** Merges the layers that are no longer young, and learns the true height. */
  private settle(): void {
    const layers = this.pile();
    layers[YOUNG_LAYERS]?.absorb();
    let height = this.pile().length;
    for (const layer of this.pile()) layer.height = height--;
  }

  /**
   * Merges into this layer those below, down to the first that is more than twice as large as what was merged. So the
   * sizes double from layer to layer: few layers remain, and an entry is copied only as often as there are sizes.
   */
  private absorb(): void {
    const absorbed: ContextLayer[] = [this];
    let count = this.merged.size;
    let under = this.under;
    for (; under !== undefined && under.merged.size <= 2 * count; under = under.under) {
      absorbed.push(under);
      count += under.merged.size;
    }
    if (absorbed.length === 1) return;
    this.merged = mergeLayers(absorbed);
    this.under = under;
  }
}

/** One map of all entries of layers that are given from the top; keys in the order in which they were first written. */
export function mergeLayers(layers: readonly ContextLayer[]): Map<string, ContextEntry> {
  const merged = new Map<string, ContextEntry>();
  for (const layer of layers.toReversed()) {
    for (const [key, entry] of layer.entries) merged.set(key, entry);
  }
  return merged;
}
