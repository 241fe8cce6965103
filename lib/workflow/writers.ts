import { INPUT_WRITER } from './context-view.js';
import type { CompiledWorkflow } from './definition.js';
import { assertDefined } from './assert-defined.js';

/** Up to this number, writers are compared in pairs; more of them take one walk over the graph. */
const FEW = 4;

/** Finds the writers that are not ancestors of other writers, and caches the answers during a join. */
export class WriterSets {
  private readonly settled = new Map<string, readonly number[]>();

  constructor(private readonly workflow: CompiledWorkflow) {}

  /** The members of `writers` that are not ancestors of other members. `writers` is ascending, without duplicates. */
  withoutAncestors(writers: readonly number[]): readonly number[] {
    if (writers.length === 1) return writers;
    const tasks = writers[0] === INPUT_WRITER ? writers.slice(1) : writers;
    if (tasks.length <= FEW) {
      return tasks.filter((task) => !tasks.some((other) => this.workflow.isAncestor(task, other)));
    }
    // In a join of many tasks, most keys have the same writers.
    const id = tasks.join();
    const known = this.settled.get(id) ?? this.settle(tasks);
    this.settled.set(id, known);
    return known;
  }

  /** Numbers are topological, so one pass in descending order marks all ancestors. It ends at the lowest writer. */
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
