import type { Observable } from 'rxjs';
import type { JsonObject } from '../discovery/context-types.js';
import type { EventDefinition, SignalDefinition } from '../discovery/message-definitions.js';
import type { WorkflowContext, WorkflowInput, WorkflowRef } from '../discovery/workflow-ref.js';
import type { PreparedOptions } from '../engine/children/child-runner.js';
import type { StartRequest } from '../engine/starts/start-request.js';
import type { WorkflowEvent } from '../events/workflow-event.js';
import type { CloacinaLimits } from './cloacina-limits.js';
import type { CloacinaSchedules } from './cloacina-schedules.js';
import type { ExecutionResult } from './execution.js';
import type { ExecutionHandle } from './execution-handle.js';
import type { SendOptions, SignalSendOptions, SignalTarget } from './message-request.js';
import type { ResultOptions, UnsettledOptions } from './result-options.js';
import type { RetryExecutionOptions } from './retry-options.js';
import type { CloacinaPollers } from './pollers/cloacina-pollers.js';
import type { RunnerParts } from './runner-parts.js';
import { wireRunner, type RunnerCalls } from './runner-wiring.js';
import type { CloacinaStatistics } from './statistics/index.js';
import type { StartOptions } from './start-request.js';
import type { CancelOptions, PauseOptions, ResumeExecutionOptions } from './reason-options.js';
import { TenantUpkeep } from './tenant-upkeep.js';

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
export class CloacinaRunner extends TenantUpkeep {
  /** The tenant's name. */
  readonly tenant: string;
  /** The tenant's schema. */
  readonly schema: string;
  /**
   * The events that this process stores for the tenant's executions. Subscribers get later events only; {@link history}
   * reads what is stored.
   */
  readonly events$: Observable<WorkflowEvent>;
  /** The limits of tasks: shows how full they are, and sets their numbers. */
  readonly limits: CloacinaLimits;
  /** The schedules of the tenant. */
  readonly schedules: CloacinaSchedules;
  /** The pollers of the tenant, with their cursors. */
  readonly pollers: CloacinaPollers;
  /** Numbers for dashboards: counts, series over time, and failures by cause. */
  readonly statistics: CloacinaStatistics;
  private readonly calls: RunnerCalls;

  /** @internal Applications inject the runner. */
  constructor(private readonly parts: RunnerParts) {
    const calls = wireRunner(parts);
    super(calls);
    this.calls = calls;
    this.schedules = calls.schedules;
    this.pollers = calls.pollers;
    this.tenant = parts.engine.settings.tenant;
    this.schema = parts.engine.settings.schema;
    this.limits = calls.limits;
    this.statistics = calls.statistics;
    this.events$ = parts.events.asObservable();
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
  execute(
    workflow: WorkflowRef,
    context?: JsonObject,
    options?: StartOptions & ResultOptions,
  ): Promise<ExecutionResult> {
    return this.calls.starts.execute(workflow, context, options);
  }

  /**
   * Starts an execution. Resolves when the execution is stored; this process or another one runs it.
   *
   * @param context - the input, at most `maxContextSize` bytes of JSON
   * @throws UnknownWorkflowError, InvalidContextError, ContextTooLargeError, InvalidArgumentError; nothing was stored
   * @throws QueueFullError if the workflow has `maxPending` executions that have not begun; nothing was stored
   * @throws DatabaseUnavailableError if the database was unreachable, or another transaction held a lock, for
   *   `startTimeout`; its `mayBeWritten` tells whether the execution may be stored
   */
  start<R extends WorkflowRef>(
    workflow: R,
    context?: WorkflowInput<R>,
    options?: StartOptions,
  ): Promise<ExecutionHandle<WorkflowContext<R>>> {
    return this.calls.starts.start(workflow, context, options);
  }

  /**
   * Returns a handle of an execution, without asking the database. The handle's methods throw an UnknownExecutionError
   * if no execution has the id.
   */
  handle(id: string): ExecutionHandle {
    return this.calls.starts.handle(id);
  }

  /**
   * Cancels an execution. No further task begins, and the signals of its running handlers abort in every process. The
   * outcomes of these handlers are not recorded. Does nothing if the execution is Cancelled.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution is Completed or Failed
   * @throws InvalidArgumentError for invalid options
   * @example
   * ```ts
   * await runner.cancel(id, { reason: 'the customer called' });
   * ```
   */
  cancel(id: string, options?: CancelOptions): Promise<void> {
    return this.calls.control.cancel(id, options);
  }

  /**
   * Pauses an execution. Running tasks may finish; no task begins until {@link resume}. Does nothing if the execution
   * is Paused. Children continue, unless `options` has `tree: true`.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution has ended
   * @throws InvalidArgumentError for invalid options
   */
  pause(id: string, options?: PauseOptions): Promise<void> {
    return this.calls.control.pause(id, options);
  }

  /**
   * Continues a Paused execution, with `tree: true` also the Paused executions under it.
   *
   * @throws UnknownExecutionError
   * @throws InvalidTransitionError if the execution is not Paused
   */
  resume(id: string, options?: ResumeExecutionOptions): Promise<void> {
    return this.calls.control.resume(id, options);
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
    return this.calls.control.retry(id, options);
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
  signal<P, I, R extends WorkflowRef = WorkflowRef>(
    to: SignalTarget<R>,
    signal: SignalDefinition<P, I>,
    payload: I,
    options?: SignalSendOptions<R>,
  ): Promise<string> {
    return this.calls.served.run(() => this.calls.messages.signal(to, signal, payload, options));
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
  emit<P, I>(
    event: EventDefinition<P, I>,
    key: string,
    payload: I,
    options?: SendOptions,
  ): Promise<void> {
    return this.calls.served.run(() => this.calls.messages.emit(event, key, payload, options));
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
    const reason = this.calls.served.close();
    this.parts.engine.waiters.close(reason);
    this.calls.reader.close();
  }

  /** @internal Checks the arguments of a start, for a child that a task starts. Nothing is stored. */
  prepareStart(
    workflow: WorkflowRef,
    context: object | undefined,
    options: PreparedOptions,
  ): Promise<StartRequest> {
    return this.calls.starter.prepareTraced(workflow, context, options);
  }
}
