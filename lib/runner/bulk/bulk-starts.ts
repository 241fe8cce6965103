import type { EntityManager } from 'typeorm';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import type { PreparedOptions } from '../../engine/children/child-runner.js';
import type { Admission } from '../../engine/queues/pending-bound.js';
import type { StartRequest } from '../../engine/starts/start-request.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import {
  InvalidArgumentError,
  QueueFullError,
  StartManyError,
  toStoredError,
  withoutDriver,
} from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import type { ExecutionStarter, StartReply } from '../execution-starter.js';
import { checkManager, checkStartIn, START_OPTIONS } from '../start-request.js';
import type { StartManyOptions, StartManyProgress, StartManyResult } from './start-many-options.js';

/** Limits of the executions in a statement: their number, and the characters of their inputs. */
const MAX_STARTS = 2_000;
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Number of statements under way. The next inputs are read at the same time. */
const MAX_STATEMENTS = 2;

/** Options by which starts join others. */
const JOINS: ReadonlySet<string> = new Set(['debounce', 'batch']);
const MANY_OPTIONS: ReadonlySet<string> = new Set([
  ...[...START_OPTIONS].filter((name) => name !== 'idempotencyKey' && !JOINS.has(name)),
  'key',
  'onProgress',
  'signal',
]);
const ITEM_OPTIONS: ReadonlySet<string> = new Set(
  [...START_OPTIONS].filter((name) => name !== 'manager' && !JOINS.has(name)),
);

/** A transaction that is rolled back stores none. */
const NONE: StartManyProgress = { created: 0, existing: 0 };

export interface BulkStartsParts {
  readonly tenant: string;
  readonly engine: Pick<TenantEngine, 'starts' | 'telemetry'>;
  readonly starter: Pick<ExecutionStarter, 'boundOf' | 'definitionOf' | 'prepare'>;
}

/** Stores the executions of a part. By index; rejected are those that could not be stored. */
type Send = (
  requests: readonly StartRequest[],
) => Promise<readonly PromiseSettledResult<StartReply>[]>;

/** Starts many executions of a workflow, as fast as the database takes them, and reads the inputs no faster. */
export class BulkStarts {
  constructor(private readonly parts: BulkStartsParts) {}

  async startMany(
    workflow: WorkflowRef,
    inputs: unknown,
    options: StartManyOptions = {},
  ): Promise<StartManyResult> {
    checkOptions(options);
    if (!isIterable(inputs)) {
      throw new InvalidArgumentError(
        'inputs',
        `must be an array, or another iterable or async iterable, not ${formatValue(inputs)}`,
      );
    }
    const manager = checkManager(options.manager);
    // Before the first input: an unknown workflow is not the fault of an input.
    const definition = await this.parts.starter.definitionOf(workflow);
    const { telemetry } = this.parts.engine;
    const { name } = definition.workflow;
    // One span for all: thousands of executions would have thousands.
    const span = telemetry?.start({ tenant: this.parts.tenant, workflow: name });
    const start = (send: Send): Promise<StartManyResult> =>
      this.start(workflow, inputs, options, send, span?.context ?? null);
    try {
      // A savepoint: all or none are stored, even if the caller's transaction continues after a failure.
      const result =
        manager === undefined
          ? await start(this.sendAlone)
          : await manager.transaction((inner) => start((requests) => this.sendIn(inner, requests)));
      span?.ended();
      return result;
    } catch (error) {
      span?.failed(toStoredError(error));
      throw error;
    }
  }

  private async start(
    workflow: WorkflowRef,
    inputs: AsyncIterable<unknown> | Iterable<unknown>,
    options: StartManyOptions,
    send: Send,
    traceContext: string | null,
  ): Promise<StartManyResult> {
    const parts = new Parts(send, options);
    let index = 0;
    try {
      for await (const each of inputs) {
        options.signal?.throwIfAborted();
        const [input, own] = itemOf(each);
        const prepared = { ...options, ...own, idempotencyKey: keyOf(input, own, options.key) };
        const checked = await this.parts.starter.prepare(workflow, input, prepared);
        const request = traceContext === null ? checked : { ...checked, traceContext };
        if (options.manager !== undefined) checkStartIn(request);
        await parts.add(request, index++, await this.admit(request, parts));
      }
      return await parts.finish();
    } catch (error) {
      const stored = await parts.abandon();
      const failure = parts.failure ?? { index, error };
      const { created, existing } = options.manager === undefined ? stored : NONE;
      const cause = withoutDriver(failure.error, this.parts.tenant);
      throw new StartManyError({ index: failure.index, created, existing }, cause);
    }
  }

