import { setMaxListeners } from 'node:events';
import type { Observable, Subject } from 'rxjs';
import { currentTask } from '../engine/current-task.js';
import { LongTimer } from '../engine/long-timer.js';
import { Patience } from '../engine/patience.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import type { EngineEvent } from '../engine/tenant-events.js';
import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import type { WorkflowInput, WorkflowRef } from '../discovery/workflow-ref.js';
import {
  InvalidArgumentError,
  InvalidTransitionError,
  NotAllowedError,
  TenantRemovedError,
  UnknownExecutionError,
  WaitTimeoutError,
} from '../errors/index.js';
import { show } from '../errors/option-checks.js';
import type { ControlResult, ExecutionRow } from '../store/store.js';
import {
  DURATION_FORM,
  isExecutionEnded,
  parseDuration,
  textProblem,
  type Duration,
  type ExecutionStatus,
} from '../workflow/index.js';
import type { Execution, ExecutionFilter, ExecutionResult, Page } from './execution.js';
import type { ExecutionHandle } from './execution-handle.js';
import { ExecutionReader, isExecutionId } from './execution-reader.js';
import { asResult } from './execution-view.js';
import { resetForRetry } from './manual-retry.js';
import {
  checkManager,
  makeStartRequest,
  validateInput,
  type StartOptions,
} from './start-request.js';

