import type { ItemResult, ResultsOptions } from '../discovery/map-options.js';
import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { ExecutionStatus } from '../workflow/index.js';
import { checkId, refuseInBoot, refuseInTask } from './call-checks.js';
import type { Execution, ExecutionUpdate, GetOptions, WorkflowExecution } from './execution.js';
import type {
  ExecutionCountFilter,
  ExecutionFilter,
  ExecutionPage,
  WorkflowCounts,
} from './execution-filter.js';
import type { ExecutionExplainer } from './explain/execution-explainer.js';
import type { ExecutionExplanation, ServingProcess } from './explain/explanation.js';
import type { ExecutionControl } from './execution-control.js';
import type { ExecutionReader } from './execution-reader.js';
import type { ExecutionTree } from './execution-tree.js';
import type { ExecutionWatches } from './execution-watches.js';
import type { HistoryEntry } from './history-entry.js';
import type { ItemReader } from './item-reader.js';
import { checkGetOptions } from './list-filter.js';
import type { ServedCalls } from './served-calls.js';
import { checkWatchOptions, type WatchOptions } from './watch-options.js';
import type { WorkflowGraph } from './workflow-graph.js';

export interface QueryParts {
  readonly served: Pick<ServedCalls, 'run' | 'assertServed'>;
  readonly reader: ExecutionReader;
  readonly explainer: ExecutionExplainer;
  readonly control: Pick<ExecutionControl, 'tree'>;
  readonly watches: ExecutionWatches;
  readonly items: ItemReader;
  readonly hasBooted: () => boolean;
  /** The workflows that this process serves for the tenant. */
  readonly workflows: () => WorkflowGraph[];
}

/** The calls of a {@link CloacinaRunner} that read. They change nothing. */
export abstract class ExecutionQueries {
  /** @internal */
  constructor(private readonly queries: QueryParts) {}

  /**
   * Reads an execution with its context and tasks. Returns null if no execution has this id.
   *
   * @example
   * ```ts
   * const execution = await runner.get(id);
   * for (const { name, status, waitingFor } of execution?.tasks ?? []) console.log(name, status, waitingFor?.detail);
   * ```
   */
  get(id: string): Promise<Execution | null>;
  /**
   * Reads an execution of a workflow, with the type of the workflow's context. Returns null if no execution of this
   * workflow has the id.
   *
   * @throws InvalidArgumentError for an invalid workflow
   */
  get<R extends WorkflowRef>(
    id: string,
    options: GetOptions<R>,
  ): Promise<WorkflowExecution<R> | null>;
  /**
   * Reads many executions together, and returns them in the order of the ids: null for an id that no execution has.
   *
   * @param ids - at most 200
   * @throws InvalidArgumentError for more than 200 ids, and for an id that is not a string
   */
  get(ids: readonly string[]): Promise<(Execution | null)[]>;
  /** Reads many executions of a workflow together: null for an id that no execution of this workflow has. */
  get<R extends WorkflowRef>(
    ids: readonly string[],
    options: GetOptions<R>,
  ): Promise<(WorkflowExecution<R> | null)[]>;
  get(
    ids: string | readonly string[],
    options: GetOptions = {},
  ): Promise<Execution | null | (Execution | null)[]> {
    return this.queries.served.run<Execution | null | (Execution | null)[]>(() => {
      const { workflow, steps } = checkGetOptions(options);
      const { reader } = this.queries;
      return isMany(ids) ? reader.getMany(ids, workflow, steps) : reader.get(ids, workflow, steps);
    });
  }

  /**
   * Reads the statuses of many executions, by id. Ids that no execution has are left out.
   *
   * @param ids - at most 1,000
   * @throws InvalidArgumentError for more than 1,000 ids, and for an id that is not a string
   */
  statuses(ids: readonly string[]): Promise<Map<string, ExecutionStatus>> {
    return this.queries.served.run(() => this.queries.reader.statuses(ids));
  }

  /**
   * Watches an execution: yields its state at once, and then after each change that is stored, in whichever process: of its
   * status, of a task, of the progress of a task. The last state is that of the end.
   *
   * Changes within 200 ms may be yielded as one. A slow reader gets the latest state, and misses the states between. Any
   * number of watchers of one execution share its reads; while nothing changes, it is read every 30 s, in case a
   * notification was lost. A later manual retry is not followed.
   *
   * @param options.signal - ends the iteration when it aborts, without an error
   * @throws InvalidArgumentError for an invalid id or option
   * @throws NotAllowedError inside a task, and while the application boots
   * @throws UnknownExecutionError, TenantRemovedError, DatabaseUnavailableError from the iteration
   * @example
   * ```ts
   * for await (const { status, tasks } of runner.watch(id)) {
   *   console.log(status, tasks.map(({ name, progress }) => [name, progress?.value]));
   * }
   * ```
   */
  watch(id: string, options: WatchOptions = {}): AsyncIterable<ExecutionUpdate> {
    refuseInTask('watch()');
    refuseInBoot('watch()', this.queries.hasBooted());
    const signal = checkWatchOptions(options);
    this.queries.served.assertServed();
    return this.queries.watches.watch(checkId(id), signal);
  }