  /** Beyond the bound, the items before it are stored, and the call ends. */
  private async admit(request: StartRequest, parts: Parts): Promise<Admission | undefined> {
    try {
      return await this.parts.starter.boundOf(request);
    } catch (error) {
      if (error instanceof QueueFullError) await parts.finish();
      throw error;
    }
  }

  private readonly sendAlone: Send = (requests) =>
    Promise.allSettled(
      // An async function, because a full queue throws at once.
      requests.map(async (request) => this.parts.engine.starts.startInBulk(request)),
    );

  private async sendIn(
    manager: EntityManager,
    requests: readonly StartRequest[],
  ): ReturnType<Send> {
    const replies = await this.parts.engine.starts.startManyIn(manager, requests);
    return replies.map((value) => ({ status: 'fulfilled', value }));
  }
}

/** The parts of one call: one that is being filled, and up to two under way. */
class Parts {
  /** The first start that failed. */
  failure: { readonly index: number; readonly error: unknown } | undefined;
  private readonly ids: string[] = [];
  private readonly progress: StartManyProgress = { created: 0, existing: 0 };
  private readonly underWay = new Set<Promise<void>>();
  private part: StartRequest[] = [];
  private admissions: Admission[] = [];
  private first = 0;
  private characters = 0;

  constructor(
    private readonly send: Send,
    private readonly options: StartManyOptions,
  ) {}

  /** Adds a start. Waits while two statements are under way and a third part is full. */
  async add(request: StartRequest, index: number, admission?: Admission): Promise<void> {
    if (admission !== undefined) this.admissions.push(admission);
    if (this.failure !== undefined) throw this.failure.error;
    if (this.part.length === 0) this.first = index;
    this.part.push(request);
    this.characters += request.input.length;
    if (this.part.length >= MAX_STARTS || this.characters >= MAX_CHARACTERS) await this.flush();
  }

  async finish(): Promise<StartManyResult> {
    if (this.part.length > 0) await this.flush();
    while (this.underWay.size > 0) await this.roomFor(0);
    return { ...this.progress, ids: this.ids };
  }

  /** Waits for the statements under way. Never rejects. */
  async abandon(): Promise<StartManyProgress> {
    await Promise.allSettled(this.underWay);
    for (const admission of this.admissions) admission();
    return this.progress;
  }

  private async flush(): Promise<void> {
    // In a transaction, statements come one after the other anyway.
    await this.roomFor(this.options.manager === undefined ? MAX_STATEMENTS - 1 : 0);
    const { part, first, admissions } = this;
    this.part = [];
    this.admissions = [];
    this.characters = 0;
    const sent = this.store(part, first);
    this.underWay.add(sent);
    const settled = (): void => {
      this.underWay.delete(sent);
      for (const admission of admissions) admission();
    };
    sent.then(settled, settled);
  }

  private async roomFor(others: number): Promise<void> {
    while (this.underWay.size > others) await Promise.race(this.underWay);
  }

  private async store(part: readonly StartRequest[], first: number): Promise<void> {
    const results = await this.send(part);
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') {
        this.failure ??= { index: first + i, error: result.reason };
        continue;
      }
      const { id, created } = result.value;
      this.ids[first + i] = id;
      if (created) this.progress.created++;
      else this.progress.existing++;
    }
    if (this.failure !== undefined) throw this.failure.error;
    this.options.onProgress?.({ ...this.progress });
  }
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

function checkOptions(options: StartManyOptions): void {
  checkCallOptions('startMany()', options, MANY_OPTIONS);
  const { key, onProgress, signal } = options;
  for (const [name, value] of Object.entries({ key, onProgress })) {
    if (value === undefined || typeof value === 'function') continue;
    throw new InvalidArgumentError(name, `must be a function, not ${formatValue(value)}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError('signal', `must be an AbortSignal, not ${formatValue(signal)}`);
  }
}

/** An item is an input, or `[input, options]`. */
function itemOf(item: unknown): readonly [input: object, options: PreparedOptions] {
  const [input, options = {}] = Array.isArray(item) ? (item as unknown[]) : [item];
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new InvalidArgumentError(
      'inputs',
      `must contain objects, or [input, options], not ${formatValue(item)}`,
    );
  }
  checkCallOptions('an item of startMany()', options as object, ITEM_OPTIONS);
  return [input, options as PreparedOptions];
}

function keyOf(
  input: object,
  { idempotencyKey }: PreparedOptions,
  key: ((input: never) => unknown) | undefined,
): string | undefined {
  if (idempotencyKey !== undefined || key === undefined) return idempotencyKey;
  const made: unknown = key(input as never);
  if (typeof made === 'string' && made !== '') return made;
  throw new InvalidArgumentError(
    'key',
    `must return a string that is not empty, not ${formatValue(made)}`,
  );
}
