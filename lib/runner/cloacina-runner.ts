import { setMaxListeners } from 'node:events';
import type { Observable } from 'rxjs';
import { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { WorkflowEvent } from '../events/workflow-event.js';
import type { JsonObject } from '../discovery/task-context.js';
import type { WorkflowContext, WorkflowInput, WorkflowRef } from '../discovery/workflow-ref.js';
import { TenantRemovedError, withoutDriver } from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { checkWait, refuseInBoot, refuseInTask, refuseManager } from './call-checks.js';
import type {
  Execution,
  ExecutionCountFilter,
  ExecutionFilter,
  ExecutionPage,
  ExecutionResult,
  GetOptions,
  WorkflowCounts,
  WorkflowExecution,
} from './execution.js';
import { ExecutionControl } from './execution-control.js';
import {
  RESULT_OPTIONS,
  RunnerHandle,
  type ExecutionHandle,
  type ResultOptions,
  type UnsettledOptions,
} from './execution-handle.js';
import { ExecutionReader } from './execution-reader.js';
import { checkGetOptions } from './list-filter.js';
import { ResultWaiter } from './result-waiter.js';
import type { RunnerParts } from './runner-parts.js';
import { ExecutionStarter } from './execution-starter.js';
import type { HistoryEntry } from './history.js';
import { START_OPTIONS, type StartOptions } from './start-request.js';
import { viewWorkflow, type WorkflowGraph } from './workflow-graph.js';
import type { ExecutionStatus } from '../workflow/index.js';

/**
 * Starts, watches and steers the executions of one tenant.
 *
 * @example
 * ```ts
 * constructor(private readonly runner: CloacinaRunner) {}
 * // with several tenants: constructor(@InjectRunner('tenant_acme') private readonly runner: CloacinaRunner) {}
 *
 * const result = await this.runner.execute(OrderFulfilment, { orderId: 17 });
 * ```
 */
export class CloacinaRunner {
  readonly tenant: string;
  readonly schema: string;
  /** What happens to this tenant's executions in this process. Not a log: nothing is kept for late subscribers. */
  readonly events$: Observable<WorkflowEvent>;
  private readonly starter: ExecutionStarter;
  private readonly reader: ExecutionReader;
  private readonly waits: ResultWaiter;
  private readonly control: ExecutionControl;
  private readonly closing = new AbortController();

  /** @internal Applications get theirs by injection. */
  constructor(private readonly parts: RunnerParts) {
    const { engine, registry } = parts;
    this.tenant = engine.settings.tenant;
    this.schema = engine.settings.schema;
    // Every wait listens to it; that is no leak.
    setMaxListeners(0, this.closing.signal);
    this.events$ = parts.events.asObservable();
    const { clock, store, catalog, settings } = engine;
    const { startTimeoutMs } = settings;
    const whileUnavailable = new AvailabilityRetry(this.tenant, store, startTimeoutMs, clock);
    this.starter = new ExecutionStarter({ engine, registry, whileUnavailable });
    const hungHandlers = engine.hungHandlers.bind(engine);
    this.reader = new ExecutionReader(store, catalog, whileUnavailable, hungHandlers, clock);
    this.control = new ExecutionControl({
      tenant: this.tenant,
      engine,
      whileServed: (work) => this.whileServed(work),
      whileUnavailable,
    });
    this.waits = new ResultWaiter({
      clock,
      tenant: this.tenant,
      hasBooted: parts.hasBooted,
      waiters: engine.waiters,
      reader: this.reader,
      closing: this.closing.signal,
    });
  }

  /**
   * Starts an execution and waits for its end.
   *
   * @param context - the input, at most `maxContextSize` bytes of JSON
   * @throws WorkflowFailedError, WorkflowCancelledError when the execution did not complete, unless `settled` is asked
   *   for; both have its id
   * @throws as {@link start} and {@link ExecutionHandle.result}; NotAllowedError with a `manager`
   */
  execute<R extends WorkflowRef>(
    workflow: R,
    context?: WorkflowInput<R>,
    options?: StartOptions & UnsettledOptions,
  ): Promise<ExecutionResult<WorkflowContext<R>>>;
  execute<R extends WorkflowRef>(
    workflow: R,
    context: WorkflowInput<R> | undefined,
    options: StartOptions & ResultOptions,
  ): Promise<ExecutionResult<WorkflowContext<R>, Partial<WorkflowContext<R>>>>;
  async execute(
    workflow: WorkflowRef,
    context?: JsonObject,
    options: StartOptions & ResultOptions = {},
  ): Promise<ExecutionResult> {
    refuseInTask('execute()');
    refuseInBoot('execute()', this.parts.hasBooted());
    checkCallOptions('execute()', options, EXECUTE_OPTIONS);
    const { timeout, settled, ...startOptions } = options;
    const wait = checkWait({ timeout, settled });
    refuseManager(startOptions.manager);
    const { id } = await this.start(workflow, context, startOptions);
    return this.waits.resultOf(id, wait);
  }

  /**
   * Starts an execution. When this resolves, it is stored: it will run, here or in another process.
   *
   * @throws UnknownWorkflowError, InvalidContextError, ContextTooLargeError, InvalidArgumentError: nothing was stored
   * @throws DatabaseUnavailableError when the database was away for `startTimeout`
   */
  async start<R extends WorkflowRef>(
    workflow: R,
    context?: WorkflowInput<R>,
    options: StartOptions = {},
  ): Promise<ExecutionHandle<WorkflowContext<R>>> {
    const { id, created } = await this.whileServed(() =>
      this.starter.start(workflow, context, options),
    );
    return this.handleOf<WorkflowContext<R>>(id, created);
  }

  /** A handle on an execution by its id; whether there is one is asked when the handle is used. */
  handle(id: string): ExecutionHandle {
    return this.handleOf<JsonObject>(id, false);
  }

  /**
   * An execution with all its tasks; null if no execution has this id. With `workflow`, its context is typed, and an
   * execution of another workflow is null too.
   */
  get(id: string): Promise<Execution | null>;
  get<R extends WorkflowRef>(
    id: string,
    options: GetOptions<R>,
  ): Promise<WorkflowExecution<R> | null>;
  /**
   * Many executions for the price of one, in the order of the ids.
   *
   * @param ids - at most 200
   * @throws InvalidArgumentError for more
   */
  get(ids: readonly string[]): Promise<(Execution | null)[]>;
  get<R extends WorkflowRef>(
    ids: readonly string[],
    options: GetOptions<R>,
  ): Promise<(WorkflowExecution<R> | null)[]>;
  get(
    ids: string | readonly string[],
    options: GetOptions = {},
  ): Promise<Execution | null | (Execution | null)[]> {
    return this.whileServed<Execution | null | (Execution | null)[]>(() => {
      const { workflow } = checkGetOptions(options);
      return typeof ids === 'object'
        ? this.reader.getMany(ids, workflow)
        : this.reader.get(ids, workflow);
    });
  }

  /**
   * The statuses of many executions, by id. An id that no execution has is left out.
   *
   * @param ids - at most 1,000
   * @throws InvalidArgumentError for more
   */
  statuses(ids: readonly string[]): Promise<Map<string, ExecutionStatus>> {
    return this.whileServed(() => this.reader.statuses(ids));
  }

  /**
   * What happened to an execution, oldest first: its start, each attempt of a task with its times and its error, pauses
   * and cancels with their reasons, recoveries, manual retries, its end. Null if no execution has this id.
   *
   * It is made of what the tables keep. Of an execution with more than 2,000 events it tells the newest; all that its
   * rows tell is there in any case.
   */
  history(id: string): Promise<HistoryEntry[] | null> {
    return this.whileServed(() => this.reader.history(id));
  }

  /**
   * A page of executions, newest first, without their contexts and tasks: {@link get} reads those of one.
   *
   * @throws InvalidArgumentError for an invalid workflow, limit, status, date, tag, key or cursor
   */
  list(filter: ExecutionFilter = {}): Promise<ExecutionPage> {
    return this.whileServed(() => this.reader.list(filter));
  }

  /**
   * How many executions there are, by workflow and status; workflows without executions are left out. The database
   * reads all executions that it counts. Those that have not Completed have an index of their own, so
   * `status: ['Pending', 'Running', 'Paused', 'Failed']` is cheap, however many have Completed; so do those with tags.
   *
   * @returns sorted by the workflows' names
   * @throws InvalidArgumentError for an invalid workflow, status, date or tag
   */
  counts(filter: ExecutionCountFilter = {}): Promise<WorkflowCounts[]> {
    return this.whileServed(() => this.reader.counts(filter));
  }

  /** The workflows that this process serves for the tenant, each with its graph, in the order of the modules. */
  workflows(): WorkflowGraph[] {
    return this.parts.registry.list().filter(this.parts.serves).map(viewWorkflow);
  }

  /**
   * Ends an execution: what has not begun never will, and running handlers' signals abort, in whatever process they
   * run; what they still do is not recorded. Cancelling a Cancelled execution does nothing.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it has ended otherwise
   */
  cancel(id: string, reason?: string): Promise<void> {
    return this.control.cancel(id, reason);
  }

  /**
   * Lets running tasks end and begins no more until {@link resume}. Pausing a Paused execution does nothing.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it has ended
   */
  pause(id: string, reason?: string): Promise<void> {
    return this.control.pause(id, reason);
  }

  /**
   * Goes on with a Paused execution.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it isn't Paused
   */
  resume(id: string): Promise<void> {
    return this.control.resume(id);
  }

  /**
   * Runs again what failed, was cancelled or was skipped because of a failure, and all that depends on it, with fresh
   * budgets. Other tasks keep their outcomes. Of two calls at once, one wins.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it has not ended, or has nothing to retry
   */
  retry(id: string): Promise<void> {
    return this.control.retry(id);
  }

  /**
   * Stops serving the tenant in this process: claims no more, gives back what has not begun, waits for running
   * handlers up to `shutdownTimeout`. Nest's shutdown does it for you.
   */
  async shutdown(): Promise<void> {
    await this.parts.shutdown();
    this.closed();
  }

  /** @internal Ends the waits; what was waited for goes on elsewhere. */
  closed(): void {
    this.closing.abort(new TenantRemovedError(this.tenant));
    this.reader.close();
  }

  /** A tenant that was removed says so, also to calls that were under way. */
  private async whileServed<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.closing;
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw withoutDriver(error, this.tenant);
    }
  }

  /** What is stored says nothing of types: that the context is a `C` follows from the workflow. */
  private handleOf<C extends object>(id: string, created: boolean): ExecutionHandle<C> {
    const handle: ExecutionHandle = new RunnerHandle(id, created, this.control, this.waits);
    return handle as object as ExecutionHandle<C>;
  }
}

const EXECUTE_OPTIONS = new Set([...START_OPTIONS, ...RESULT_OPTIONS]);
