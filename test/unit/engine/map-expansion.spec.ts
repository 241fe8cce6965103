import { beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeInput } from '../../../lib/discovery/node-source.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Expansion, type ExpansionParts } from '../../../lib/engine/map/expansion.js';
import type { MapNode } from '../../../lib/workflow/index.js';

/** The stored parts, each with its items and whether it was the last. */
let stored: (readonly [items: readonly string[], isLast: boolean])[];
let abort: AbortController;
beforeEach(() => {
  stored = [];
  abort = new AbortController();
});

const NODE: MapNode = {
  kind: 'map',
  maxItems: 20_000,
  collect: false,
  onItemFailure: 'continue',
};

function expand(
  items: NodeInput | readonly unknown[],
  node: Partial<MapNode> = {},
  more: Partial<ExpansionParts> & { readonly hasUnmet?: boolean } = {},
): Promise<number> {
  const { hasUnmet = false, ...parts } = more;
  const expansion = new Expansion({
    name: 'each',
    node: { ...NODE, ...node },
    state: { stored: 0, lastItem: null },
    maxItemSize: 100,
    signal: abort.signal,
    append: async (part, isLast) => {
      stored.push([part, isLast]);
      return { hasUnmet, paused: false, isDue: false };
    },
    ...parts,
  });
  const source = typeof items === 'function' ? items : () => items;
  return expansion.run(source, {} as TaskContext);
}

function* numbers(count: number, from = 0): Generator<number> {
  for (let no = from; no < count; no++) yield no;
}

describe('Expansion', () => {
  it('stores an array at once', async () => {
    expect(await expand([1, { a: 2 }])).toBe(2);
    expect(stored).toEqual([[['1', '{"a":2}'], true]]);
  });

  it('stores nothing of an empty one', async () => {
    expect(await expand([])).toBe(0);
    expect(await expand(() => numbers(0))).toBe(0);
    expect(stored).toEqual([]);
  });

  it('stores what a generator makes in parts of 5,000', async () => {
    expect(await expand(() => numbers(10_001))).toBe(10_001);
    expect(stored.map(([items, isLast]) => [items.length, isLast])).toEqual([
      [5_000, false],
      [5_000, false],
      [1, true],
    ]);
  });

  it('closes the last part of a generator even if it is empty', async () => {
    await expand(() => numbers(5_000));
    expect(stored.map(([items, isLast]) => [items.length, isLast])).toEqual([
      [5_000, false],
      [0, true],
    ]);
  });

  it('puts items into rows with chunk', async () => {
    expect(await expand([1, 2, 3], { chunk: 2 })).toBe(2);
    expect(stored).toEqual([[['[1,2]', '[3]'], true]]);
  });

  const half = { state: { stored: 2, lastItem: '1' } };

  it('leaves out what is stored for a function that begins anew', async () => {
    expect(await expand(() => numbers(4), {}, half)).toBe(4);
    expect(stored).toEqual([[['2', '3'], true]]);
  });

  it('goes on behind the last item for a function that reads it', async () => {
    const items = ((_: unknown, from?: { readonly after: unknown }) =>
      numbers(4, Number(from?.after) + 1)) as NodeInput;
    expect(await expand(items, {}, half)).toBe(4);
    expect(stored).toEqual([[['2', '3'], true]]);
  });

  it('goes on behind the last item of the last chunk', async () => {
    const positions: unknown[] = [];
    const items = ((_: unknown, from?: { readonly after: unknown; readonly count: number }) => {
      positions.push(from?.after, from?.count);
      return [];
    }) as NodeInput;
    await expand(items, { chunk: 2 }, { state: { stored: 2, lastItem: '[2,3]' } });
    expect(positions).toEqual([3, 4]);
  });

  it('reads no further once an item has failed of a map that fails fast', async () => {
    let made = 0;
    const items = (() =>
      (function* () {
        for (const no of numbers(20_000)) {
          made++;
          yield no;
        }
      })()) as NodeInput;
    await expand(items, { onItemFailure: 'failFast' }, { hasUnmet: true });
    expect(made).toBe(5_000);
  });

  it('refuses too many items before it stores one of an array', async () => {
    await expect(expand([1, 2, 3], { maxItems: 2 })).rejects.toMatchObject({
      code: 'TOO_MANY_ITEMS',
    });
    await expect(expand(() => numbers(3), { maxItems: 2 })).rejects.toThrow(/each/);
    expect(stored).toEqual([]);
  });

  it('says which item can not be stored, and why', async () => {
    await expect(expand([1, { at: 1n }])).rejects.toThrow(/Item 1 of "each" at at/);
    await expect(expand(['x'.repeat(200)])).rejects.toMatchObject({ code: 'CONTEXT_TOO_LARGE' });
    await expect(expand(() => 5)).rejects.toThrow(/items.*must return an array/);
  });

  it('stops between two parts when the signal aborts', async () => {
    const items = (() =>
      (function* () {
        yield* numbers(5_000);
        abort.abort(new Error('lost'));
        yield 5_000;
      })()) as NodeInput;
    await expect(expand(items)).rejects.toThrow('lost');
    expect(stored).toHaveLength(1);
  });
});
