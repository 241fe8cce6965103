import { Logger } from '@nestjs/common';
import type { DeferOptions, Found } from '../../discovery/task-context/durable-waits.js';
import type { JsonObject } from '../../discovery/context-types.js';
import type { TaskContext } from '../../discovery/task-context.js';
import type {
  ChildCall,
  ExecuteAllOptions,
  ExecuteChildOptions,
  StartChildOptions,
} from '../../discovery/task-context/child-options.js';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { InvalidContextError } from '../../errors/index.js';
import { decodeJson, encodeJson, type ContextView, type Duration } from '../../workflow/index.js';
import { checkKey, encodeContext } from './context-entries.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { Clock } from '../../runtime/clock.js';
import { callExecute, callExecuteAll, callStart } from '../children/child-calls.js';
import type { Children } from '../children/children.js';
import { callSleep, callStep } from '../waits/step-calls.js';
import type { StepServices } from '../waits/step-services.js';
import type { MessageTaker } from '../messages/message-taker.js';
import type { TokenIssuer } from '../messages/token-issuer.js';
import { callWaitFor, callWaitForAny, type MessageWaits } from '../messages/wait-calls.js';
import { TaskSteps } from '../waits/task-steps.js';
import { encodeProgress } from './encode-progress.js';
import type { ProgressReports } from './progress-reports.js';
import { TaskDeferral } from './task-deferral.js';

/** The tenant's parts that a running task can use. */
export interface TaskSurroundings {
  readonly clock: Pick<Clock, 'now'>;
  readonly tenant: string;
  /** A function, because the runner is created after the engine. */
  readonly runner: () => TaskContext['runner'];
  readonly dataSource: TaskContext['dataSource'];
  readonly manager: TaskContext['manager'];
  readonly steps: StepServices;
  readonly messages: MessageTaker;
  readonly tokens: TokenIssuer;
  readonly children: Children;
  readonly progress: Pick<ProgressReports, 'report'>;
}

const NO_WRITES: ReadonlyMap<string, string | undefined> = new Map();

/** The context of one run of a task, as its handler sees it. */
export class RunningTask implements TaskContext {
  /** Created by the first write, because many tasks write nothing. */
  private writes: Map<string, string | undefined> | undefined;
  private frozenData: Readonly<JsonObject> | undefined;
  private lazyLogger: Logger | undefined;
  /** Created on first use, because few tasks defer themselves. */
  private deferral: TaskDeferral | undefined;
  /** Created on first use, because few tasks have steps. */
  private lazySteps: TaskSteps | undefined;
  /** The failures before this run. Steps of the run change the claim's number. */
  private readonly failures: number;
  private hasReturned = false;
  private hasWarned = false;

