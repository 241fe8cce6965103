import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { EntityManager } from 'typeorm';
import { admissionOf } from '../engine/admission/admission-request.js';
import { limitKeysOf } from '../engine/limits/limit-keys.js';
import { encodeContext } from '../engine/execution/context-entries.js';
import type { PreparedOptions } from '../engine/children/child-runner.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import type { BatchOptions } from './batch-request.js';
import type { DebounceOptions } from './debounce-request.js';
import type { StartRequest } from '../engine/starts/start-request.js';
import {
  ContextTooLargeError,
  InvalidArgumentError,
  InvalidContextError,
} from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import {
  DURATION_FORM,
  encodeTags,
  formatPath,
  parseDuration,
  tagsProblem,
  textProblem,
  type Duration,
  type Tags,
  INSTANT_FORM,
  MAX_PRIORITY,
  isInstant,
} from '../workflow/index.js';
import { newExecutionId } from './execution-id.js';
import { checkStartBefore } from './start-before.js';
import type { Clock } from '../runtime/clock.js';

/** Options of `start()`. */
export interface StartOptions {
  /**
   * A key that is unique for the tenant and workflow, 1 to 500 characters. A later start with the same key returns the
   * execution that has it, in any status, even if the later input differs. Default: none.
   */
  idempotencyKey?: string;
  /** The earliest time at which tasks run. Default: now. */
  runAt?: Date;
  /** The earliest time at which tasks run, as a duration from now. Cannot be combined with `runAt`. */
  delay?: Duration;
  /**
   * Until when the execution must begin: a Date of the years 1 to 9999, or a duration of more than 0 from now, in
   * milliseconds or as text such as `'15m'`. If none of its tasks has begun by then, it is Cancelled with the reason
   * `expired`, also while it is Paused, and no task of it begins. An InvalidArgumentError refuses a time that is not later
   * than `runAt` or `delay`. Cannot be combined with `debounce`. Default: no limit.
   *
   * @example
   * ```ts
   * await runner.start(SendReminder, { orderId: 17 }, { startBefore: '15m' });
   * ```
   */
  startBefore?: Date | Duration;
  /**
   * Business keys, by which `list` and `counts` find the execution: at most 16, with keys of 1 to 64 characters and
   * values of at most 256. They are stored in plain text, so put no secrets into them. Default: none.
   *
   * @example
   * ```ts
   * await runner.start(OrderFulfilment, { orderId: 17 }, { tags: { customer: '4711' } });
   * ```
   */
  tags?: Tags;
  /**
   * A whole number from -100 to 100 that is added to the priorities of the tasks. Tasks with a higher sum run first; it is
   * rounded to one of 21 levels, see `TaskOptions.priority`. Default: 0.
   */
  priority?: number;
  /**
   * The manager of an open transaction of the caller, in which the execution is stored. If the transaction rolls back,
   * the execution does not exist. A workflow whose admission has another `whenFull` than `queue` is refused. Default: none.
   */
  manager?: EntityManager;
  /**
   * Joins starts with the same key to one execution: while it has not begun, a later start replaces its input and tags, moves
   * its time, and returns it with `created: false`. Once it has begun, the next start makes another one, so the last input is
   * never lost. An InvalidArgumentError refuses it together with `idempotencyKey`, `runAt`, `delay`, `startBefore` or
   * `manager`, and for a workflow whose admission has `whenFull: 'skip'`. Default: none.
   *
   * @example
   * ```ts
   * await runner.start(Reindex, { site }, { debounce: { key: site, wait: '10s', max: '2m' } });
   * ```
   */
  debounce?: DebounceOptions;
  /**
   * Collects the inputs of starts with the same key in one execution, which begins when it has `size` of them, or `wait` after
   * the first one. Its tasks read the inputs by `context.batch()`. Each input is in exactly one execution: a start that comes
   * after the begin makes another one. Cannot be combined with `idempotencyKey`, `runAt`, `delay`, `startBefore`, `manager` and
   * `debounce`. Default: none.
   *
   * @example
   * ```ts
   * await runner.start(IndexPages, { page }, { batch: { key: site, size: 100, wait: '5s' } });
   * ```
   */
  batch?: BatchOptions;
}

export const START_OPTIONS: ReadonlySet<string> = new Set<keyof StartOptions>([
  'idempotencyKey',
  'runAt',
  'delay',
  'startBefore',
  'tags',
  'priority',
  'manager',
  'debounce',
  'batch',
]);
const MAX_KEY_LENGTH = 500;

