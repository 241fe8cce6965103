import type { JsonObject } from '../discovery/context-types.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import { ExecutionCache, membersOf } from '../engine/memory/execution-cache.js';
import type { ExecutionRow, TaskRow } from '../store/port/index.js';
import {
  ContextView,
  decodeJson,
  isExecutionEnded,
  isTaskTerminal,
  joinContexts,
  type ExecutionStatus,
  type TaskStatus,
} from '../workflow/index.js';

/** Decodes key by key, because the JSON of a whole context may exceed the longest possible string. */
export function contextObject(view: ContextView): JsonObject {
  const object: JsonObject = {};
  for (const [key, { json }] of view.entries()) {
    if (json === undefined) continue;
    const value = decodeJson(json);
    // Not assigned, because a key may be `__proto__`.
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}

/** The stored final context. If none is stored, the context is computed from the recorded outcomes. */
export function contextOf(
  row: ExecutionRow,
  tasks: readonly TaskRow[],
  { workflow }: RunnableDefinition,
  status: ExecutionStatus,
): JsonObject {
  if (row.context !== null) return decodeJson(row.context) as JsonObject;
  const memory = new ExecutionCache(row.id, workflow, 0);
  memory.setInput(membersOf(row.input));
  const terminal = tasks.filter((task) => isTaskTerminal(task.status as TaskStatus));
  memory.load(
    terminal
      .filter(({ taskNo }) => dependenciesKnown(taskNo))
      .map((task) => ({ ...task, error: null, token: 0 })),
  );
  const final = isExecutionEnded(status) ? memory.finalContext() : undefined;
  return contextObject(final ?? frontier());

  /** Whether all dependencies have ended: a cancelled task may end before them. */
  function dependenciesKnown(no: number): boolean {
    return (workflow.tasks[no]?.dependsOn ?? []).every((dependency) =>
      isTaskTerminal((tasks[dependency]?.status ?? 'NotStarted') as TaskStatus),
    );
  }

  /** Joins the contexts of the tasks without a dependent that has ended. */
  function frontier(): ContextView {
    const known = terminal
      .map(({ taskNo }) => taskNo)
      .filter((no) => memory.outcome(no) !== undefined);
    const last = known.filter((no) =>
      (workflow.dependents[no] ?? []).every((dependent) => memory.outcome(dependent) === undefined),
    );
    if (last.length === 0) return ContextView.ofInput(membersOf(row.input));
    const views = last.map((no) => ({ no, view: memory.outcome(no)?.view ?? ContextView.empty }));
    return joinContexts(workflow, workflow.tasks.length, views).view;
  }
}
