import type { ContextEntry, ContextLayer } from './context-layer.js';
import { ContextView } from './context-view.js';
import type { CompiledWorkflow } from './definition.js';
import { jsonEquals } from './json-equality.js';
import { decodeJson } from './json-value.js';
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

/** An entry and the place in `dependsOn` of the last dependency that passes it on. */
interface Candidate {
  readonly entry: ContextEntry;
  readonly place: number;
}

/**
 * Joins what the dependencies of task `joiner` pass on, given in the order of `dependsOn`. For each key, a writer that
 * is an ancestor of another one loses. Of the rest, equal values agree; otherwise the dependency later in the list
 * wins, the conflict is reported, and the value counts as written by `joiner`.
 *
 * The work is in what the dependencies don't share: layers that all of them carry are not looked at.
 */
export function joinContexts(
  workflow: CompiledWorkflow,
  joiner: number,
  dependencies: readonly JoinedDependency[],
): JoinedContext {
  const base = largest(dependencies);
  if (base === undefined) return { view: ContextView.empty, conflicts: [] };

  const writerSets = new WriterSets(workflow);
  const changes = new Map<string, ContextEntry>();
  const conflicts: ContextConflict[] = [];
  for (const [key, candidates] of gather(dependencies, base.view.layer)) {
    const { entry, tasks, place } = resolve(candidates, joiner, writerSets);
    if (entry !== base.view.get(key)) changes.set(key, entry);
    const winner = dependencies[place];
    if (tasks !== undefined && winner !== undefined)
      conflicts.push({ key, tasks, winner: winner.no });
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

/** The join is made on the view with most keys: those of the others are fewer to look at, and to write. */
function largest(dependencies: readonly JoinedDependency[]): JoinedDependency | undefined {
  let found: JoinedDependency | undefined;
  for (const dependency of dependencies) {
    if (found === undefined || dependency.view.size > found.view.size) found = dependency;
  }
  return found;
}

/**
 * For each key that some dependency carries outside the pile of `base`, all entries that could win. An entry that is
 * covered by another in a dependency's pile may be among them; it was written by an ancestor or agrees, so it changes
 * nothing.
 */
function gather(
  dependencies: readonly JoinedDependency[],
  base: ContextLayer,
): Map<string, Candidate[]> {
  const pile = base.pile();
  const depthInPile = new Map(pile.map((layer, depth) => [layer, depth]));
  const candidates = new Map<string, Candidate[]>();
  const visited = new Set<ContextLayer>();
  /** For each layer of the pile, the last dependency whose own layers end there. */
  const lastEntering = new Map<number, number>();
  let commonDepth = 0;

  // From the last to the first, so that a shared layer is visited for the last dependency that carries it.
  for (let place = dependencies.length - 1; place >= 0; place--) {
    let layer: ContextLayer | undefined = dependencies[place]?.view.layer;
    for (; layer !== undefined && !visited.has(layer); layer = layer.below) {
      const depth = depthInPile.get(layer);
      if (depth !== undefined) {
        if (!lastEntering.has(depth)) lastEntering.set(depth, place);
        commonDepth = Math.max(commonDepth, depth);
        break;
      }
      visited.add(layer);
      for (const [key, entry] of layer.entries) append(candidates, key, { entry, place });
    }
    // Shares nothing with the pile, so nothing is common to all.
    if (layer === undefined) commonDepth = pile.length;
  }

  let last = -1;
  const ofPile = pile.slice(0, commonDepth).map((layer, depth) => {
    last = Math.max(last, lastEntering.get(depth) ?? -1);
    return { layer, place: last };
  });
  for (const [key, found] of candidates) {
    for (const { layer, place } of ofPile) {
      const entry = layer.entries.get(key);
      if (entry !== undefined) found.push({ entry, place });
    }
  }
  return candidates;
}

function append(candidates: Map<string, Candidate[]>, key: string, candidate: Candidate): void {
  const found = candidates.get(key);
  if (found === undefined) candidates.set(key, [candidate]);
  else found.push(candidate);
}

/** The entry that wins; `tasks` are those in conflict, if any, and `place` is the winner's. */
function resolve(
  candidates: readonly Candidate[],
  joiner: number,
  writerSets: WriterSets,
): { entry: ContextEntry; place: number; tasks?: readonly number[] } {
  /** For each writer, the candidate of the last dependency that carries its word. */
  const lastOf = new Map<number, Candidate>();
  for (const candidate of candidates) {
    for (const writer of candidate.entry.writers) {
      const known = lastOf.get(writer);
      if (known === undefined || known.place < candidate.place) lastOf.set(writer, candidate);
    }
  }
  const writers = writerSets.withoutAncestors([...lastOf.keys()].sort((a, b) => a - b));
  const remaining = writers.flatMap((writer) => lastOf.get(writer) ?? []);
  const winner = remaining.reduce((best, next) => (next.place > best.place ? next : best));
  const { entry, place } = winner;
  if (remaining.every((other) => sameValue(other.entry, entry))) {
    const unchanged = writers.length === entry.writers.length;
    return { entry: unchanged ? entry : { ...entry, writers }, place };
  }
  return { entry: { ...entry, writers: [joiner] }, place, tasks: writers };
}

function sameValue(a: ContextEntry, b: ContextEntry): boolean {
  if (a.json === b.json) return true;
  if (a.json === undefined || b.json === undefined) return false;
  return jsonEquals(decodeJson(a.json), decodeJson(b.json));
}
