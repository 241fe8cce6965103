import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  ContextView,
  finalContext,
  INPUT_WRITER,
  joinContexts,
  type ContextConflict,
} from '../../../lib/workflow/context.js';
import type { CompiledWorkflow, TaskSource } from '../../../lib/workflow/definition.js';
import { ancestorsByName, compiled, countSteps, graphs, no, workflowOf } from './some-workflows.js';

type Writes = Record<string, string | undefined>;

/** Joins views of tasks by their names, as task `joiner`. */
function join(
  workflow: CompiledWorkflow,
  joiner: string,
  views: Record<string, ContextView>,
): { view: ContextView; conflicts: readonly ContextConflict[] } {
  const dependencies = Object.entries(views).map(([name, view]) => ({
    no: no(workflow, name),
    view,
  }));
  return joinContexts(workflow, no(workflow, joiner), dependencies);
}

const written = (writes: Writes): Map<string, string | undefined> =>
  new Map(Object.entries(writes));

describe('joinContexts', () => {
  const diamond = workflowOf({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'] });
  const [a, b, c, d] = [0, 1, 2, 3];
  const input = ContextView.ofInput(new Map([['in', '0']]));
  const afterA = input.withWrites(a, written({ x: '1', y: '1' }));

  it('is the view itself where there is one, or the same for all', () => {
    expect(join(diamond, 'b', { a: afterA })).toEqual({ view: afterA, conflicts: [] });
    expect(join(diamond, 'b', { a: afterA }).view).toBe(afterA);
    expect(join(diamond, 'd', { b: afterA, c: afterA }).view).toBe(afterA);
    expect(joinContexts(diamond, d, []).view).toBe(ContextView.empty);
  });

  it('takes what each branch wrote', () => {
    const { view, conflicts } = join(diamond, 'd', {
      b: afterA.withWrites(b, written({ x: '2', in: undefined })),
      c: afterA.withWrites(c, written({ y: '3', z: '4' })),
    });
    expect(JSON.parse(view.toJson())).toEqual({ x: 2, y: 3, z: 4 });
    expect(view.get('x')?.writers).toEqual([b]);
    expect(view.get('in')).toEqual({ json: undefined, bytes: 0, writers: [b] });
    expect(conflicts).toEqual([]);
  });

  it('lets the later dependency win a conflict, and the joining task have written it', () => {
    const views = {
      b: afterA.withWrites(b, written({ x: '2', y: undefined })),
      c: afterA.withWrites(c, written({ x: '3', y: '5' })),
    };
    const { view, conflicts } = join(diamond, 'd', views);
    expect(JSON.parse(view.toJson())).toEqual({ in: 0, x: 3, y: 5 });
    expect(view.get('x')).toEqual({ json: '3', bytes: 1, writers: [d] });
    expect(conflicts).toEqual([
      { key: 'x', tasks: [b, c], winner: c },
      { key: 'y', tasks: [b, c], winner: c },
    ]);
    const other = join(diamond, 'd', { c: views.c, b: views.b });
    expect(JSON.parse(other.view.toJson())).toEqual({ in: 0, x: 2 });
    expect(other.conflicts.map((conflict) => conflict.winner)).toEqual([b, b]);
  });

  it('takes equal values, and two deletions, for agreement', () => {
    const { view, conflicts } = join(diamond, 'd', {
      b: afterA.withWrites(b, written({ x: '{"p":[1],"q":2}', y: undefined, in: '0' })),
      c: afterA.withWrites(c, written({ x: '{"q":2, "p":[1]}', y: undefined })),
    });
    expect(conflicts).toEqual([]);
    expect(view.get('x')?.writers).toEqual([b, c]);
    expect(view.get('y')).toEqual({ json: undefined, bytes: 0, writers: [b, c] });
    // Equal to the ancestor's word, but the later one.
    expect(view.get('in')?.writers).toEqual([b]);
  });

  it('asks ancestry of each of several writers that agreed', () => {
    const workflow = workflowOf({
      p: [],
      q: [],
      both: ['p', 'q'],
      r: ['p'],
      end: ['both', 'r'],
    });
    const p = ContextView.empty.withWrites(no(workflow, 'p'), written({ k: '1' }));
    const q = ContextView.empty.withWrites(no(workflow, 'q'), written({ k: '1' }));
    const both = join(workflow, 'both', { p, q }).view;
    expect(both.get('k')?.writers).toEqual([no(workflow, 'p'), no(workflow, 'q')]);
    const r = p.withWrites(no(workflow, 'r'), written({ k: '2' }));
    const end = join(workflow, 'end', { both, r });
    expect(end.conflicts).toEqual([
      { key: 'k', tasks: [no(workflow, 'q'), no(workflow, 'r')].sort(), winner: no(workflow, 'r') },
    ]);
    const agreed = join(workflow, 'end', {
      both,
      r: p.withWrites(no(workflow, 'r'), written({ k: '1' })),
    });
    expect(agreed.view.get('k')?.writers).toEqual([no(workflow, 'q'), no(workflow, 'r')].sort());
    // Whoever only carried p's word has nothing to add.
    expect(join(workflow, 'end', { both, r: p }).view).toBe(both);
    expect(join(workflow, 'end', { both, r: q }).view).toBe(both);
  });

  it('counts a value for the last dependency that carries it, also by way of a shared history', () => {
    const workflow = workflowOf({
      base: [],
      mine: ['base'],
      other: [],
      end: ['mine', 'other', 'base'],
    });
    const base = input.withWrites(no(workflow, 'base'), written({ k: '1' }));
    const mine = base.withWrites(no(workflow, 'mine'), written({ m: '1', n: '1' }));
    const other = input.withWrites(no(workflow, 'other'), written({ k: '2' }));
    const { conflicts, view } = join(workflow, 'end', { mine, other, base });
    expect(view.get('k')?.json).toBe('1');
    expect(conflicts).toEqual([
      {
        key: 'k',
        tasks: [no(workflow, 'base'), no(workflow, 'other')].sort((x, y) => x - y),
        winner: no(workflow, 'base'),
      },
    ]);
  });
});

describe('finalContext', () => {
  it('joins the leaves in declaration order', () => {
    const workflow = workflowOf({ late: ['root'], early: ['root'], root: [] });
    const root = ContextView.empty.withWrites(no(workflow, 'root'), written({ r: '0' }));
    const views = new Map(
      ['late', 'early'].map((name) => [
        no(workflow, name),
        root.withWrites(no(workflow, name), written({ k: `"${name}"` })),
      ]),
    );
    const { view, conflicts } = finalContext(
      workflow,
      (leaf) => views.get(leaf) ?? ContextView.empty,
    );
    expect(JSON.parse(view.toJson())).toEqual({ r: 0, k: 'early' });
    expect(view.get('k')?.writers).toEqual([workflow.tasks.length]);
    expect(conflicts).toHaveLength(1);
    expect(conflicts[0]?.winner).toBe(no(workflow, 'early'));
  });
});

/** One key in the model: what each writer wrote, as a value; a deletion is a value of its own. */
interface Cell {
  readonly value: unknown;
  readonly writers: ReadonlySet<string>;
}
interface ModelConflict {
  readonly key: string;
  readonly tasks: ReadonlySet<string>;
  readonly winner: string | undefined;
}
const DELETED = Symbol('deleted');

/**
 * The words of DESIGN with nothing shared and nothing clever: whole maps for each task, tasks by name, ancestors as
 * sets of names.
 */
class Model {
  private readonly ancestors: Map<string, Set<string>>;
  readonly after = new Map<string, Map<string, Cell>>();

  constructor(
    tasks: readonly TaskSource[],
    private readonly input: Map<string, Cell>,
  ) {
    this.ancestors = ancestorsByName(tasks);
  }

  start(
    name: string,
    dependsOn: readonly string[],
  ): { cells: Map<string, Cell>; conflicts: ModelConflict[] } {
    if (dependsOn.length === 0) return { cells: new Map(this.input), conflicts: [] };
    const carried = dependsOn.map(
      (dependency) => this.after.get(dependency) ?? new Map<string, Cell>(),
    );
    const cells = new Map<string, Cell>();
    const conflicts: ModelConflict[] = [];
    for (const key of new Set(carried.flatMap((context) => [...context.keys()]))) {
      const words = carried.flatMap((context, index) => {
        const cell = context.get(key);
        return cell === undefined
          ? []
          : [...cell.writers].map((writer) => ({ writer, value: cell.value, index }));
      });
      const standing = words.filter(
        (word) => !words.some((other) => this.isAncestor(word.writer, other.writer)),
      );
      const winner = standing.reduce((best, word) => (word.index >= best.index ? word : best));
      const agree = standing.every((word) => isDeepStrictEqual(word.value, winner.value));
      const writers = new Set(standing.map((word) => word.writer));
      cells.set(key, { value: winner.value, writers: agree ? writers : new Set([name]) });
      if (!agree) conflicts.push({ key, tasks: writers, winner: dependsOn[winner.index] });
    }
    return { cells, conflicts };
  }

  private isAncestor(name: string, other: string): boolean {
    if (name === 'input') return other !== 'input';
    return this.ancestors.get(other)?.has(name) ?? false;
  }
}

describe('contexts in a whole workflow', () => {
  const key = fc.constantFrom('a', 'b', 'c', '__proto__');
  // Some equal under other texts.
  const json = fc.constantFrom('1', '2', '{"x":1,"y":[2]}', '{"y":[2],"x":1}', 'null', undefined);
  const changes = fc.uniqueArray(fc.tuple(key, json), { selector: ([name]) => name, maxLength: 3 });
  const valueOf = (text: string | undefined): unknown =>
    text === undefined ? DELETED : JSON.parse(text);

  function follow(
    tasks: readonly TaskSource[],
    writes: readonly [string, string | undefined][][],
  ): void {
    const workflow = compiled({ name: 'w', tasks });
    const nameOf = (number: number): string =>
      number === INPUT_WRITER ? 'input' : (workflow.tasks[number]?.name ?? 'end');
    const given = new Map([
      ['a', '1'],
      ['d', '0'],
    ]);
    const input = ContextView.ofInput(given);
    const cellsOfInput = [...given].map(([name, text]): [string, Cell] => [
      name,
      { value: valueOf(text), writers: new Set(['input']) },
    ]);
    const model = new Model(tasks, new Map(cellsOfInput));
    const views = new Map<number, ContextView>();

    const found: unknown[] = [];
    const wanted: unknown[] = [];
    const compare = (
      { view, conflicts }: { view: ContextView; conflicts: readonly ContextConflict[] },
      expected: ReturnType<Model['start']>,
    ): void => {
      const cells = view
        .entries()
        .map(([name, entry]): [string, Cell] => [
          name,
          { value: valueOf(entry.json), writers: new Set(entry.writers.map(nameOf)) },
        ]);
      const sorted = view.entries().every(([, { writers }]) => {
        return writers.every(
          (writer, index) => index === 0 || writer > (writers[index - 1] ?? writer),
        );
      });
      found.push(new Map(cells), sorted, view.bytes);
      wanted.push(expected.cells, true, Buffer.byteLength(view.toJson()));
      found.push(
        conflicts.map(({ key: name, tasks: writers, winner }) => ({
          key: name,
          tasks: new Set(writers.map(nameOf)),
          winner: nameOf(winner),
        })),
      );
      wanted.push(expected.conflicts.sort((x, y) => (x.key < y.key ? -1 : 1)));
    };
    const viewOf = (number: number): ContextView => views.get(number) ?? ContextView.empty;

    for (const task of workflow.tasks) {
      const dependsOn = task.dependsOn.map(nameOf);
      const expected = model.start(task.name, dependsOn);
      const joined =
        dependsOn.length === 0
          ? { view: input, conflicts: [] }
          : joinContexts(
              workflow,
              task.no,
              task.dependsOn.map((number) => ({ no: number, view: viewOf(number) })),
            );
      compare(joined, expected);
      // No writes: a Skipped or Failed task, which passes on what it carried.
      const own = writes[task.no] ?? [];
      const cells = new Map(expected.cells);
      for (const [name, text] of own) {
        cells.set(name, { value: valueOf(text), writers: new Set([task.name]) });
      }
      model.after.set(task.name, cells);
      views.set(task.no, joined.view.withWrites(task.no, new Map(own)));
    }
    const leaves = workflow.leaves.map(nameOf);
    compare(finalContext(workflow, viewOf), model.start('end', leaves));
    // One comparison for all: there are thousands.
    expect(found).toEqual(wanted);
  }

  it('are what a plain model says, in graphs of all shapes', () => {
    fc.assert(
      fc.property(graphs(14), fc.array(changes, { minLength: 14, maxLength: 14 }), follow),
      { numRuns: 400 },
    );
  });

  it('are what a plain model says, in wide joins', () => {
    const wide = fc.integer({ min: 2, max: 16 }).chain((width) =>
      fc
        .tuple(graphs(3), fc.array(fc.nat(3), { minLength: width, maxLength: width }))
        .map(([start, froms]): TaskSource[] => {
          const branches = froms.map((from, index) => ({
            name: `b${index}`,
            dependsOn: [start[from]?.name ?? `b${index - 1}`].filter((name) => name !== 'b-1'),
          }));
          return [
            ...start,
            ...branches,
            { name: 'join', dependsOn: branches.map((branch) => branch.name) },
          ];
        }),
    );
    fc.assert(fc.property(wide, fc.array(changes, { minLength: 20, maxLength: 20 }), follow), {
      numRuns: 300,
    });
  });

  it('are what a plain model says, in deep graphs', () => {
    fc.assert(
      fc.property(graphs(120, 3), fc.array(changes, { minLength: 120, maxLength: 120 }), follow),
      { numRuns: 30 },
    );
  });
});

describe('joins of 10,000 tasks', () => {
  const SIZE = 10_000;
  const names = Array.from({ length: SIZE }, (_, index) => `t${index}`);
  const fan = workflowOf({
    root: [],
    ...Object.fromEntries(names.map((name) => [name, ['root']])),
    join: names,
  });
  const base = ContextView.ofInput(
    new Map(Array.from({ length: 1_000 }, (_, index) => [`key${index}`, '"x"'])),
  );
  const rootView = base.withWrites(no(fan, 'root'), written({ r: '1' }));

  function joined(writesOf: (name: string) => Writes): {
    view: ContextView;
    conflicts: readonly ContextConflict[];
    steps: number;
  } {
    const dependencies = names.map((name) => {
      const number = no(fan, name);
      return { no: number, view: rootView.withWrites(number, written(writesOf(name))) };
    });
    let result = { view: ContextView.empty, conflicts: [] as readonly ContextConflict[] };
    const steps = countSteps(() => {
      result = joinContexts(fan, no(fan, 'join'), dependencies);
    });
    return { ...result, steps };
  }

  it('do not look at what all of them share', () => {
    const { view, conflicts, steps } = joined((name) => ({ [name]: '1' }));
    expect(view.keys()).toHaveLength(SIZE + 1_001);
    expect(conflicts).toEqual([]);
    expect(steps).toBeLessThan(SIZE * 8);
  });

  it('visit what some of them share once', () => {
    const wrote = (prefix: string, count: number): ContextView =>
      rootView.withWrites(
        no(fan, 't0'),
        new Map(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, '1'])),
      );
    // All but the first have it. The join is made on the first, which has the longest history.
    const large = wrote('large', 1_000);
    const dependencies = names.map((name, index) => ({
      no: no(fan, name),
      view:
        index === 0
          ? wrote('first', 2_000)
          : large.withWrites(no(fan, name), written({ [name]: '1' })),
    }));
    const steps = countSteps(() => {
      const { view } = joinContexts(fan, no(fan, 'join'), dependencies);
      expect(view.keys()).toHaveLength(1_001 + 2_000 + 1_000 + SIZE - 1);
    });
    expect(steps).toBeLessThan((SIZE + 1_000) * 15);
  });

  it('settle one key that all of them wrote without comparing all with all', () => {
    let asked = 0;
    const { isAncestor } = fan;
    const watched = { ...fan, isAncestor: (x: number, y: number) => (asked++, isAncestor(x, y)) };
    const dependencies = names.map((name) => ({
      no: no(fan, name),
      view: rootView.withWrites(no(fan, name), written({ k: `"${name}"`, r: '2' })),
    }));
    const steps = countSteps(() => {
      const { view, conflicts } = joinContexts(watched, no(fan, 'join'), dependencies);
      expect(view.get('k')?.json).toBe('"t9999"');
      expect(view.get('r')?.writers).toHaveLength(SIZE);
      expect(conflicts).toHaveLength(1);
      expect(conflicts[0]?.tasks).toHaveLength(SIZE);
    });
    expect(asked).toBeLessThan(100);
    expect(steps).toBeLessThan(SIZE * 20);
  });

  it('one after the other, with a side task each, look at the side task only', () => {
    const chain = names.slice(0, 3_000);
    const tasks: Record<string, string[]> = { root: [] };
    chain.forEach((name, index) => {
      tasks[`side${index}`] = ['root'];
      tasks[name] = [chain[index - 1] ?? 'root', `side${index}`];
    });
    const workflow = workflowOf(tasks);
    // The last point that they have in common has much in it, too.
    const root = ContextView.empty.withEntries(base.entries());
    const steps = countSteps(() => {
      let main = root;
      chain.forEach((name, index) => {
        const side = no(workflow, `side${index}`);
        const { view } = join(workflow, name, {
          [chain[index - 1] ?? 'root']: main,
          [`side${index}`]: root.withWrites(side, written({ [`s${index}`]: '1' })),
        });
        main = view.withWrites(no(workflow, name), written({ [name]: '1' }));
      });
      expect(main.keys()).toHaveLength(1_000 + 2 * chain.length);
    });
    expect(steps).toBeLessThan(chain.length * 40);
  });
});