  /**
   * Reads the timeline of an execution, oldest entry first: its start, each attempt of a task with times and error,
   * pauses and cancellations with their reasons, recoveries, manual retries, its end. Returns null if no execution has
   * this id.
   *
   * The timeline is made of the execution's rows, which are always complete, and its stored events. Of more than 2,000
   * events it contains the newest 2,000.
   *
   * @throws InvalidArgumentError for an id that is not a string
   */
  history(id: string): Promise<HistoryEntry[] | null> {
    return this.queries.served.run(() => this.queries.reader.history(id));
  }

  /**
   * Explains why an execution has not ended: what each of its open tasks waits for, and which processes serve the tenant. Any
   * process may ask, also one that runs no tasks. Returns null if no execution has this id.
   *
   * A call reads the execution and its tasks in one statement, and what they wait for in at most a dozen more. It is meant for
   * people and dashboards, not for polling many executions: {@link list} has a shorter reason of each.
   *
   * @example
   * ```ts
   * const explanation = await runner.explain(id);
   * console.log(explanation?.summary);
   * for (const { task, item, text } of explanation?.tasks ?? []) console.log(task, item ?? '', text);
   * ```
   * @throws InvalidArgumentError for an id that is not a string
   * @throws DatabaseUnavailableError if the database was unavailable for `startTimeout`
   */
  explain(id: string): Promise<ExecutionExplanation | null> {
    return this.queries.served.run(() => this.queries.explainer.explain(id));
  }

  /**
   * Reads a page of executions, newest first, without their contexts and tasks; {@link get} reads these.
   *
   * @throws InvalidArgumentError for an invalid workflow, limit, status, date, tag, key or cursor
   */
  list(filter: ExecutionFilter = {}): Promise<ExecutionPage> {
    return this.queries.served.run(() => this.queries.reader.list(filter));
  }

  /**
   * Counts executions by workflow and status. Workflows without executions are left out.
   *
   * The database reads every execution that it counts. Executions that are not Completed have their own index, and so
   * do executions with tags. So `status: ['Pending', 'Running', 'Paused', 'Failed']` is cheap in a schema with millions
   * of Completed executions.
   *
   * @returns the counts, sorted by the names of the workflows
   * @throws InvalidArgumentError for an invalid workflow, status, date or tag
   */
  counts(filter: ExecutionCountFilter = {}): Promise<WorkflowCounts[]> {
    return this.queries.served.run(() => this.queries.reader.counts(filter));
  }

  /**
   * Reads the results of a map of an execution, in the order of its items, a page at a time. Items that have not ended are
   * among them.
   *
   * @param mapTask - the name of the map
   * @param options.status - only items with this status
   * @param options.after - only items behind the one with this index
   * @throws UnknownExecutionError, InvalidArgumentError for a name that is not that of a map, and for invalid options
   * @example
   * ```ts
   * for await (const { index, item, error } of runner.results(id, 'notify', { status: 'Failed' })) {
   *   console.log(index, item, error?.message);
   * }
   * ```
   */
  results<V = unknown>(
    id: string,
    mapTask: string,
    options?: ResultsOptions,
  ): AsyncIterable<ItemResult<V>> {
    return this.queries.items.results(id, mapTask, options);
  }

  /**
   * Lists the living processes that serve the tenant, and what they serve, this one first.
   *
   * @returns at most 50
   * @throws DatabaseUnavailableError if the database was unavailable for `startTimeout`
   */
  processes(): Promise<ServingProcess[]> {
    return this.queries.served.run(() => this.queries.explainer.processes());
  }

  /** Returns the workflows that this process serves for the tenant, with their graphs, in the order of the modules. */
  workflows(): WorkflowGraph[] {
    return this.queries.workflows();
  }

  /**
   * Reads an execution and the executions under it: the children that its tasks have started, their children, and so on.
   *
   * @example
   * ```ts
   * const print = (node: ExecutionTree, indent = ''): void => {
   *   console.log(indent, node.workflow, node.status);
   *   for (const child of node.children) print(child, `${indent}  `);
   * };
   * print(await runner.tree(id));
   * ```
   * @returns at most 10,000 executions, those near the top first; `isComplete` tells whether these are all
   * @throws UnknownExecutionError
   */
  tree(id: string): Promise<ExecutionTree> {
    return this.queries.control.tree(id);
  }
}

/** `Array.isArray` alone does not tell the compiler that the other case is a string. */
function isMany(ids: string | readonly string[]): ids is readonly string[] {
  return Array.isArray(ids);
}
