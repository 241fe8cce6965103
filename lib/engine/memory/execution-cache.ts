import {
  ContextView,
  finalContext,
  joinContexts,
  type CompiledTask,
  type CompiledWorkflow,
  type ContextConflict,
  type SkipReason,
  type TaskStatus,
} from '../../workflow/index.js';
import type { RecordedOutcome } from '../../store/port/index.js';

/**
 * Bytes of a final context that is written beside the input and the outputs that it is made of: a page. A larger one
 * would be stored twice, only to be seen in the row; a reader of the execution has its parts and joins them.
 */
export const MAX_KEPT_CONTEXT = 8_192;

export interface KnownOutcome {
  readonly status: TaskStatus;
  readonly skipReason?: SkipReason | undefined;
  /** What the task hands on: its input and, if it completed, what it wrote. */
  readonly view: ContextView;
}

export interface TaskInput {
  readonly view: ContextView;
  readonly conflicts: readonly ContextConflict[];
}

/** A task whose input is made of what the cache of its execution knows. A claim is one. */
export interface CachedTask {
  readonly executionId: string;
  readonly cache: ExecutionCache;
  readonly task: Pick<CompiledTask, 'no' | 'dependsOn'>;
}

/**
 * What this process knows of one execution while it holds claims in it: the outcomes so far, so that a dependent
 * that was claimed here needs no read. It is a cache of rows, filled in from the database where it has gaps, and
 * dropped with the last claim.
 */
export class ExecutionCache {
  /** Claims that this process holds in the execution. */
  claims = 0;
  private input: ContextView | undefined;
  private readonly outcomes = new Map<number, KnownOutcome>();
  private knownLeaves = 0;

  constructor(
    readonly id: string,
    readonly workflow: CompiledWorkflow,
    /** Counts manual retries: outcomes of an earlier generation say nothing of this one. */
    readonly generation: number,
  ) {}

  get inputKnown(): boolean {
    return this.input !== undefined;
  }

  setInput(values: ReadonlyMap<string, string>): void {
    this.input = ContextView.ofInput(values);
  }

  outcome(no: number): KnownOutcome | undefined {
    return this.outcomes.get(no);
  }

  record(no: number, outcome: KnownOutcome): void {
    if (!this.outcomes.has(no) && this.isLeaf(no)) this.knownLeaves++;
    this.outcomes.set(no, outcome);
  }

  /** Forgets the outcomes of all other tasks. */
  keepAncestorsOf(tasks: readonly number[]): void {
    for (const no of this.outcomes.keys()) {
      if (tasks.some((task) => this.workflow.isAncestor(no, task))) continue;
      this.outcomes.delete(no);
      if (this.isLeaf(no)) this.knownLeaves--;
    }
  }

  isLeaf(no: number): boolean {
    return (this.workflow.dependents[no]?.length ?? 0) === 0;
  }

  /**
   * The ancestors of a task that have to be read first, in order. The walk ends at what is known: everything
   * before a known outcome is in its view already. So over an execution's life each row is read at most once.
   */
  missingFor(no: number): number[] {
    return this.missingBefore(this.workflow.tasks[no]?.dependsOn ?? []);
  }

  missingForEnd(): number[] {
    return this.missingBefore(this.workflow.leaves);
  }

  private missingBefore(tasks: readonly number[]): number[] {
    const missing = new Set<number>();
    const open = [...tasks];
    for (let no = open.pop(); no !== undefined; no = open.pop()) {
      if (missing.has(no) || this.outcomes.has(no)) continue;
      missing.add(no);
      open.push(...(this.workflow.tasks[no]?.dependsOn ?? []));
    }
    return [...missing].sort((a, b) => a - b);
  }

  /** Takes in rows that were read. Task numbers are topological, so ascending order has each one's inputs ready. */
  load(rows: readonly RecordedOutcome[]): void {
    const sorted = [...rows].sort((a, b) => a.taskNo - b.taskNo);
    for (const row of sorted) {
      if (this.outcomes.has(row.taskNo)) continue;
      const { view } = this.inputOf(row.taskNo);
      this.record(row.taskNo, {
        status: row.status as TaskStatus,
        skipReason: (row.skipReason ?? undefined) as SkipReason | undefined,
        view:
          row.status === 'Completed'
            ? view.withWrites(row.taskNo, writesOf(row.output, row.deletedKeys))
            : view,
      });
    }
  }

  /** The context that a task starts from. Its dependencies' outcomes must be known. */
  inputOf(no: number): TaskInput {
    const dependsOn = this.workflow.tasks[no]?.dependsOn ?? [];
    if (dependsOn.length === 0) return { view: this.inputView(), conflicts: [] };
    return joinContexts(
      this.workflow,
      no,
      dependsOn.map((dependency) => ({ no: dependency, view: this.viewOf(dependency) })),
    );
  }

  /** The final context as JSON text, if it is known and not too large to be kept; then readers compute it. */
  finalContextJson(last?: { readonly no: number; readonly view: ContextView }): string | null {
    const view = this.finalContext(last);
    return view === undefined || view.bytes > MAX_KEPT_CONTEXT ? null : view.toJson();
  }

  /** The final context, if every leaf's outcome is known; `last` stands in for the one that is being recorded. */
  finalContext(last?: {
    readonly no: number;
    readonly view: ContextView;
  }): ContextView | undefined {
    // Counted, not looked for: an execution of ten thousand leaves asks this at each of them.
    if (this.knownLeaves + (last === undefined ? 0 : 1) < this.workflow.leaves.length)
      return undefined;
    const views = new Map<number, ContextView>();
    for (const leaf of this.workflow.leaves) {
      const view = leaf === last?.no ? last.view : this.outcomes.get(leaf)?.view;
      if (view === undefined) return undefined;
      views.set(leaf, view);
    }
    return finalContext(this.workflow, (leaf) => views.get(leaf) ?? ContextView.empty).view;
  }

  private viewOf(no: number): ContextView {
    const known = this.outcomes.get(no);
    if (known === undefined) {
      throw new Error(
        `The outcome of task ${no} of execution ${this.id} was needed and is not there.`,
      );
    }
    return known.view;
  }

  private inputView(): ContextView {
    if (this.input === undefined)
      throw new Error(`The input of execution ${this.id} was not read.`);
    return this.input;
  }
}

/** The members of a JSON object text, each as JSON text. */
export function membersOf(json: string): Map<string, string> {
  const members = new Map<string, string>();
  const object: unknown = JSON.parse(json);
  if (typeof object !== 'object' || object === null) return members;
  for (const [key, value] of Object.entries(object)) members.set(key, JSON.stringify(value));
  return members;
}

/** A row's writes: what was set, and what was deleted, which is undefined here. */
function writesOf(
  output: string | null,
  deletedKeys: readonly string[],
): Map<string, string | undefined> {
  const writes: Map<string, string | undefined> = output === null ? new Map() : membersOf(output);
  for (const key of deletedKeys) writes.set(key, undefined);
  return writes;
}
