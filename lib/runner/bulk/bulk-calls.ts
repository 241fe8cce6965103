import type { SignalDefinition } from '../../discovery/message-definitions.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import { InvalidArgumentError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import type { BulkPosition } from '../../store/port/index.js';
import { checkActor, checkReason } from '../call-checks.js';
import { newExecutionId } from '../execution-id.js';
import { checkSignal, encodePayload } from '../message-request.js';
import { checkSteps } from '../retry-options.js';
import { checkKey, makeStartRequest } from '../start-request.js';
import type { BulkActions } from './bulk-actions.js';
import { checkBulkFilter, type BulkScope } from './bulk-filter.js';
import type {
  BulkFilter,
  BulkOptions,
  BulkResult,
  ReasonedBulkOptions,
  ResumeManyOptions,
  RetryManyOptions,
  SignalManyOptions,
} from './bulk-options.js';
import { storeOperation, type BulkAct, type BulkOperation } from './bulk-operation.js';
import { BULK_WORKFLOW } from './bulk-workflow.js';

/** Maximum number of executions that a call changes itself, and of those in a page of the workflow. */
const MAX_AT_ONCE = 1_000;
/** Part of a task's steps that an operation may use. More executions make larger pages. */
const STEPS_SHARE = 0.5;

const COMMON = ['dryRun', 'background', 'cap'] as const;
const MAX_CAP = 100_000;
/** How many executions a capped count looks at, as a multiple of the cap. */
const LOOKED_AT = 5;
const OPTIONS = {
  plain: new Set<string>(COMMON),
  resume: new Set<string>([...COMMON, 'actor']),
  reasoned: new Set<string>([...COMMON, 'reason', 'actor']),
  retry: new Set<string>([...COMMON, 'steps', 'actor']),
  signal: new Set<string>([...COMMON, 'idempotencyKey']),
};

type Scope = Omit<BulkScope, 'call'>;
const UNFINISHED = ['Pending', 'Running', 'Paused'] as const;
const ENDED = ['Completed', 'Failed', 'Cancelled'] as const;

const SCOPES: Readonly<Record<BulkAct['kind'], Scope>> = {
  cancel: { allowed: UNFINISHED, usual: UNFINISHED, isTop: false },
  pause: { allowed: ['Pending', 'Running'], usual: ['Pending', 'Running'], isTop: false },
  resume: { allowed: ['Paused'], usual: ['Paused'], isTop: false },
  // A person has decided a cancellation, so it is undone only if the filter says so.
  retry: { allowed: ENDED, usual: ['Failed'], isTop: false },
  signal: {
    allowed: [...UNFINISHED, 'Finishing'],
    usual: [...UNFINISHED, 'Finishing'],
    isTop: false,
  },
  delete: { allowed: ENDED, usual: ENDED, isTop: true },
};

export interface BulkCallsParts {
  readonly engine: Pick<
    TenantEngine,
    'catalog' | 'clock' | 'open' | 'settings' | 'starts' | 'store'
  >;
  readonly actions: BulkActions;
  readonly whileUnavailable: AvailabilityRetry;
}

/** The id of the operation in the background, or what the call has done itself. */
export type BulkOutcome = { readonly id: string } | BulkResult;

/** A page of an operation. */
export interface BulkPage extends BulkResult {
  /** Where the next page begins. Null: this was the last one. */
  readonly next: BulkPosition | null;
}

/** Checks the arguments of bulk calls, does them, or starts the workflow that does. */
export class BulkCalls {
  constructor(private readonly parts: BulkCallsParts) {}

  cancel(filter: BulkFilter, options: ReasonedBulkOptions = {}): Promise<BulkOutcome> {
    checkCallOptions('cancelMany()', options, OPTIONS.reasoned);
    const by = { reason: checkReason(options.reason), actor: checkActor(options.actor) };
    return this.run(filter, options, { kind: 'cancel', ...by });
  }

  pause(filter: BulkFilter, options: ReasonedBulkOptions = {}): Promise<BulkOutcome> {
    checkCallOptions('pauseMany()', options, OPTIONS.reasoned);
    const by = { reason: checkReason(options.reason), actor: checkActor(options.actor) };
    return this.run(filter, options, { kind: 'pause', ...by });
  }

  resume(filter: BulkFilter, options: ResumeManyOptions = {}): Promise<BulkOutcome> {
    checkCallOptions('resumeMany()', options, OPTIONS.resume);
    return this.run(filter, options, { kind: 'resume', actor: checkActor(options.actor) });
  }

  retry(filter: BulkFilter, options: RetryManyOptions = {}): Promise<BulkOutcome> {
    checkCallOptions('retryMany()', options, OPTIONS.retry);
    const steps = checkSteps(options.steps);
    return this.run(filter, options, { kind: 'retry', steps, actor: checkActor(options.actor) });
  }

  delete(filter: BulkFilter, options: BulkOptions = {}): Promise<BulkOutcome> {
    checkCallOptions('deleteMany()', options, OPTIONS.plain);
    return this.run(filter, options, { kind: 'delete' });
  }

