import type { Observable } from 'rxjs';
import { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { WorkflowEvent } from '../events/workflow-event.js';
import type { EventDefinition, SignalDefinition } from '../discovery/message-definitions.js';
import type { JsonObject } from '../discovery/context-types.js';
import type { WorkflowContext, WorkflowInput, WorkflowRef } from '../discovery/workflow-ref.js';
import { TenantRemovedError, withoutDriver } from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { checkId, checkWait, refuseInBoot, refuseInTask, refuseManager } from './call-checks.js';
import type {
  Execution,
  ExecutionCountFilter,
  ExecutionFilter,
  ExecutionPage,
  ExecutionResult,
  ExecutionUpdate,
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
import { ExecutionWatches } from './execution-watches.js';
import { EndedExecutions } from './ended-executions.js';
import { ExecutionReader } from './execution-reader.js';
import { checkGetOptions } from './list-filter.js';
import { MessageCalls } from './message-calls.js';
import type { SendOptions, SignalSendOptions, SignalTarget } from './message-request.js';
import { ResultWaiter } from './result-waiter.js';
import type { PreparedOptions } from '../engine/children/child-runner.js';
import type { StartRequest } from '../engine/starts/starter.js';
import type { RunnerParts } from './runner-parts.js';
import { ExecutionStarter } from './execution-starter.js';
import type { ExecutionTree, TreeOptions } from './execution-tree.js';
import type { HistoryEntry } from './history-entry.js';
import { START_OPTIONS, type StartOptions } from './start-request.js';
import { viewWorkflow, type WorkflowGraph } from './workflow-graph.js';
import { checkWatchOptions, type WatchOptions } from './watch-options.js';
import type { RetryExecutionOptions } from './retry-options.js';
import type { ExecutionStatus } from '../workflow/index.js';

/**
 * Starts, reads and controls the executions of one tenant.
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
  /** The tenant's name. */
  readonly tenant: string;
  /** The tenant's schema. */
  readonly schema: string;
  /**
   * The events that this process stores for the tenant's executions. Subscribers get later events only; {@link history}
   * reads what is stored.
   */
  readonly events$: Observable<WorkflowEvent>;
  private readonly starter: ExecutionStarter;
  private readonly reader: ExecutionReader;
  private readonly waits: ResultWaiter;
  private readonly control: ExecutionControl;
  private readonly messages: MessageCalls;
  private readonly watches: ExecutionWatches;
  private readonly closing = new AbortController();

  /** @internal Applications inject the runner. */
  constructor(private readonly parts: RunnerParts) {
    const { engine, registry } = parts;
    this.tenant = engine.settings.tenant;
    this.schema = engine.settings.schema;
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
    this.messages = new MessageCalls({
      tenant: this.tenant,
      engine,
      starter: this.starter,
      whileUnavailable,
    });
    const { tenant, reader } = this;
    const ended = new EndedExecutions({ tenant, waiters: engine.waiters, reader });
    this.watches = new ExecutionWatches({
      clock,
      tenant,
      waiters: engine.waiters,
      changes: engine.changes,
      hearsNotifications: () => engine.hearsNotifications,
      read: (id) => reader.update(id),
    });
    this.waits = new ResultWaiter({ clock, tenant, hasBooted: parts.hasBooted, ended });
  }

  /**
   * Starts an execution and waits for its end.
   *
   * @param context - the input, at most `maxContextSize` bytes of JSON
   * @throws WorkflowFailedError, WorkflowCancelledError if the execution did not complete; both have its id. With
   *   `settled: true`, the result is returned instead
   * @throws NotAllowedError with a `manager`, inside a task, and while the application boots
   * @throws the errors of {@link start} and {@link ExecutionHandle.result}
   */
  execute<R extends WorkflowRef>(
    workflow: R,
    context?: WorkflowInput<R>,
    options?: StartOptions & UnsettledOptions,
  ): Promise<ExecutionResult<WorkflowContext<R>>>;
  /** With `settled: true`, returns the result of an execution in any final status; check its `status`. */
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
    return this.waits.resultOfStart(
      (onRequest) =>
        this.whileServed(() => this.starter.start(workflow, context, startOptions, onRequest)),
      wait,
    );
  }

  /**
   * Starts an execution. Resolves when the execution is stored; this process or another one runs it.
   *
   * @param context - the input, at most `maxContextSize` bytes of JSON
   * @throws UnknownWorkflowError, InvalidContextError, ContextTooLargeError, InvalidArgumentError; nothing was stored
   * @throws DatabaseUnavailableError if the database was unreachable, or another transaction held a lock, for
   *   `startTimeout`; its `mayBeWritten` tells whether the execution may be stored
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

  /**
   * Returns a handle of an execution, without asking the database. The handle's methods throw an UnknownExecutionError
   * if no execution has the id.
   */
  handle(id: string): ExecutionHandle {
    return this.handleOf<JsonObject>(id, false);
  }

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
    return this.whileServed<Execution | null | (Execution | null)[]>(() => {
      const { workflow, steps } = checkGetOptions(options);
      return isMany(ids)
        ? this.reader.getMany(ids, workflow, steps)
        : this.reader.get(ids, workflow, steps);
    });
  }

  /**
   * Reads the statuses of many executions, by id. Ids that no execution has are left out.
   *
   * @param ids - at most 1,000
   * @throws InvalidArgumentError for more than 1,000 ids, and for an id that is not a string
   */
  statuses(ids: readonly string[]): Promise<Map<string, ExecutionStatus>> {
    return this.whileServed(() => this.reader.statuses(ids));
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
    refuseInBoot('watch()', this.parts.hasBooted());
    const signal = checkWatchOptions(options);
    this.closing.signal.throwIfAborted();
    return this.watches.watch(checkId(id), signal);
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
    return this.whileServed(() => this.reader.history(id));
  }

  /**
   * Reads a page of executions, newest first, without their contexts and tasks; {@link get} reads these.
   *
   * @throws InvalidArgumentError for an invalid workflow, limit, status, date, tag, key or cursor
   */
  list(filter: ExecutionFilter = {}): Promise<ExecutionPage> {
    return this.whileServed(() => this.reader.list(filter));
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
    return this.whileServed(() => this.reader.counts(filter));
  }

  /** Returns the workflows that this process serves for the tenant, with their graphs, in the order of the modules. */
  workflows(): WorkflowGraph[] {
    return this.parts.registry.list().filter(this.parts.serves).map(viewWorkflow);
  }

  /**
   * Cancels an execution. No further task begins, and the signals of its running handlers abort in every process. The
   * outcomes of these handlers are not recorded. Does nothing if the execution is Cancelled.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution is Completed or Failed
   */
  cancel(id: string, reason?: string): Promise<void> {
    return this.control.cancel(id, reason);
  }

  /**
   * Pauses an execution. Running tasks may finish; no task begins until {@link resume}. Does nothing if the execution
   * is Paused. Children continue, unless `options` has `tree: true`.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution has ended
   */
  pause(id: string, reason?: string, options?: TreeOptions): Promise<void> {
    return this.control.pause(id, reason, options);
  }

  /**
   * Continues a Paused execution, with `tree: true` also the Paused executions under it.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution is not Paused
   */
  resume(id: string, options?: TreeOptions): Promise<void> {
    return this.control.resume(id, options);
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
    return this.control.tree(id);
  }

  /**
   * Runs the tasks of an ended execution again that Failed, were Cancelled, or were skipped because of a failure, and
   * all tasks that depend on them. These tasks get a new set of attempts; other tasks keep their outcomes. If two calls
   * run at the same time, one of them throws an InvalidTransitionError.
   *
   * A task whose dependencies all keep their outcomes has the same input as before. It keeps its recorded steps, and the
   * waits that were over; open waits begin anew. The steps of other tasks are deleted.
   *
   * @param options.steps - `discard`: the steps of all these tasks are deleted. Default: `keep`
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution has not ended, or has no such task
   * @throws InvalidArgumentError for invalid options
   */
  retry(id: string, options: RetryExecutionOptions = {}): Promise<void> {
    return this.control.retry(id, options);
  }

  /**
   * Sends a signal to an execution. It is kept until a task takes it with `context.waitFor()`, which may be waiting already
   * or begin to wait later. Resolves when the signal is stored, with a `manager` in the caller's transaction.
   *
   * @param to - the id or the handle of the execution, or its workflow and idempotency key
   * @returns the id of the execution
   * @throws UnknownExecutionError if there is no such execution; with `orStart`, it is started
   * @throws InvalidTransitionError if the execution has ended, unless a signal with this `idempotencyKey` was stored before
   * @throws InvalidContextError, ContextTooLargeError for the payload; InvalidArgumentError
   * @throws DatabaseUnavailableError if the database was unreachable, or another transaction held the key, for
   *   `startTimeout`
   * @example
   * ```ts
   * await runner.signal(id, Approval, { approved: true, by: user.id }, { idempotencyKey: `click ${linkId}` });
   * await runner.signal({ workflow: Invoice, key: 'inv-17' }, Approval, answer, { manager });
   * ```
   */
  async signal<P, I, R extends WorkflowRef = WorkflowRef>(
    to: SignalTarget<R>,
    signal: SignalDefinition<P, I>,
    payload: I,
    options?: SignalSendOptions<R>,
  ): Promise<string> {
    return this.whileServed(() => this.messages.signal(to, signal, payload, options));
  }

  /**
   * Sends an event to all executions of the tenant that wait for its name and key, now or within `keepFor` of the
   * definition. Resolves when the event is stored, with a `manager` in the caller's transaction.
   *
   * @param key - what the event is about, such as the id of an invoice; 1 to 200 characters
   * @throws InvalidContextError, ContextTooLargeError for the payload; InvalidArgumentError
   * @throws DatabaseUnavailableError as {@link signal}
   * @example
   * ```ts
   * await runner.emit(InvoicePaid, 'inv-17', payment, { manager, idempotencyKey: payment.id });
   * ```
   */
  async emit<P, I>(
    event: EventDefinition<P, I>,
    key: string,
    payload: I,
    options?: SendOptions,
  ): Promise<void> {
    return this.whileServed(() => this.messages.emit(event, key, payload, options));
  }

  /**
   * Stops serving the tenant in this process: claims no more tasks, gives unstarted claims back, and waits up to
   * `shutdownTimeout` for running handlers. Nest's shutdown calls this for every tenant.
   */
  async shutdown(): Promise<void> {
    await this.parts.shutdown();
    this.closed();
  }

  /**
   * @internal Rejects pending waits and reads with a TenantRemovedError. The executions continue in other processes.
   */
  closed(): void {
    const reason = new TenantRemovedError(this.tenant);
    this.closing.abort(reason);
    this.parts.engine.waiters.close(reason);
    this.reader.close();
  }

  /** @internal Checks the arguments of a start, for a child that a task starts. Nothing is stored. */
  prepareStart(
    workflow: WorkflowRef,
    context: object | undefined,
    options: PreparedOptions,
  ): Promise<StartRequest> {
    return this.starter.prepare(workflow, context, options);
  }

  /** Throws a TenantRemovedError once the tenant is closed, also for calls that began before. */
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

  /** The cast relies on the workflow that the caller named, because rows carry no types. */
  private handleOf<C extends object>(id: string, created: boolean): ExecutionHandle<C> {
    const handle: ExecutionHandle = new RunnerHandle(id, created, this.control, this.waits);
    return handle as object as ExecutionHandle<C>;
  }
}

const EXECUTE_OPTIONS = new Set([...START_OPTIONS, ...RESULT_OPTIONS]);

/** `Array.isArray` alone does not tell the compiler that what is left is a string. */
function isMany(ids: string | readonly string[]): ids is readonly string[] {
  return Array.isArray(ids);
}
