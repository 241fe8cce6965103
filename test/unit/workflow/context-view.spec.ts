import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ContextHistory } from '../../../lib/workflow/context-history.js';
import { ContextIndex, type ContextEntry } from '../../../lib/workflow/context-index.js';
import { ContextView, INPUT_WRITER } from '../../../lib/workflow/context.js';
import { countNodes } from './some-workflows.js';

const writes = (entries: Record<string, string | undefined>): Map<string, string | undefined> =>
  new Map(Object.entries(entries));

describe('ContextView', () => {
  it('is empty to begin with', () => {
    expect(ContextView.empty.toJson()).toBe('{}');
    expect(ContextView.empty.bytes).toBe(2);
    expect(ContextView.empty.keys()).toEqual([]);
    expect(ContextView.empty.get('a')).toBeUndefined();
    expect(ContextView.ofInput(new Map())).toBe(ContextView.empty);
  });

  it('holds the input, written before all tasks', () => {
    const view = ContextView.ofInput(new Map([['a', '{"x":"ü"}']]));
    expect(view.get('a')).toEqual({ json: '{"x":"ü"}', bytes: 10, writers: [INPUT_WRITER] });
    expect(view.toJson()).toBe('{"a":{"x":"ü"}}');
    expect(view.bytes).toBe(16);
  });

  it('is not changed by writes, which make another view', () => {
    const before = ContextView.ofInput(writes({ a: '1', b: '2' }) as Map<string, string>);
    const after = before.withWrites(4, writes({ b: '"x"', c: 'null', a: undefined }));
    expect(before.toJson()).toBe('{"a":1,"b":2}');
    expect(after.toJson()).toBe('{"b":"x","c":null}');
    expect(after.get('b')).toEqual({ json: '"x"', bytes: 3, writers: [4] });
    expect(after.get('a')).toEqual({ json: undefined, bytes: 0, writers: [4] });
    expect([after.has('a'), after.has('b'), after.has('x')]).toEqual([false, true, false]);
    expect(after.keys()).toEqual(['b', 'c']);
    expect(after.bytes).toBe(18);
    expect(after.withWrites(5, new Map())).toBe(after);
    expect(after.withWrites(5, writes({ a: '0' })).toJson()).toBe('{"a":0,"b":"x","c":null}');
  });

  it('takes __proto__ for a key like any other', () => {
    const view = ContextView.ofInput(new Map([['__proto__', '{"admin":true}']])).withWrites(
      0,
      new Map([['toString', '1']]),
    );
    expect(view.toJson()).toBe('{"__proto__":{"admin":true},"toString":1}');
    expect(view.has('hasOwnProperty')).toBe(false);
    expect(view.bytes).toBe(Buffer.byteLength(view.toJson()));
  });

  it('says the same as one map, however many writes there were', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'ü"', '__proto__', 'e', 'f', 'g', 'h');
    const value = fc.constantFrom('1', '"ü"', '{"x":[]}', undefined);
    const step = fc.record({
      // From one of the last views, so that they fork and share.
      back: fc.nat(3),
      changes: fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200, size: 'max' }), (steps) => {
        const views: { view: ContextView; model: Map<string, [string | undefined, number]> }[] = [
          { view: ContextView.empty, model: new Map() },
        ];
        steps.forEach(({ back, changes }, no) => {
          const from = views[Math.max(0, views.length - 1 - back)];
          if (from === undefined) return;
          const model = new Map(from.model);
          for (const [name, json] of changes) model.set(name, [json, no]);
          views.push({ view: from.view.withWrites(no, new Map(changes)), model });
        });
        // One comparison a view: there are thousands.
        for (const { view, model } of views) {
          const cells = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
          const live = cells.filter(([, [text]]) => text !== undefined);
          const json = `{${live.map(([name, [text]]) => `${JSON.stringify(name)}:${text}`).join()}}`;
          expect([
            view.toJson(),
            view.bytes,
            view.keys(),
            view.entries().map(([name, entry]) => [name, entry.json, entry.writers]),
            cells.map(([name]) => [view.get(name)?.json, view.has(name)]),
          ]).toEqual([
            json,
            Buffer.byteLength(json),
            live.map(([name]) => name),
            cells.map(([name, [text, writer]]) => [name, text, [writer]]),
            cells.map(([, [text]]) => [text, text !== undefined]),
          ]);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('many views', () => {
  const base = ContextView.ofInput(
    new Map(Array.from({ length: 1_000 }, (_, index) => [`key${index}`, '"x"'])),
  );

  it('on one large context share it', () => {
    const views: ContextView[] = [];
    for (let no = 0; no < 10_000; no++) {
      views.push(base.withWrites(no, writes({ [`own${no}`]: '1', key500: '2' })));
    }
    expect(countNodes(views)).toBeLessThan(10_000 * 2 * 13 + 1_000);
  });

  it('in a chain of 10,000 stay flat, and copy little', () => {
    const views: ContextView[] = [];
    let view = base;
    for (let no = 0; no < 10_000; no++) {
      view = view.withWrites(no, writes({ [`own${no}`]: '1' }));
      views.push(view);
    }
    // Ascending, descending or mixed, a balanced tree of 11,000 has at most 1.44 · log2 of it.
    expect(view.index.height).toBeLessThanOrEqual(19);
    expect(countNodes(views)).toBeLessThan(10_000 * 19);
    expect(views[0]?.entries()).toHaveLength(1_001);
    expect(views[4_999]?.entries()).toHaveLength(6_000);
    expect(view.entries()).toHaveLength(11_000);
  });

  it('with the same key written again and again stay small, and let go of old values', () => {
    let view = ContextView.empty;
    for (let no = 0; no < 10_000; no++) view = view.withWrites(no, writes({ counter: `${no}` }));
    expect(countNodes([view])).toBe(2);
    expect(view.get('counter')?.json).toBe('9999');
    const held = JSON.stringify(view.history.keys) + JSON.stringify(view.history.parent.keys);
    expect(held).toBe('["counter"]["counter"]');
  });
});

describe('ContextIndex', () => {
  const written = (by: number): ContextEntry => ({ json: '1', bytes: 1, writers: [by] });

  /** The height, counted from the leaves up; NaN when at some node the two sides differ by more than one. */
  function balancedHeight(node: ContextIndex): number {
    if (node.height === 0) return 0;
    const [before, after] = [balancedHeight(node.before), balancedHeight(node.after)];
    const height = Math.max(before, after) + 1;
    return Math.abs(before - after) <= 1 && node.height === height ? height : Number.NaN;
  }

  it('stays balanced and in order, whatever is put in which order', () => {
    const key = fc.nat(300).map((n) => `${n}`);
    const keys = fc.array(key, { size: 'max', maxLength: 300 });
    fc.assert(
      fc.property(fc.uniqueArray(key), keys, (first, then) => {
        const sorted = first.sort();
        let index = ContextIndex.of(sorted.map((name) => [name, written(-1)]));
        expect(balancedHeight(index)).toBe(index.height);
        then.forEach((name, place) => {
          index = index.put(name, written(place));
        });
        expect(balancedHeight(index)).toBe(index.height);
        const found: [string, number | undefined][] = [];
        index.forEach((node) => found.push([node.key, node.entry.writers[0]]));
        const all = [...new Set([...first, ...then])].sort();
        expect(found).toEqual(all.map((name) => [name, then.lastIndexOf(name)]));
        expect(all.every((name) => index.find(name)?.key === name)).toBe(true);
        expect(index.find('x')).toBeUndefined();
      }),
    );
  });

  it('stays balanced when keys come in order', () => {
    for (const order of [(n: number) => n, (n: number) => 9_999 - n]) {
      let index = ContextIndex.empty;
      for (let n = 0; n < 5_000; n++) {
        index = index.put(`${order(n)}`.padStart(4, '0'), written(n));
      }
      expect(index.height).toBeLessThanOrEqual(17);
      expect(balancedHeight(index)).toBe(index.height);
    }
  });
});

describe('ContextHistory', () => {
  it('goes far back in few steps', () => {
    const first = ContextHistory.start.write(['a']);
    let last = first;
    for (let point = 0; point < 300_000; point++) last = last.write(['b']);
    // Step by step, this would be more calls than there is room for.
    expect(last.common(first.write(['c']))).toBe(first);
    expect(first.common(last)).toBe(first);
  });

  it('finds the last point that two have in common', () => {
    const backs = fc.array(fc.nat(40), { size: 'max', minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(backs, fc.infiniteStream(fc.nat(200)), (forks, picks) => {
        const points = [ContextHistory.start];
        for (const back of forks) {
          const from = points[Math.max(0, points.length - 1 - back)] ?? ContextHistory.start;
          points.push(from.write([`k${points.length}`]));
        }
        const lineOf = (point: ContextHistory): ContextHistory[] =>
          point === ContextHistory.start ? [point] : [point, ...lineOf(point.parent)];
        for (let pair = 0; pair < 20; pair++) {
          const [a = ContextHistory.start, b = ContextHistory.start] = [
            points[(picks.next().value ?? 0) % points.length],
            points[(picks.next().value ?? 0) % points.length],
          ];
          const line = new Set(lineOf(b));
          expect(a.common(b)).toBe(lineOf(a).find((point) => line.has(point)));
          expect(a.depth).toBe(lineOf(a).length - 1);
          expect(a.length).toBe(a.depth);
        }
      }),
      { numRuns: 60 },
    );
  });
});
