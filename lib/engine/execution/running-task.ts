import { Logger } from '@nestjs/common';
import type { DeferOptions, Found, JsonObject, TaskContext } from '../../discovery/task-context.js';
import {
  DeferralTimeoutError,
  InvalidArgumentError,
  InvalidContextError,
} from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import {
  DURATION_FORM,
  decodeJson,
  encodeJson,
  parseDuration,
  type ContextView,
  type Duration,
} from '../../workflow/index.js';
import { checkKey, encodeContext } from './context-entries.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { Clock } from '../../runtime/clock.js';

/** Default interval of a deferred task's checks, in milliseconds. */
const DEFAULT_DEFERRAL_INTERVAL_MS = 5_000;

/** The tenant's parts that a running task can use. */
export interface TaskSurroundings {
  readonly clock: Pick<Clock, 'now'>;
  readonly tenant: string;
  /** A function, because the runner is created after the engine. */
  readonly runner: () => TaskContext['runner'];
  readonly dataSource: TaskContext['dataSource'];
  readonly manager: TaskContext['manager'];
}

const DEFER_OPTIONS: ReadonlySet<string> = new Set<keyof DeferOptions>(['every', 'timeout']);

const NO_WRITES: ReadonlyMap<string, string | undefined> = new Map();

/** Stops the handler of a deferred task. Catching it does not undo the deferral. */
export class DeferralSignal extends Error {
  override readonly name = 'DeferralSignal';

  constructor() {
    super('Control-flow signal of deferUntil(): do not catch it. The task will run again later.');
  }
}

/**
 * Whether an error is the signal with which `deferUntil` stops the handler. It is not a failure: rethrow it.
 *
 * @example
 * ```ts
 * catch (error) {
 *   if (!isDeferral(error)) this.failures.increment();
 *   throw error;
 * }
 * ```
 */
export function isDeferral(error: unknown): boolean {
  return error instanceof DeferralSignal;
}

/** The context of one run of a task, as its handler sees it. */
export class RunningTask implements TaskContext {
  /** Created by the first write, because many tasks write nothing. */
  private writes: Map<string, string | undefined> | undefined;
  private frozenData: Readonly<JsonObject> | undefined;
  private lazyLogger: Logger | undefined;
  private deferral: { readonly everyMs: number } | undefined;
  private lastDeferral: Promise<unknown> | undefined;
  /** Number of `deferUntil` calls that have not settled. */
  private asking = 0;
  private hasReturned = false;
  private hasWarned = false;

  constructor(
    private readonly claim: TaskClaim,
    private readonly input: ContextView,
    private readonly surroundings: TaskSurroundings,
  ) {}

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
    return this.claim.failures + 1;
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
    this.asking++;
    const asked = this.ask(condition, options).finally(() => this.asking--);
    // An unawaited call must not end the process by an unhandled rejection. `unawaited` handles its result.
    asked.catch(() => undefined);
    this.lastDeferral = asked;
    return asked;
  }

  private async ask(condition: () => unknown, options: DeferOptions): Promise<unknown> {
    checkCallOptions('deferUntil()', options, DEFER_OPTIONS);
    const everyMs = durationOf('every', options.every) ?? DEFAULT_DEFERRAL_INTERVAL_MS;
    const timeoutMs = durationOf('timeout', options.timeout);
    const found = await condition();
    // Not `true` itself: a handler that returns the call would have it as its result, which is not an object.
    if (found) return found === true ? undefined : found;
    const waitedMs =
      this.claim.deferredForMs === null
        ? 0
        : this.claim.deferredForMs + (this.surroundings.clock.now() - this.claim.claimedAt);
    if (timeoutMs !== undefined && waitedMs >= timeoutMs) {
      throw new DeferralTimeoutError(this.taskName, timeoutMs);
    }
    // The last check comes at the end of the timeout, not up to an interval later.
    const leftMs = timeoutMs === undefined ? Infinity : timeoutMs - waitedMs;
    this.deferral = { everyMs: Math.min(everyMs, leftMs) };
    throw new DeferralSignal();
  }

  /**
   * Time until the next check, in milliseconds; set once `deferUntil` has deferred the task, even if the signal was
   * caught.
   */
  get deferredForNextMs(): number | undefined {
    return this.deferral?.everyMs;
  }

  /**
   * The latest `deferUntil` call, if the handler returned before its calls settled; otherwise undefined. Its condition
   * still decides about the run, because the handler has declared that the task depends on it. Logs a warning.
   */
  get unawaited(): Promise<unknown> | undefined {
    if (this.asking === 0) return undefined;
    this.warn(
      'it returned without waiting for deferUntil(); await the call, or the code behind it runs before the condition holds',
    );
    return this.lastDeferral;
  }

  /**
   * Warns that the handler returned although `deferUntil` deferred the task: it caught the signal or did not await it.
   */
  warnDeferralIgnored(): void {
    this.warn(
      'it returned although deferUntil() had deferred it; await the call, and do not catch what it throws',
    );
  }

  /** Call when the handler has returned. Later writes are not stored. */
  returned(): void {
    this.hasReturned = true;
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

function durationOf(name: string, value: Duration | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseDuration(value);
  if (ms === undefined) {
    throw new InvalidArgumentError(name, `must be ${DURATION_FORM}, not ${formatValue(value)}`);
  }
  return ms;
}
