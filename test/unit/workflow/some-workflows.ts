import fc from 'fast-check';
import { compileWorkflow } from '../../../lib/workflow/compile.js';
import type { ContextIndex } from '../../../lib/workflow/context-index.js';
import type { ContextView } from '../../../lib/workflow/context.js';
import type {
  CompiledWorkflow,
  TaskSource,
  WorkflowSource,
} from '../../../lib/workflow/definition.js';

export function compiled(source: WorkflowSource): CompiledWorkflow {
  const result = compileWorkflow(source);
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.workflow;
}

export function problemsOf(source: unknown): string[] {
  const result = compileWorkflow(source as WorkflowSource);
  return result.ok ? [] : result.problems;
}

/** A workflow of tasks by name, each with its dependencies: `{ a: [], b: ['a'] }`. */
export function workflowOf(dependencies: Record<string, readonly string[]>): CompiledWorkflow {
  const tasks = Object.entries(dependencies).map(([name, dependsOn]) => ({ name, dependsOn }));
  return compiled({ name: 'w', tasks });
}

/** The number of a task that is there. */
export function no(workflow: CompiledWorkflow, name: string): number {
  const found = workflow.taskNo(name);
  if (found === undefined) throw new Error(`no task ${name}`);
  return found;
}

/**
 * Graphs of tasks t0, t1, … declared in any order, with dependencies in any order. `reach` is how far back a task
 * may depend: a small one gives deep graphs.
 */
export function graphs(maxTasks: number, reach = maxTasks): fc.Arbitrary<TaskSource[]> {
  return fc.integer({ min: 1, max: maxTasks }).chain((count) => {
    const tasks = Array.from({ length: count }, (_, index) => {
      const earlier = Array.from(
        { length: Math.min(index, reach) },
        (__, back) => index - 1 - back,
      );
      return fc
        .shuffledSubarray(earlier, { maxLength: Math.min(4, earlier.length) })
        .map((found): TaskSource => ({
          name: `t${index}`,
          dependsOn: found.map((dependency) => `t${dependency}`),
        }));
    });
    return fc
      .tuple(...tasks)
      .chain((list) => fc.shuffledSubarray(list, { minLength: count, maxLength: count }));
  });
}

/** The ancestors of each task by name, found the plainest way. */
export function ancestorsByName(tasks: readonly TaskSource[]): Map<string, Set<string>> {
  const ancestors = new Map(tasks.map((task) => [task.name, new Set(task.dependsOn)]));
  for (let changed = true; changed;) {
    changed = false;
    for (const own of ancestors.values()) {
      for (const name of own) {
        for (const further of ancestors.get(name) ?? []) {
          changed ||= !own.has(further);
          own.add(further);
        }
      }
    }
  }
  return ancestors;
}

/** Runs `action` and tells how often maps and sets were asked or added to meanwhile: the work, whatever the machine. */
export function countSteps(action: () => void): number {
  let count = 0;
  const restore: (() => void)[] = [];
  const watch = (prototype: object, method: string): void => {
    const original: unknown = Reflect.get(prototype, method);
    const counted = function counted(this: unknown, ...args: unknown[]): unknown {
      count++;
      return typeof original === 'function' ? Reflect.apply(original, this, args) : undefined;
    };
    Object.defineProperty(prototype, method, { value: counted });
    restore.push(() => Object.defineProperty(prototype, method, { value: original }));
  };
  for (const method of ['get', 'has', 'set']) watch(Map.prototype, method);
  for (const method of ['has', 'add']) watch(Set.prototype, method);
  try {
    action();
  } finally {
    for (const undo of restore) undo();
  }
  return count;
}

/** How many nodes of their indexes the views have together: shared ones count once. */
export function countNodes(views: readonly ContextView[]): number {
  const known = new Set<ContextIndex>();
  const visit = (node: ContextIndex): void => {
    if (known.has(node)) return;
    known.add(node);
    visit(node.before);
    visit(node.after);
  };
  for (const view of views) visit(view.index);
  return known.size;
}