export interface RunnerParts {
  readonly engine: TenantEngine;
  readonly registry: Pick<WorkflowRegistry, 'nameOf' | 'get'>;
  readonly events: Subject<EngineEvent>;
  /** Drains and closes the tenant in this process. */
  readonly shutdown: () => Promise<void>;
}

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
  readonly events$: Observable<EngineEvent>;
  private readonly engine: TenantEngine;
  private readonly reader: ExecutionReader;
  private readonly patience: Patience;
  private readonly closing = new AbortController();

  /** @internal Applications get theirs by injection. */
  constructor(private readonly parts: RunnerParts) {
    this.engine = parts.engine;
    this.tenant = parts.engine.settings.tenant;
    this.schema = parts.engine.settings.schema;
    // Every wait listens to it; that is no leak.
    setMaxListeners(0, this.closing.signal);
    this.events$ = parts.events.asObservable();
    const { store, catalog, settings } = parts.engine;
    this.patience = new Patience(this.tenant, store, settings.startTimeoutMs);
    this.reader = new ExecutionReader(store, catalog, this.patience);
  }

  /**
   * Starts an execution and waits for its end, whatever it is: a Failed execution is a result, not an error.
   *
   * @param context - the input, at most `maxContextSize` bytes of JSON
   * @param options.timeout - how long to wait
   * @throws as {@link start} and {@link ExecutionHandle.result}; NotAllowedError with a `manager`
   */
  async execute<R extends WorkflowRef>(
    workflow: R,
    context?: WorkflowInput<R>,
    options: StartOptions & { timeout?: Duration } = {},
  ): Promise<ExecutionResult> {
    refuseInTask('execute()');
    const { timeout, ...startOptions } = options;
    const timeoutMs = parseTimeout(timeout);
    if (startOptions.manager !== undefined) {
      throw new NotAllowedError(
        'execute() with a manager',
        'the execution does not exist for anyone else until the transaction commits',
        'Use start() and wait for the result after the commit.',
      );
    }
    const { id } = await this.start(workflow, context, startOptions);
    return this.resultOf(id, timeoutMs);
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
  ): Promise<ExecutionHandle> {
    const { signal } = this.closing;
    signal.throwIfAborted();
    try {
      const name = this.parts.registry.nameOf(workflow);
      const schema = this.registered(name)?.input;
      // Without a schema it goes through no promise: that would ask it for a `then`.
      const input =
        schema === undefined ? (context ?? {}) : await validateInput(schema, context ?? {});
      const { catalog } = this.engine;
      if (!catalog.isOpen) await this.patience.repeat(() => this.engine.open());
      const definition =
        catalog.currentOf(name) ?? (await this.patience.repeat(() => catalog.toStart(name)));
      const request = makeStartRequest(
        definition,
        input,
        options,
        this.engine.settings.maxContextSize,
      );
      const manager = checkManager(options.manager);
      const { id, created } =
        manager === undefined
          ? await this.engine.start(request)
          : await this.engine.startIn(manager, request);
      return this.handleOf(id, created);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** A handle on an execution by its id; whether there is one is asked when the handle is used. */
  handle(id: string): ExecutionHandle {
    return this.handleOf(id, false);
  }

  /** An execution with all its tasks; null when there is none of that id. */
  get(id: string): Promise<Execution | null> {
    return this.whileServed(() => this.reader.get(id));
  }

  /**
   * A page of executions, newest first.
   *
   * @throws InvalidArgumentError for a limit, status, date or cursor that is none
   */
  list(filter: ExecutionFilter = {}): Promise<Page<Execution>> {
    return this.whileServed(() => this.reader.list(filter));
  }

  /**
   * Ends an execution: what has not begun never will, and running handlers' signals abort, in whatever process they
   * run; what they still do is not recorded. Cancelling a Cancelled execution does nothing.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it has ended otherwise
   */
  async cancel(id: string, reason?: string): Promise<void> {
    const checked = checkReason(reason);
    await this.control(id, 'cancel', () =>
      this.engine.control.end(id, () => this.engine.store.cancel(id, checked)),
    );
  }

  /**
   * Lets running tasks end and begins no more until {@link resume}. Pausing a Paused execution does nothing.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it has ended
   */
  async pause(id: string, reason?: string): Promise<void> {
    const result = await this.control(id, 'pause', () =>
      this.engine.store.pause(id, checkReason(reason)),
    );
    if (result !== undefined) this.engine.control.announcePause(id);
  }

  /**
   * Goes on with a Paused execution.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it isn't Paused
   */
  async resume(id: string): Promise<void> {
    await this.control(id, 'resume', () => this.engine.store.resume(id));
    this.engine.workIsReady();
  }

  /**
   * Runs again what failed, was cancelled or was skipped because of a failure, and all that depends on it, with fresh
   * budgets. Other tasks keep their outcomes. Of two calls at once, one wins.
   *
   * @throws UnknownExecutionError, InvalidTransitionError when it has not ended, or has nothing to retry
   */
  async retry(id: string): Promise<void> {
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.tenant);
    const found = await this.whileServed(() =>
      this.patience.once(() => resetForRetry(this.engine.store, this.engine.catalog, id)),
    );
    if (!found) throw new UnknownExecutionError(id, this.tenant);
    this.engine.workIsReady();
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
      throw error;
    }
  }

  private registered(name: string): RegisteredWorkflow | undefined {
    return this.parts.registry.get(name);
  }

  private handleOf(id: string, created: boolean): ExecutionHandle {
    return {
      id,
      created,
      status: () => this.statusOf(id),
      result: async (options) => {
        refuseInTask('result()');
        return this.resultOf(id, parseTimeout(options?.timeout));
      },
      cancel: (reason) => this.cancel(id, reason),
      pause: (reason) => this.pause(id, reason),
      resume: () => this.resume(id),
    };
  }

  private async statusOf(id: string): Promise<ExecutionStatus> {
    const read = (): Promise<ExecutionRow[]> => this.engine.store.executions([id]);
    const [row] = isExecutionId(id) ? await this.whileServed(() => this.patience.repeat(read)) : [];
    if (row === undefined) throw new UnknownExecutionError(id, this.tenant);
    return row.status as ExecutionStatus;
  }

  private async resultOf(id: string, timeoutMs: number | undefined): Promise<ExecutionResult> {
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.tenant);
    if (timeoutMs === undefined) return this.ended(id, this.closing.signal);
    const timeout = new AbortController();
    const timer = new LongTimer(
      () => timeout.abort(new WaitTimeoutError(id, timeoutMs)),
      timeoutMs,
    );
    try {
      return await this.ended(id, AbortSignal.any([timeout.signal, this.closing.signal]));
    } finally {
      timer.cancel();
    }
  }

  /** A notification says that it is worth a look, no more: it may be late, and the execution retried since. */
  private async ended(id: string, signal: AbortSignal): Promise<ExecutionResult> {
    for (;;) {
      const found = await this.engine.waiters.wait(id, signal);
      const execution = found ? await this.reader.get(id) : null;
      if (execution === null) throw new UnknownExecutionError(id, this.tenant);
      if (isExecutionEnded(execution.status)) return asResult(execution);
      signal.throwIfAborted();
    }
  }

  /** Undefined when there was nothing to do because it is as asked for already. */
  private async control(
    id: string,
    action: keyof typeof LEGAL,
    run: () => Promise<ControlResult>,
  ): Promise<ControlResult | undefined> {
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.tenant);
    const result = await this.whileServed(() => this.patience.once(run));
    if (result.changed) return result;
    const status = await this.statusOf(id);
    const { to, from } = LEGAL[action];
    if (status === to) return undefined;
    throw new InvalidTransitionError(id, status, action, from);
  }
}

const LEGAL = {
  cancel: { to: 'Cancelled', from: ['Pending', 'Running', 'Paused'] },
  pause: { to: 'Paused', from: ['Pending', 'Running'] },
  resume: { to: undefined, from: ['Paused'] },
} as const;

/** @throws InvalidArgumentError for what is no duration */
function parseTimeout(timeout: Duration | undefined): number | undefined {
  if (timeout === undefined) return undefined;
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs !== undefined) return timeoutMs;
  throw new InvalidArgumentError('timeout', `must be ${DURATION_FORM}, not ${show(timeout)}`);
}

function checkReason(reason: string | undefined): string | null {
  if (reason === undefined) return null;
  const problem =
    typeof reason === 'string' ? textProblem(reason) : `must be a string, not ${show(reason)}`;
  if (problem === undefined) return reason;
  throw new InvalidArgumentError('reason', problem);
}

function refuseInTask(what: string): void {
  if (currentTask() === undefined) return;
  throw new NotAllowedError(
    `Awaiting ${what} inside a task`,
    'the task holds the slot that the execution may need, so both could wait for ever',
    'Start the other execution with start() and let a later task deferUntil() it has ended, or make its tasks part of this workflow.',
  );
}
