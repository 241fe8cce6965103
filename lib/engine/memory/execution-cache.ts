import {
  ContextView,
  finalContext,
  joinContexts,
  unhandledFailures,
  type CompiledTask,
  type CompiledWorkflow,
  type ContextConflict,
  type SkipReason,
  type TaskStatus,
} from '../../workflow/index.js';
import type { StoredError } from '../../errors/index.js';
import type { RecordedOutcome, TaskTimes } from '../../store/port/index.js';

/**
 * Maximum size of a final context that is stored, in bytes: a page. A larger one is not stored, because it would repeat
 * the input and the outputs. A reader of the execution has these anyway and joins them.
 */
export const MAX_KEPT_CONTEXT = 8_192;

export interface KnownOutcome {
  readonly status: TaskStatus;
  readonly skipReason?: SkipReason | undefined;
  /** The error of a Failed task. */
  readonly error?: StoredError | undefined;
  /** The context that its dependents get: the task's input and, if it completed, its writes. */
  readonly view: ContextView;
  /** The times of its row, if a caller here awaits the execution, and the outcome is that of the task's first attempt. */
  readonly times?: TaskTimes | undefined;
}

/** What only the process that started an execution knows without reading. */
export interface StartFacts {
  readonly idempotencyKey: string | null;
  /** JSON text, or null for none. */
  readonly tags: string | null;
}

export interface TaskInput {
  readonly view: ContextView;
  readonly conflicts: readonly ContextConflict[];
}

/** A task whose input is computed from the cache of its execution, such as a claim. */
export interface CachedTask {
  readonly executionId: string;
  readonly cache: ExecutionCache;
  readonly task: Pick<CompiledTask, 'no' | 'dependsOn'>;
}

/**
 * The outcomes of one execution that this process knows while it holds claims in the execution. They spare a read for
 * dependents that are claimed here. Gaps are filled from the database. The cache is dropped with the last claim.
 */
export class ExecutionCache {
  /** Number of claims that this process holds in the execution. */
  claims = 0;
  /** Set if this process started the execution. */
  startFacts: StartFacts | undefined;
  /** The span of the start, null if it was not traced. Undefined: not read yet; only processes that trace read it. */
  traceContext: string | null | undefined;
  private input: ContextView | undefined;
  private readonly outcomes = new Map<number, KnownOutcome>();
  private knownLeaves = 0;

  constructor(
    readonly id: string,
    readonly workflow: CompiledWorkflow,
    /** Number of manual retries. Outcomes of an earlier generation are not valid in this one. */
    readonly generation: number,
  ) {}

  get inputKnown(): boolean {
    return this.input !== undefined;
  }

  setInput(values: ReadonlyMap<string, string>): void {
    this.input = ContextView.ofInput(values);
  }

  /** The JSON text of a key of the input, if the input is known here and has the key. */
  inputJson(key: string): string | undefined {
    return this.input?.get(key)?.json;
  }

  outcome(no: number): KnownOutcome | undefined {
    return this.outcomes.get(no);
  }

  record(no: number, outcome: KnownOutcome): void {
    if (!this.outcomes.has(no) && this.isLeaf(no)) this.knownLeaves++;
    this.outcomes.set(no, outcome);
  }

  /** Keeps only the outcomes of ancestors of these tasks. */
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
   * The ancestors of a task whose outcomes must be read first, in order. The walk stops at known outcomes, because
   * their views contain everything before them. So each row of an execution is read at most once.
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

  /** Adds outcomes that were read. Ascending task numbers are topological, so the inputs of each are known in time. */
  load(rows: readonly RecordedOutcome[]): void {
    const sorted = [...rows].sort((a, b) => a.taskNo - b.taskNo);
    for (const row of sorted) {
      if (this.outcomes.has(row.taskNo)) continue;
      const { view } = this.inputOf(row.taskNo);
      this.record(row.taskNo, {
        status: row.status as TaskStatus,
        skipReason: (row.skipReason ?? undefined) as SkipReason | undefined,
        error: row.error === null ? undefined : (JSON.parse(row.error) as StoredError),
        view:
          row.status === 'Completed'
            ? view.withWrites(row.taskNo, writesOf(row.output, row.deletedKeys))
            : view,
      });
    }
  }

  /**
   * The first task whose failure no other task has handled, as far as outcomes are known here: those of a branch that
   * ran in another process may be missing. A failure counts only if the outcome of every task that could handle it is
   * known.
   */
  unhandledFailure(): { readonly task: CompiledTask; readonly error: StoredError } | undefined {
    const { tasks } = this.workflow;
    const failures = unhandledFailures(
      this.workflow,
      (no) => this.outcomes.get(no)?.status ?? 'NotStarted',
    );
    for (const no of failures) {
      const task = tasks[no];
      const error = this.outcomes.get(no)?.error;
      const isCertain = tasks.every(
        (one) => !one.handles.includes(no) || this.outcomes.has(one.no),
      );
      if (task !== undefined && error !== undefined && isCertain) return { task, error };
    }
    return undefined;
  }

  /** The context that a task starts from. The outcomes of its dependencies must be known. */
  inputOf(no: number): TaskInput {
    const dependsOn = this.workflow.tasks[no]?.dependsOn ?? [];
    if (dependsOn.length === 0) return { view: this.inputView(), conflicts: [] };
    return joinContexts(
      this.workflow,
      no,
      dependsOn.map((dependency) => ({ no: dependency, view: this.viewOf(dependency) })),
    );
  }

  /** The final context as JSON text. Null if it is not known, or too large to be stored; then readers compute it. */
  finalContextJson(last?: { readonly no: number; readonly view: ContextView }): string | null {
    const view = this.finalContext(last);
    return view === undefined || view.bytes > MAX_KEPT_CONTEXT ? null : view.toJson();
  }

  /** The final context if the outcomes of all leaves are known. `last` is the leaf whose outcome is being recorded. */
  finalContext(last?: {
    readonly no: number;
    readonly view: ContextView;
  }): ContextView | undefined {
    // Counts instead of searching, because an execution of ten thousand leaves asks this at each of them.
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
        `The outcome of task ${no} of execution ${this.id} is needed but was not read.`,
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

/** The members of a JSON object, each value as JSON text. */
export function membersOf(json: string): Map<string, string> {
  const members = new Map<string, string>();
  const object: unknown = JSON.parse(json);
  if (typeof object !== 'object' || object === null) return members;
  for (const [key, value] of Object.entries(object)) members.set(key, JSON.stringify(value));
  return members;
}

/** The writes in a row, by key. Undefined stands for a deleted key. */
function writesOf(
  output: string | null,
  deletedKeys: readonly string[],
): Map<string, string | undefined> {
  const writes: Map<string, string | undefined> = output === null ? new Map() : membersOf(output);
  for (const key of deletedKeys) writes.set(key, undefined);
  return writes;
}
