import { Logger } from '@nestjs/common';
import type { DeferOptions, Found, JsonObject, TaskContext } from '../../discovery/task-context.js';
import {
  DeferralTimeoutError,
  InvalidArgumentError,
  InvalidContextError,
} from '../../errors/index.js';
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

/** How often a deferred task looks again when it doesn't say. */
const DEFAULT_DEFERRAL_INTERVAL_MS = 5_000;

/** What a running task has of its tenant. */
export interface TaskSurroundings {
  readonly tenant: string;
  readonly dataSource: TaskContext['dataSource'];
  readonly manager: TaskContext['manager'];
}

const NO_WRITES: ReadonlyMap<string, string | undefined> = new Map();

/** Ends a deferred run. A handler that catches it changes nothing: the run is given up either way. */
export class DeferralSignal extends Error {
  override readonly name = 'DeferralSignal';

  constructor() {
    super('The task waits for its condition and will run again from its top. Let this pass.');
  }
}

/** One run of a task, as its handler sees it. */
export class RunningTask implements TaskContext {
  /** Made with the first write: many tasks have none. */
  private writes: Map<string, string | undefined> | undefined;
  private frozenData: Readonly<JsonObject> | undefined;
  private lazyLogger: Logger | undefined;
  private deferral: { readonly everyMs: number } | undefined;

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

  // Parsed at each call: the caller gets a copy, and what it does to it stores nothing.
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
        `is required by task "${this.taskName}" and is not there`,
      );
    }
    return value;
  }

  set(key: string, value: unknown): void {
    checkKey(key);
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
  async deferUntil(condition: () => unknown, options: DeferOptions = {}): Promise<unknown> {
    const everyMs = durationOf('every', options.every) ?? DEFAULT_DEFERRAL_INTERVAL_MS;
    const timeoutMs = durationOf('timeout', options.timeout);
    const found = await condition();
    // `true` says nothing more, and a handler that returns the call would give it as its result.
    if (found) return found === true ? undefined : found;
    const waitedMs =
      this.claim.deferredForMs === null
        ? 0
        : this.claim.deferredForMs + (performance.now() - this.claim.claimedAt);
    if (timeoutMs !== undefined && waitedMs >= timeoutMs) {
      throw new DeferralTimeoutError(this.taskName, timeoutMs);
    }
    // The last look comes when the timeout is over, not up to an interval later.
    const leftMs = timeoutMs === undefined ? Infinity : timeoutMs - waitedMs;
    this.deferral = { everyMs: Math.min(everyMs, leftMs) };
    throw new DeferralSignal();
  }

  /** Set once `deferUntil` has given this run up, whatever the handler made of it. */
  get deferredForNextMs(): number | undefined {
    return this.deferral?.everyMs;
  }

  /** Takes what the handler returned for writes, and returns all writes of this run. */
  finish(result: unknown): ReadonlyMap<string, string | undefined> {
    if (result !== undefined && result !== null) {
      for (const [key, json] of encodeContext(result)) this.write(key, json);
    }
    return this.writes ?? NO_WRITES;
  }

  private write(key: string, json: string | undefined): void {
    this.writes ??= new Map();
    this.writes.set(key, json);
    this.frozenData = undefined;
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