  async signal(
    filter: BulkFilter,
    definition: SignalDefinition,
    payload: unknown,
    options: SignalManyOptions = {},
  ): Promise<BulkOutcome> {
    checkCallOptions('signalMany()', options, OPTIONS.signal);
    const { name } = checkSignal(definition);
    const idempotencyKey = checkKey(options.idempotencyKey);
    const { maxContextSize } = this.parts.engine.settings;
    const json = await encodePayload(definition, payload, maxContextSize);
    return this.run(filter, options, { kind: 'signal', name, payload: json, idempotencyKey });
  }

  /** The number of executions that an operation is about. */
  count({ filter, from }: BulkOperation): Promise<number> {
    const { engine, whileUnavailable } = this.parts;
    return whileUnavailable.run(() => engine.store.bulk.count(filter, from));
  }

  /**
   * Does a page of an operation.
   *
   * @param total - the number of executions of all pages
   * @param key - names the operation in the signals that it sends
   */
  async page(
    operation: BulkOperation,
    {
      from,
      total,
      key,
      signal,
    }: {
      readonly from: BulkPosition;
      readonly total: number;
      readonly key: string;
      readonly signal: AbortSignal;
    },
  ): Promise<BulkPage> {
    const pages = this.parts.engine.settings.maxSteps * STEPS_SHARE;
    const size = Math.max(MAX_AT_ONCE, Math.ceil(total / pages));
    const found = await this.find(operation, from, size);
    const changed = await this.parts.actions.apply(operation.act, idsOf(found), key, signal);
    const next = found.length < size ? null : (found.at(-1) ?? null);
    return { matched: found.length, changed, next };
  }

  private async run(given: BulkFilter, options: BulkOptions, act: BulkAct): Promise<BulkOutcome> {
    const call = `${act.kind}Many()`;
    const filter = checkBulkFilter(given, { call, ...SCOPES[act.kind] });
    const { dryRun, background, cap } = checkBulkOptions(options);
    const { engine, whileUnavailable } = this.parts;
    const from = await whileUnavailable.run(() => engine.store.bulk.now());
    const operation = { act, filter, from };
    if (dryRun && cap !== undefined) {
      const bounds = { cap, maxRead: cap * LOOKED_AT };
      const { count, isCapped } = await whileUnavailable.run(() =>
        engine.store.bulk.countWithin(filter, from, bounds),
      );
      return { matched: count, changed: 0, isCapped };
    }
    if (dryRun) return { matched: await this.count(operation), changed: 0 };
    if (background === true) return this.start(operation);
    const found = await this.find(operation, from, MAX_AT_ONCE + 1);
    if (found.length <= MAX_AT_ONCE) {
      const key = newExecutionId(engine.clock);
      return {
        matched: found.length,
        changed: await this.parts.actions.apply(act, idsOf(found), key),
      };
    }
    if (background === undefined) return this.start(operation);
    throw new InvalidArgumentError(
      'background',
      `must not be false for more than ${MAX_AT_ONCE} executions; leave it out, or narrow the filter`,
    );
  }

  private find(
    { filter }: BulkOperation,
    from: BulkPosition,
    limit: number,
  ): Promise<BulkPosition[]> {
    const { engine, whileUnavailable } = this.parts;
    return whileUnavailable.run(() => engine.store.bulk.find(filter, from, limit));
  }

  /** Starts the workflow that does the operation. */
  private async start(operation: BulkOperation): Promise<{ readonly id: string }> {
    const { engine, whileUnavailable } = this.parts;
    const { clock, settings, catalog } = engine;
    await whileUnavailable.run(() => engine.open());
    const definition = await whileUnavailable.run(() => catalog.builtIn(BULK_WORKFLOW));
    const { maxContextSize } = settings;
    const context = { operation: storeOperation(operation) };
    const request = makeStartRequest(
      definition,
      context,
      {},
      { maxContextSize, clock, isAwaited: false },
    );
    return engine.starts.start(request);
  }
}

function idsOf(found: readonly BulkPosition[]): string[] {
  return found.map(({ id }) => id);
}

/** @throws InvalidArgumentError unless both flags are booleans, and not both true, and for a cap without a dry run */
export function checkBulkOptions({ dryRun, background, cap }: BulkOptions): {
  readonly dryRun: boolean;
  readonly background: boolean | undefined;
  readonly cap: number | undefined;
} {
  for (const [name, value] of Object.entries({ dryRun, background })) {
    if (value === undefined || typeof value === 'boolean') continue;
    throw new InvalidArgumentError(name, `must be true or false, not ${formatValue(value)}`);
  }
  if (dryRun === true && background === true) {
    throw new InvalidArgumentError(
      'dryRun',
      'and background cannot both be true; a dry run only counts',
    );
  }
  if (cap !== undefined) checkCap(cap, dryRun === true);
  return { dryRun: dryRun === true, background, cap };
}

function checkCap(cap: number, isDryRun: boolean): void {
  if (!Number.isInteger(cap) || cap < 1 || cap > MAX_CAP) {
    throw new InvalidArgumentError(
      'cap',
      `must be a whole number from 1 to ${MAX_CAP}, not ${formatValue(cap)}`,
    );
  }
  if (!isDryRun) throw new InvalidArgumentError('cap', 'needs dryRun: true; nothing else counts');
}
