import type { ContextHistory } from './context-history.js';
import type { ContextEntry } from './context-index.js';
import { ContextView } from './context-view.js';
import type { CompiledWorkflow } from './definition.js';
import { jsonEquals } from './json-equality.js';
import { decodeJson } from './json-value.js';
import { assertDefined } from './assert-defined.js';
import { WriterSets } from './writers.js';

/** A key to which tasks that know nothing of each other gave different values. */
export interface ContextConflict {
  readonly key: string;
  /** Those tasks, ascending. */
  readonly tasks: readonly number[];
  /** The dependency whose value won: the one later in `dependsOn`. */
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
  /** By key, ascending. */
  readonly conflicts: readonly ContextConflict[];
}

/**
 * Joins what the dependencies of task `joiner` pass on, given in the order of `dependsOn`. For each key, a writer that
 * is an ancestor of another one loses. Of the rest, equal values agree; otherwise the dependency later in the list
 * wins, the conflict is reported, and the value counts as written by `joiner`.
 *
 * The work is in what the dependencies don't share: what was written before their histories parted is not looked at.
 */
export function joinContexts(
  workflow: CompiledWorkflow,
  joiner: number,
  dependencies: readonly JoinedDependency[],
): JoinedContext {
  const base = longest(dependencies);
  if (base === undefined) return { view: ContextView.empty, conflicts: [] };
  if (dependencies.length === 1) return { view: base.view, conflicts: [] };

  const writerSets = new WriterSets(workflow);
  const changes: [string, ContextEntry][] = [];
  const conflicts: ContextConflict[] = [];
  for (const [key, entries] of gather(dependencies, base.view)) {
    const { writers, agreed } = weigh(entries, writerSets);
    if (agreed === undefined) {
      const { no, entry } = lastSayOf(writers, key, dependencies);
      changes.push([key, { ...entry, writers: [joiner] }]);
      conflicts.push({ key, tasks: writers, winner: no });
    } else if (agreed !== base.view.get(key)) {
      changes.push([key, agreed]);
    }
  }
  conflicts.sort((a, b) => (a.key < b.key ? -1 : 1));
  return { view: base.view.withEntries(changes), conflicts };
}

/** The context of an ended execution: the leaves' contexts, joined in declaration order. */
export function finalContext(
  workflow: CompiledWorkflow,
  viewOf: (leafNo: number) => ContextView,
): JoinedContext {
  const leaves = workflow.leaves.map((no) => ({ no, view: viewOf(no) }));
  return joinContexts(workflow, workflow.tasks.length, leaves);
}

/** The join is made upon the view with the longest history: those of the others are shorter to look at. */
function longest(dependencies: readonly JoinedDependency[]): JoinedDependency | undefined {
  let found: JoinedDependency | undefined;
  for (const dependency of dependencies) {
    if (found === undefined || dependency.view.history.length > found.view.history.length) {
      found = dependency;
    }
  }
  return found;
}

/**
 * For each key that was written outside the history of `base`, the entries that the dependencies have, `base` last. A
 * point of history that several have in common is visited for one of them only. The others may know another entry of
 * its keys; but what covers that one here was written later, by a task that is a descendant of all its writers, or
 * agrees with them: it has the same say.
 */
function gather(
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
  // A key that was written at several points of one history comes several times.
  else if (entries.at(-1) !== entry) entries.push(entry);
}

/** The writers that are left once ancestors have lost, ascending, and their entry when they agree. */
function weigh(
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

/** Of dependencies in conflict, the last that passes on the word of one of `writers`. */
function lastSayOf(
  writers: readonly number[],
  key: string,
  dependencies: readonly JoinedDependency[],
): { no: number; entry: ContextEntry } {
  const left = new Set(writers);
  const hasSay = (entry: ContextEntry | undefined): boolean =>
    entry?.writers.some((writer) => left.has(writer)) === true;
  const { no, view } = assertDefined(dependencies.findLast((one) => hasSay(one.view.get(key))));
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