/** Checks and encodes the arguments of a start, before anything is stored. */
export function makeStartRequest(
  definition: RunnableDefinition,
  context: object,
  options: PreparedOptions,
  {
    maxContextSize,
    clock,
    isAwaited,
  }: { readonly maxContextSize: number; readonly clock: Clock; readonly isAwaited: boolean },
): StartRequest {
  const members = encodeContext(context, 'The input');
  const input = `{${[...members].map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
  const bytes = Buffer.byteLength(input);
  if (bytes > maxContextSize) {
    const sizes = [...members].map(([key, json]): readonly [string, number] => [
      key,
      Buffer.byteLength(json),
    ]);
    throw new ContextTooLargeError(
      bytes,
      maxContextSize,
      sizes.sort((a, b) => b[1] - a[1]),
    );
  }
  const runAt = checkRunAt(options);
  const delayMs = checkDelay(options.delay);
  const admission = admissionOf(definition, input);
  if (admission?.skips === true && (runAt !== null || delayMs !== null)) {
    const argument = runAt === null ? 'delay' : 'runAt';
    throw new InvalidArgumentError(
      argument,
      `cannot be used for workflow "${definition.workflow.name}", whose admission has whenFull: 'skip': a start is skipped at once or not at all`,
    );
  }
  return {
    id: newExecutionId(clock),
    definition,
    input,
    members,
    priority: checkPriority(options.priority),
    runAt,
    delayMs,
    startBefore: checkStartBefore(options, clock),
    idempotencyKey: checkKey(options.idempotencyKey),
    tags: checkTags(options.tags),
    limitKeys: limitKeysOf(definition, input),
    admission,
    traceContext: null,
    isAwaited,
  };
}

/**
 * @throws InvalidArgumentError if the workflow's admission may not only let the execution wait. In a transaction, such a start
 * would have to lock the slots of its key until the commit
 */
export function checkStartIn({ definition: { workflow } }: StartRequest): void {
  const { whenFull = 'queue' } = workflow.admission ?? {};
  if (whenFull === 'queue') return;
  throw new InvalidArgumentError(
    'manager',
    `cannot be used for workflow "${workflow.name}", whose admission has whenFull: '${whenFull}'. Start it after the commit, or use whenFull: 'queue'`,
  );
}

/** Returns the context as the input schema outputs it: a schema may transform values and fill in defaults. */
export async function validateInput(schema: StandardSchemaV1, context: object): Promise<object> {
  const result = await schema['~standard'].validate(context);
  if (result.issues !== undefined) {
    const [issue] = result.issues;
    const parts = (issue?.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
    const path = formatPath(parts.map((part) => (typeof part === 'symbol' ? String(part) : part)));
    const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : '';
    throw new InvalidContextError(
      String(parts[0] ?? ''),
      path,
      `does not match the workflow's input schema: ${issue?.message ?? 'it is invalid'}${more}`,
    );
  }
  if (typeof result.value !== 'object' || result.value === null) {
    throw new InvalidContextError(
      '',
      '',
      "is no longer an object after the workflow's input schema",
    );
  }
  return result.value;
}

function checkPriority(priority = 0): number {
  if (Number.isInteger(priority) && Math.abs(priority) <= MAX_PRIORITY) return priority;
  throw new InvalidArgumentError(
    'priority',
    `must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}, not ${String(priority)}`,
  );
}

function checkRunAt({ runAt, delay }: PreparedOptions): Date | null {
  if (runAt === undefined) return null;
  if (delay !== undefined) {
    throw new InvalidArgumentError('runAt', 'and delay cannot be combined; specify one of them');
  }
  // A copy: the caller may change its Date before the request is sent.
  return new Date(checkDate('runAt', runAt).getTime());
}

function checkDelay(delay: Duration | undefined): number | null {
  if (delay === undefined) return null;
  const ms = parseDuration(delay);
  if (ms !== undefined) return Math.ceil(ms);
  throw new InvalidArgumentError('delay', `must be ${DURATION_FORM}, not ${formatValue(delay)}`);
}

/** @throws InvalidArgumentError for an invalid Date, or a year that PostgreSQL reads differently */
export function checkDate(name: string, date: Date): Date {
  if (isInstant(date)) return date;
  throw new InvalidArgumentError(name, `must be ${INSTANT_FORM}, not ${formatValue(date)}`);
}

/** @throws InvalidArgumentError for a manager without an open transaction: its start would be committed at once */
export function checkManager(manager: EntityManager | undefined): EntityManager | undefined {
  if (manager === undefined) return undefined;
  const runner = typeof manager === 'object' && manager !== null ? manager.queryRunner : undefined;
  if (runner?.isTransactionActive === true && !runner.isReleased) return manager;
  throw new InvalidArgumentError(
    'manager',
    'must be the EntityManager of an open transaction, such as dataSource.transaction() gives',
  );
}

/**
 * @returns the tags in their stored form, null for none
 * @throws InvalidArgumentError for too many tags, and for keys or values that are too long or not strings
 */
export function checkTags(tags: Tags | undefined): string | null {
  const problem = tags === undefined ? undefined : tagsProblem(tags);
  if (problem !== undefined) throw new InvalidArgumentError('tags', problem);
  return encodeTags(tags);
}

/** @throws InvalidArgumentError for a key that is empty or too long, or that PostgreSQL cannot store */
export function checkKey(key: string | undefined, name = 'idempotencyKey'): string | null {
  if (key === undefined) return null;
  if (typeof key !== 'string' || key.length === 0 || key.length > MAX_KEY_LENGTH) {
    throw new InvalidArgumentError(name, `must be a string of 1 to ${MAX_KEY_LENGTH} characters`);
  }
  const problem = textProblem(key);
  if (problem !== undefined) throw new InvalidArgumentError(name, problem);
  return key;
}
