import { INPUT_WRITER } from './context-view.js';
import type { CompiledWorkflow } from './definition.js';
import { assertDefined } from './assert-defined.js';

/** More writers than this are settled by one walk over the graph; fewer are asked about in pairs. */
const FEW = 4;

/** Tells which of several writers are not ancestors of others, and remembers it for the length of a join. */
export class WriterSets {
  private readonly settled = new Map<string, readonly number[]>();

  constructor(private readonly workflow: CompiledWorkflow) {}

  /** Those of `writers`, ascending and each once, that are no ancestors of others among them. */
  withoutAncestors(writers: readonly number[]): readonly number[] {
    if (writers.length === 1) return writers;
    const tasks = writers[0] === INPUT_WRITER ? writers.slice(1) : writers;
    if (tasks.length <= FEW) {
      return tasks.filter((task) => !tasks.some((other) => this.workflow.isAncestor(task, other)));
    }
    // Joins of many tasks tend to have the same writers for all their keys.
    const id = tasks.join();
    const known = this.settled.get(id) ?? this.settle(tasks);
    this.settled.set(id, known);
    return known;
  }

  /** Numbers are topological: one pass downwards marks all ancestors, and it may end above the lowest writer. */
  private settle(tasks: readonly number[]): readonly number[] {
    const lowest = assertDefined(tasks[0]);
    const reached = new Set(tasks);
    const ancestors = new Set<number>();
    for (let no = assertDefined(tasks.at(-1)); no > lowest; no--) {
      if (!reached.has(no)) continue;
      for (const dependency of assertDefined(this.workflow.tasks[no]).dependsOn) {
        ancestors.add(dependency);
        reached.add(dependency);
      }
    }
    return tasks.filter((task) => !ancestors.has(task));
  }
}
