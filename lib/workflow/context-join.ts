import type { ContextHistory } from './context-history.js';
import type { ContextEntry } from './context-index.js';
import { ContextView } from './context-view.js';
import type { CompiledWorkflow } from './definition.js';
import { jsonEquals } from './json-equality.js';
import { decodeJson } from './json-value.js';
import { assertDefined } from './assert-defined.js';
import { WriterSets } from './writers.js';

/** A key to which independent tasks wrote different values. */
export interface ContextConflict {
  readonly key: string;
  /** The tasks that wrote the values, ascending. */
  readonly tasks: readonly number[];
  /** The dependency whose value wins: the later one in `dependsOn`. */
  readonly winner: number;
}

/** A dependency of the joining task, with the context that it passes on. */
export interface JoinedDependency {
  readonly no: number;
  readonly view: ContextView;
}

/** The context with which a task starts. */
export interface JoinedContext {
  readonly view: ContextView;
  /** Sorted by key, ascending. */
  readonly conflicts: readonly ContextConflict[];
}

/**
 * Joins the contexts of the dependencies of task `joiner`, given in the order of `dependsOn`. For each key, a writer
 * that is an ancestor of another writer loses. If the remaining values are equal, there is no conflict. Otherwise the
 * dependency later in the list wins, the conflict is reported, and `joiner` counts as the writer of the value.
 *
 * The cost depends on the keys that were written after the histories of the dependencies parted. Earlier keys are not
 * looked at.
 */
export function joinContexts(
  workflow: CompiledWorkflow,
  joiner: number,
  dependencies: readonly JoinedDependency[],
): JoinedContext {
  const base = withLongestHistory(dependencies);
  if (base === undefined) return { view: ContextView.empty, conflicts: [] };
  if (dependencies.length === 1) return { view: base.view, conflicts: [] };

  const writerSets = new WriterSets(workflow);
  const changes: [string, ContextEntry][] = [];
  const conflicts: ContextConflict[] = [];
  for (const [key, entries] of changedEntries(dependencies, base.view)) {
    const { writers, agreed } = resolveWriters(entries, writerSets);
    if (agreed === undefined) {
      const { no, entry } = lastDependencyWithValueOf(writers, key, dependencies);
      changes.push([key, { ...entry, writers: [joiner] }]);
      conflicts.push({ key, tasks: writers, winner: no });
    } else if (agreed !== base.view.get(key)) {
      changes.push([key, agreed]);
    }
  }
  conflicts.sort((a, b) => (a.key < b.key ? -1 : 1));
  return { view: base.view.withEntries(changes), conflicts };
}

/** The context of an ended execution: the contexts of the leaves, joined in declaration order. */
export function finalContext(
  workflow: CompiledWorkflow,
  viewOf: (leafNo: number) => ContextView,
): JoinedContext {
  const leaves = workflow.leaves.map((no) => ({ no, view: viewOf(no) }));
  return joinContexts(workflow, workflow.tasks.length, leaves);
}

/** The dependency with the longest history. The join starts from its view, so that it visits the shorter histories. */
function withLongestHistory(
  dependencies: readonly JoinedDependency[],
): JoinedDependency | undefined {
  let found: JoinedDependency | undefined;
  for (const dependency of dependencies) {
    if (found === undefined || dependency.view.history.length > found.view.history.length) {
      found = dependency;
    }
  }
  return found;
}

/**
 * Collects, for each key that was written outside the history of `base`, the entries of the dependencies, `base` last.
 *
 * A point that several histories share is visited for the first of them only, and yields the entry that this dependency
 * has now. Another dependency's later entry has its own point. Another dependency may also still have the entry of the
 * shared point. Skipping that one does not change the result: the collected entry replaced it, so its writer is a
 * descendant of all writers of the skipped one, or the values are equal.
 */
function changedEntries(
  dependencies: readonly JoinedDependency[],
  base: ContextView,
): Map<string, ContextEntry[]> {
  const gathered = new Map<string, ContextEntry[]>();
  const visited = new Set<ContextHistory>();
  for (const { view } of dependencies) {
    const { depth } = view.history.common(base.history);
    let point = view.history;
    for (; point.depth > depth && !visited.has(point); point = point.parent) {
      visited.add(point);
      for (const key of point.keys) append(gathered, key, assertDefined(view.get(key)));
    }
  }
  for (const key of gathered.keys()) {
    const entry = base.get(key);
    if (entry !== undefined) append(gathered, key, entry);
  }
  return gathered;
}

function append(gathered: Map<string, ContextEntry[]>, key: string, entry: ContextEntry): void {
  const entries = gathered.get(key);
  if (entries === undefined) gathered.set(key, [entry]);
  // A key that was written at several points of one history is visited several times.
  else if (entries.at(-1) !== entry) entries.push(entry);
}

/** The writers that are not ancestors of other writers, ascending, and their entry if their values are equal. */
function resolveWriters(
  entries: readonly ContextEntry[],
  writerSets: WriterSets,
): { writers: readonly number[]; agreed: ContextEntry | undefined } {
  const entryOf = new Map<number, ContextEntry>();
  for (const entry of entries) {
    for (const writer of entry.writers) entryOf.set(writer, entry);
  }
  const writers = writerSets.withoutAncestors([...entryOf.keys()].sort((a, b) => a - b));
  const left = writers.map((writer) => assertDefined(entryOf.get(writer)));
  const first = assertDefined(left[0]);
  if (!left.every((entry) => sameValue(entry, first))) return { writers, agreed: undefined };
  const known = left.find((entry) => sameNumbers(entry.writers, writers));
  return { writers, agreed: known ?? { ...first, writers } };
}

/** The last dependency that passes on a value of one of the `writers` in conflict. */
function lastDependencyWithValueOf(
  writers: readonly number[],
  key: string,
  dependencies: readonly JoinedDependency[],
): { no: number; entry: ContextEntry } {
  const left = new Set(writers);
  const isByWriter = (entry: ContextEntry | undefined): boolean =>
    entry?.writers.some((writer) => left.has(writer)) === true;
  const { no, view } = assertDefined(dependencies.findLast((one) => isByWriter(one.view.get(key))));
  return { no, entry: assertDefined(view.get(key)) };
}

function sameValue(a: ContextEntry, b: ContextEntry): boolean {
  if (a.json === b.json) return true;
  if (a.json === undefined || b.json === undefined) return false;
  return jsonEquals(decodeJson(a.json), decodeJson(b.json));
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, index) => number === b[index]);
}
