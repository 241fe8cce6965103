import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Ancestry, dependentsOf, orderGraph } from '../../../lib/workflow/graph.js';
import { ancestorsByName, compiled, countSteps, graphs, no } from './some-workflows.js';

const SIZE = 10_000;
/** Each node depends on the one before. */
const CHAIN = Array.from({ length: SIZE }, (_, index) => (index === 0 ? [] : [index - 1]));
/** Each node depends on the two before: too many paths to walk them all. */
const LADDER = CHAIN.map((_, index) => [index - 1, index - 2].filter((node) => node >= 0));
/** One node, all others, one node. */
const FAN = CHAIN.map((_, index) => {
  if (index === 0) return [];
  return index < SIZE - 1 ? [0] : Array.from({ length: SIZE - 2 }, (__, node) => node + 1);
});

/** The same lists, with a count of how often one was taken out to be read. */
function counted(dependsOn: readonly (readonly number[])[]): {
  rows: readonly (readonly number[])[];
  reads: () => number;
} {
  let reads = 0;
  const rows = new Proxy(dependsOn, {
    get(target, key, receiver): unknown {
      if (typeof key === 'string' && key !== 'length') reads++;
      return Reflect.get(target, key, receiver);
    },
  });
  return { rows, reads: () => reads };
}

describe('orderGraph', () => {
  it('leaves a list in order as it is', () => {
    expect(orderGraph([[], [0], [], [2, 0], [3]])).toEqual({ ok: true, order: [0, 1, 2, 3, 4] });
  });

  it('puts dependencies before what was declared ahead of them', () => {
    expect(orderGraph([[2, 1], [2], [], [0]])).toEqual({ ok: true, order: [2, 1, 0, 3] });
  });

  it('finds every cycle once', () => {
    expect(orderGraph([[1], [2], [0], [4], [3], []])).toEqual({
      ok: false,
      cycles: [
        [0, 1, 2],
        [3, 4],
      ],
    });
    expect(orderGraph([[1], [0, 2], [1]])).toEqual({
      ok: false,
      cycles: [
        [0, 1],
        [1, 2],
      ],
    });
    expect(orderGraph([[0]])).toEqual({ ok: false, cycles: [[0]] });
  });

  it('takes 10,000 nodes, deep or wide, in steps that grow with nodes and edges', () => {
    // Reversed, so that the search begins at the far end and goes down all the way.
    const deep = CHAIN.map((_, index) => (index === SIZE - 1 ? [] : [index + 1]));
    for (const graph of [deep, CHAIN, LADDER, FAN]) {
      const { rows, reads } = counted(graph);
      expect(orderGraph(rows)).toMatchObject({ ok: true });
      expect(reads()).toBeLessThanOrEqual(SIZE + graph.flat().length);
    }
    const ring = deep.map((dependencies) => (dependencies.length === 0 ? [0] : dependencies));
    const found = orderGraph(ring);
    expect(found.ok ? [] : found.cycles.map((cycle) => cycle.length)).toEqual([SIZE]);
  });
});

describe('the numbers of tasks', () => {
  it('come after those of dependencies, and are the declaration order where that is one', () => {
    fc.assert(
      fc.property(graphs(25), (tasks) => {
        const workflow = compiled({ name: 'w', tasks });
        expect(workflow.tasks.map((task) => task.no)).toEqual([...tasks.keys()]);
        for (const task of workflow.tasks) {
          expect(tasks[task.declared]?.name).toBe(task.name);
          expect(workflow.taskNo(task.name)).toBe(task.no);
          const names = task.dependsOn.map((dependency) => workflow.tasks[dependency]?.name);
          expect(names).toEqual(tasks[task.declared]?.dependsOn);
          expect(task.dependsOn.every((dependency) => dependency < task.no)).toBe(true);
        }
        // Written in the order of its numbers, it keeps them.
        const inOrder = workflow.tasks.flatMap((task) => tasks[task.declared] ?? []);
        const again = compiled({ name: 'w', tasks: inOrder });
        expect(again.tasks.map((task) => task.name)).toEqual(inOrder.map((task) => task.name));
        expect(again.tasks.every((task) => task.declared === task.no)).toBe(true);
      }),
    );
  });

  it('are the same each time', () => {
    fc.assert(
      fc.property(graphs(25), (tasks) => {
        const names = (): string[] => compiled({ name: 'w', tasks }).tasks.map(({ name }) => name);
        expect(names()).toEqual(names());
      }),
    );
  });

  it('give roots and leaves in declaration order, and dependents ascending', () => {
    fc.assert(
      fc.property(graphs(25), (tasks) => {
        const workflow = compiled({ name: 'w', tasks });
        const used = new Set(tasks.flatMap((task) => task.dependsOn ?? []));
        const namesOf = (numbers: readonly number[]): (string | undefined)[] =>
          numbers.map((number) => workflow.tasks[number]?.name);
        expect(namesOf(workflow.roots)).toEqual(
          tasks.filter((task) => task.dependsOn?.length === 0).map((task) => task.name),
        );
        expect(namesOf(workflow.leaves)).toEqual(
          tasks.filter((task) => !used.has(task.name)).map((task) => task.name),
        );
        for (const { no: own, name } of workflow.tasks) {
          const expected = tasks
            .filter((task) => task.dependsOn?.includes(name))
            .map((task) => no(workflow, task.name));
          expect(workflow.dependents[own]).toEqual(expected.sort((a, b) => a - b));
        }
      }),
    );
  });
});