  constructor(
    private readonly claim: TaskClaim,
    private readonly input: ContextView,
    private readonly surroundings: TaskSurroundings,
  ) {
    this.failures = claim.failures;
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

  get logger(): Logger {
    const { workflow } = this.claim.definition;
    return (this.lazyLogger ??= new Logger(
      `${this.tenant} ${workflow.name}.${this.taskName} ${this.executionId}`,
    ));
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
    return (this.frozenData ??= Object.freeze(
      decodeJson(
        this.input.withWrites(this.claim.task.no, this.writes ?? NO_WRITES).toJson(),
      ) as JsonObject,
    ));
  }

  // Parses at each call, so that each caller gets a copy. Changes to the copy are not stored.
  get(key: string): unknown {
    const json = this.jsonOf(key);
    return json === undefined ? undefined : decodeJson(json);
  }

  has(key: string): boolean {
    return this.jsonOf(key) !== undefined;
  }

  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- anything but null and undefined
  require(key: string): NonNullable<unknown> {
    const value = this.get(key);
    if (value === undefined || value === null) {
      throw new InvalidContextError(
        key,
        key,
        `is required by task "${this.taskName}" and is missing`,
      );
    }
    return value;
  }

  set(key: string, value: unknown): void {
    checkKey(key);
    // As JSON.stringify does with an undefined property.
    if (value === undefined) return this.write(key, undefined);
    const encoded = encodeJson(value);
    if (!encoded.ok) {
      const path = encoded.path === '' ? key : joinPath(key, encoded.path);
      throw new InvalidContextError(key, path, encoded.problem);
    }
    this.write(key, encoded.json);
  }

  delete(key: string): void {
    checkKey(key);
    this.write(key, undefined);
  }

  deferUntil(condition: () => boolean | Promise<boolean>, options?: DeferOptions): Promise<void>;
  deferUntil<T>(condition: () => T | Promise<T>, options?: DeferOptions): Promise<Found<T>>;
  deferUntil(condition: () => unknown, options: DeferOptions = {}): Promise<unknown> {
    this.deferral ??= new TaskDeferral(this.claim, this.surroundings.clock);
    return this.deferral.until(condition, options);
  }

  step<T>(name: string, ...rest: readonly unknown[]): Promise<T> {
    return callStep(this.steps, name, rest) as Promise<T>;
  }

  sleep(name: string, duration: Duration | { readonly until: Date }): Promise<void> {
    return callSleep(this.steps, name, duration);
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
    return callExecute(this.steps, children, workflow, input, options) as Promise<never>;
  }

  executeAll(
    calls: readonly ChildCall<WorkflowRef>[],
    options?: ExecuteAllOptions,
  ): Promise<never> {
    return callExecuteAll(this.steps, this.surroundings.children, calls, options) as Promise<never>;
  }

  start(workflow: WorkflowRef, input?: object, options?: StartChildOptions): Promise<never> {
    const { children, manager } = this.surroundings;
    const transaction = this.claim.task.transactional ? manager : undefined;
    const child = { workflow, input, options };
    return callStart(this.steps, children, child, transaction) as Promise<never>;
  }

  progress(value: unknown): void {
    const json = encodeProgress(value);
    if (!this.hasReturned) this.surroundings.progress.report(this.claim, json);
  }

  get suspending(): boolean {
    return this.isSuspended || this.deferredForNextMs !== undefined;
  }

  private get messageWaits(): MessageWaits {
    return { steps: this.steps, taker: this.surroundings.messages };
  }

  private get steps(): TaskSteps {
    if (this.lazySteps === undefined) {
      this.lazySteps = new TaskSteps(this.claim, this.surroundings.steps);
      if (this.hasReturned) this.lazySteps.returned();
    }
    return this.lazySteps;
  }

  /**
   * Time until the next check, in milliseconds; set once `deferUntil` has deferred the task, even if the signal was
   * caught.
   */
  get deferredForNextMs(): number | undefined {
    return this.deferral?.everyMs;
  }

  /** Whether a wait has suspended the task, even if its signal was caught. */
  get isSuspended(): boolean {
    return this.lazySteps?.isSuspended === true;
  }

  /** Number of children of which only the last one has to wake the suspended task. 0: any wake-up does. */
  get joins(): number {
    return this.lazySteps?.joins ?? 0;
  }

  /** Time until a suspended task runs again, in milliseconds. Null: when it is woken. */
  get suspendedForMs(): number | null {
    return this.lazySteps?.suspendedForMs ?? null;
  }

  /** Whether steps or waits have not settled. */
  get hasOpenPoints(): boolean {
    return this.lazySteps?.isBusy === true;
  }

  /** Resolves when no step or wait is in flight, whatever came of it. */
  async whenPointsSettle(): Promise<void> {
    await this.lazySteps?.whenSettled().catch(() => undefined);
  }

  /**
   * The durable calls that the handler did not await before it returned; undefined if there are none. They still decide
   * about the run, because the handler has declared that the task depends on them. Logs a warning.
   */
  get unawaited(): Promise<unknown> | undefined {
    if (this.deferral?.isAsking === true) {
      this.warn(
        'it returned without waiting for deferUntil(); await the call, or the code behind it runs before the condition holds',
      );
      return this.deferral.last;
    }
    if (!this.hasOpenPoints) return undefined;
    this.warn(
      'it returned without waiting for a step() or a wait; await the call, or the code behind it runs before the result is recorded',
    );
    return this.lazySteps?.whenSettled();
  }

  /**
   * Warns that the handler returned although `deferUntil` deferred the task: it caught the signal or did not await it.
   */
  warnDeferralIgnored(): void {
    this.warn(
      'it returned although deferUntil() had deferred it; await the call, and do not catch what it throws',
    );
  }

  /** Warns that the handler returned although a wait suspended the task. */
  warnSuspensionIgnored(): void {
    this.warn(
      'it returned although a wait had suspended it; await the call, and do not catch what it throws',
    );
  }

  /** Call when the handler has returned. Later writes are not stored, and later steps are refused. */
  returned(): void {
    this.hasReturned = true;
    this.lazySteps?.returned();
  }

  /** Adds the handler's result to the writes, and returns all writes of this run. */
  finish(result: unknown): ReadonlyMap<string, string | undefined> {
    if (result !== undefined && result !== null) {
      const writes = encodeContext(result, `The value that task "${this.taskName}" returned`);
      for (const [key, json] of writes) this.write(key, json);
    }
    return this.writes ?? NO_WRITES;
  }

  private write(key: string, json: string | undefined): void {
    if (this.hasReturned) {
      this.warn(
        `it changed the context key ${JSON.stringify(key)} after it had returned, which is not stored; await all work of the handler`,
      );
    }
    this.writes ??= new Map();
    this.writes.set(key, json);
    this.frozenData = undefined;
  }

  /** Warns once for each run, because a loop that still runs would fill the log. */
  private warn(what: string): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.logger.warn(`Task "${this.taskName}": ${what}.`);
  }

  private jsonOf(key: string): string | undefined {
    if (this.writes?.has(key) === true) return this.writes.get(key);
    return this.input.get(key)?.json;
  }
}

function joinPath(key: string, path: string): string {
  return path.startsWith('[') ? `${key}${path}` : `${key}.${path}`;
}
