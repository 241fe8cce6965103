import type { Logger } from '@nestjs/common';
import type { JsonObject } from '../../discovery/context-types.js';
import type { ItemResult, ResultsOptions } from '../../discovery/map-options.js';
import type { TaskContext } from '../../discovery/task-context.js';
import type {
  ChildCall,
  ExecuteAllOptions,
  ExecuteChildOptions,
  StartChildOptions,
} from '../../discovery/task-context/child-options.js';
import type { DeferOptions, Found } from '../../discovery/task-context/durable-waits.js';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import type { ContextView, Duration } from '../../workflow/index.js';
import { callExecute, callExecuteAll, callStart } from '../children/child-calls.js';
import { SCHEDULE_KEY, scheduleInfoOf, type ScheduleInfo } from '../../workflow/schedule/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { callWaitFor, callWaitForAny, type MessageWaits } from '../messages/wait-calls.js';
import { callSleep, callStep } from '../waits/step-calls.js';
import { ContextValues } from './context-values.js';
import { encodeProgress } from './encode-progress.js';
import { TaskRun } from './task-run.js';
import type { TaskSurroundings } from './task-surroundings.js';

/**
 * The context of one run of a task, as its handler sees it. Handlers know it as a {@link TaskContext}; the engine uses
 * `run` and `values`.
 */
export class RunningTask implements TaskContext {
  readonly run: TaskRun;
  readonly values: ContextValues;
  /** The failures before this run. Steps of the run change the claim's number. */
  private readonly failures: number;

  constructor(
    protected readonly claim: TaskClaim,
    input: ContextView,
    private readonly surroundings: TaskSurroundings,
  ) {
    this.failures = claim.failures;
    this.run = new TaskRun(claim, surroundings);
    this.values = new ContextValues(claim, input, this.run);
  }

  get executionId(): string {
    return this.claim.executionId;
  }

  get taskName(): string {
    return this.claim.task.name;
  }

  get tenant(): string {
    return this.surroundings.tenant;
  }

  get attempt(): number {
    return this.failures + 1;
  }

  get workflow(): string {
    return this.claim.definition.workflow.name;
  }

  get maxAttempts(): number {
    return this.claim.task.retry.maxAttempts;
  }

  get recoveryAttempt(): number {
    return this.claim.recoveryAttempts;
  }

  get idempotencyKey(): string {
    return `${this.claim.executionId}:${this.claim.task.name}`;
  }

  get signal(): AbortSignal {
    return this.claim.signal;
  }

  get suspending(): boolean {
    const { suspension, deferredForNextMs } = this.run;
    return suspension !== undefined || deferredForNextMs !== undefined;
  }

  get logger(): Logger {
    return this.run.logger;
  }

  get runner(): TaskContext['runner'] {
    return this.surroundings.runner();
  }

  get dataSource(): TaskContext['dataSource'] {
    return this.surroundings.dataSource;
  }

  get manager(): TaskContext['manager'] {
    return this.surroundings.manager;
  }

  get data(): Readonly<JsonObject> {
    return this.values.data;
  }

  get schedule(): ScheduleInfo | undefined {
    return scheduleInfoOf(this.values.get(SCHEDULE_KEY));
  }

  get(key: string): unknown {
    return this.values.get(key);
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- anything but null and undefined
  require(key: string): NonNullable<unknown> {
    return this.values.require(key);
  }

  set(key: string, value: unknown): void {
    this.values.set(key, value);
  }

  delete(key: string): void {
    this.values.delete(key);
  }

  deferUntil(condition: () => boolean | Promise<boolean>, options?: DeferOptions): Promise<void>;
  deferUntil<T>(condition: () => T | Promise<T>, options?: DeferOptions): Promise<Found<T>>;
  deferUntil(condition: () => unknown, options: DeferOptions = {}): Promise<unknown> {
    return this.run.deferral.until(condition, options);
  }

  step<T>(name: string, ...rest: readonly unknown[]): Promise<T> {
    return callStep(this.run.steps, name, rest) as Promise<T>;
  }

  sleep(name: string, duration: Duration | { readonly until: Date }): Promise<void> {
    return callSleep(this.run.steps, name, duration);
  }

  waitFor(message: unknown, options?: unknown): Promise<never> {
    return callWaitFor(this.messageWaits, message, options) as Promise<never>;
  }

  waitForAny(of: unknown, options?: unknown): Promise<never> {
    return callWaitForAny(this.messageWaits, of, options) as Promise<never>;
  }

  signalToken(signal: unknown, options: unknown): string {
    return this.surroundings.tokens.issue(this.executionId, signal, options);
  }

  execute(workflow: WorkflowRef, input?: object, options?: ExecuteChildOptions): Promise<never> {
    const { children } = this.surroundings;
    return callExecute(this.run.steps, children, workflow, input, options) as Promise<never>;
  }

  executeAll(
    calls: readonly ChildCall<WorkflowRef>[],
    options?: ExecuteAllOptions,
  ): Promise<never> {
    const { children } = this.surroundings;
    return callExecuteAll(this.run.steps, children, calls, options) as Promise<never>;
  }

  start(workflow: WorkflowRef, input?: object, options?: StartChildOptions): Promise<never> {
    const { children, manager } = this.surroundings;
    const transaction = this.claim.task.transactional ? manager : undefined;
    const child = { workflow, input, options };
    return callStart(this.run.steps, children, child, transaction) as Promise<never>;
  }

  results(mapTask: string, options?: ResultsOptions): AsyncIterable<ItemResult<never>> {
    const { executionId, definition } = this.claim;
    return this.surroundings.results(executionId, definition.workflow, mapTask, options);
  }

  batch(): Promise<never> {
    return this.surroundings.batch(this.executionId) as Promise<never>;
  }

  progress(value: unknown): void {
    const json = encodeProgress(value);
    if (!this.run.hasReturned) this.surroundings.progress.report(this.claim, json);
  }

  private get messageWaits(): MessageWaits {
    return { steps: this.run.steps, taker: this.surroundings.messages };
  }
}