describe('isAncestor', () => {
  it('is what following all paths says', () => {
    fc.assert(
      fc.property(fc.oneof(graphs(20), graphs(40, 2)), (tasks) => {
        const workflow = compiled({ name: 'w', tasks });
        const ancestors = ancestorsByName(tasks);
        const pairs = tasks.flatMap((a) => tasks.map((b) => [a.name, b.name] as const));
        const found = pairs.filter(([a, b]) =>
          workflow.isAncestor(no(workflow, a), no(workflow, b)),
        );
        expect(found).toEqual(pairs.filter(([a, b]) => ancestors.get(b)?.has(a)));
      }),
    );
  });

  it('is false of numbers that are no tasks', () => {
    const ancestry = new Ancestry([[], [0], [0, 1]]);
    expect([-1, 2, 3, 7].some((a) => ancestry.isAncestor(a, 2))).toBe(false);
    expect([-1, 0, 3].some((b) => ancestry.isAncestor(0, b))).toBe(false);
  });

  it('computes nothing before it is asked', () => {
    const { rows, reads } = counted(LADDER);
    const ancestry = new Ancestry(rows);
    expect(reads()).toBe(0);
    // Neighbors and what is out of order cost no walk.
    expect(ancestry.isAncestor(5_000, 4_000)).toBe(false);
    expect(new Ancestry(CHAIN).isAncestor(4_999, 5_000)).toBe(true);
    expect(ancestry.size).toBe(0);
  });

  it('visits each node once for an answer, and none for the next one of the same node', () => {
    for (const graph of [CHAIN, LADDER, FAN]) {
      const { rows, reads } = counted(graph);
      const ancestry = new Ancestry(rows);
      expect(ancestry.isAncestor(0, SIZE - 1)).toBe(true);
      expect(reads()).toBeLessThanOrEqual(SIZE + 1);
      const before = reads();
      for (let a = 1; a <= 1_000; a++) ancestry.isAncestor(a, SIZE - 1);
      expect(reads()).toBe(before + 1_000);
    }
  });

  it('remembers within a bound, and goes on answering', () => {
    const ancestry = new Ancestry(LADDER);
    const bytesEach = Math.ceil(SIZE / 8);
    for (let b = 2; b < SIZE; b += 3) {
      expect(ancestry.isAncestor(0, b)).toBe(true);
      expect(ancestry.size * bytesEach).toBeLessThanOrEqual(2 ** 21);
    }
    expect(ancestry.size).toBeGreaterThan(1_000);
    expect(ancestry.isAncestor(1, 2)).toBe(true);
  });

  it('forgets what was not asked for longest', () => {
    const { rows, reads } = counted(LADDER);
    const ancestry = new Ancestry(rows);
    const bound = Math.floor(2 ** 21 / Math.ceil(SIZE / 8));
    for (let b = 2; b < bound + 2; b++) ancestry.isAncestor(0, b);
    ancestry.isAncestor(0, 2);
    ancestry.isAncestor(0, bound + 2);
    const walk = (b: number): number => {
      const before = reads();
      ancestry.isAncestor(0, b);
      return reads() - before;
    };
    expect(walk(2)).toBe(1);
    expect(walk(3)).toBeGreaterThan(1);
  });
});

describe('a workflow of 10,000 tasks', () => {
  it.each([
    ['deep', CHAIN],
    ['with many paths', LADDER],
    ['wide', FAN],
  ])('compiles, %s, in steps that grow with tasks and dependencies', (_shape, graph) => {
    const tasks = graph
      .map((dependsOn, index) => ({ name: `t${index}`, dependsOn: dependsOn.map((d) => `t${d}`) }))
      .toReversed();
    const steps = countSteps(() => {
      const workflow = compiled({ name: 'w', tasks });
      expect(workflow.tasks).toHaveLength(SIZE);
      expect(workflow.isAncestor(no(workflow, 't0'), no(workflow, `t${SIZE - 1}`))).toBe(true);
    });
    expect(steps).toBeLessThan(40 * (SIZE + graph.flat().length));
  });
});

describe('dependentsOf', () => {
  it('turns the edges round', () => {
    expect(dependentsOf([[], [0], [1, 0]])).toEqual([[1, 2], [2], []]);
  });
});
