import { DatabaseUnavailableError, TenantMovingError, toStoredError } from '../../errors/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { StartRequest } from './start-request.js';

/** A start that gave up waiting. */
export interface HeldKey {
  readonly tenant: string;
  readonly request: StartRequest;
  readonly waitedMs: number;
  /** Whether a transaction of this process, in which start() was called with a manager, holds the key. */
  readonly isHeldHere: boolean;
}

/** The error of a start whose idempotency key was held by another transaction all the time. */
export function keyIsHeld(held: HeldKey, cause: unknown): DatabaseUnavailableError {
  const { tenant, request, isHeldHere } = held;
  const waitedMs = Math.round(held.waitedMs);
  const { name } = request.definition.workflow;
  const which = isHeldHere
    ? 'The transaction is one of this process, in which start() was called with { manager }. If this call is made ' +
      'within it, give it the same manager; otherwise end that transaction sooner.'
    : 'Check pg_stat_activity for open transactions. If one of your own transactions started the key with ' +
      '{ manager }, give this call the same manager, or make it after the commit.';
  return new DatabaseUnavailableError(
    {
      tenant,
      waitedMs,
      reached: true,
      explanation:
        `Workflow ${JSON.stringify(name)} of tenant ${JSON.stringify(tenant)} was not started: for ${waitedMs} ms an ` +
        `open transaction held its idempotency key ${JSON.stringify(request.idempotencyKey)}. ${which} startTimeout ` +
        'sets how long start() waits.',
    },
    { cause },
  );
}

/**
 * The error of a start that was certainly not stored.
 *
 * @param reached - whether the database was reached, and a lock was held by others
 */
function notStarted(start: HeldKey, reached: boolean, cause: unknown): DatabaseUnavailableError {
  const { tenant, request, waitedMs } = start;
  if (reached && request.idempotencyKey !== null) return keyIsHeld(start, cause);
  const facts = { tenant, waitedMs: Math.round(waitedMs), reached };
  return new DatabaseUnavailableError(facts, { cause });
}

/** The error of a start that may have been stored: the connection was lost after the send, and the database is away. */
function mayBeStarted(
  { tenant, request, waitedMs }: Omit<HeldKey, 'isHeldHere'>,
  cause: unknown,
): DatabaseUnavailableError {
  const rounded = Math.round(waitedMs);
  const again =
    request.idempotencyKey === null
      ? `look for it with get('${request.id}') before you start it again`
      : 'start it again with the same idempotency key';
  return new DatabaseUnavailableError(
    {
      tenant,
      waitedMs: rounded,
      mayBeWritten: true,
      explanation:
        `Workflow ${JSON.stringify(request.definition.workflow.name)} of tenant ${JSON.stringify(tenant)} may or may not ` +
        `have been started: the connection was lost after the start was sent, and the database has not answered for ` +
        `${rounded} ms: ${toStoredError(cause).message} When the database is back, ${again}.`,
    },
    { cause },
  );
}

/** Maximum wait of a start that may have been stored, as a multiple of `startTimeout`. */
const UNKNOWN_FACTOR = 6;

export interface WaitingStart {
  readonly tenant: string;
  readonly request: StartRequest;
  readonly startTimeoutMs: number;
  readonly store: FailureClassifier;
  /** Whether a transaction of this process, in which start() was called with a manager, holds the key of the start. */
  readonly isHeldHere: boolean;
}

/**
 * The error of a start that has waited too long, or undefined if it is to be sent again. A start that may have been stored is
 * retried for much longer, so that the error seldom has to leave that open.
 */
export function startTimedOut(
  { tenant, request, startTimeoutMs, store, isHeldHere }: WaitingStart,
  { sent, waitedMs }: { readonly sent: boolean; readonly waitedMs: number },
  cause: unknown,
): DatabaseUnavailableError | TenantMovingError | undefined {
  if (waitedMs < startTimeoutMs * (sent ? UNKNOWN_FACTOR : 1)) return undefined;
  if (sent) return mayBeStarted({ tenant, request, waitedMs }, cause);
  const { kind, move } = store.classifyFailure(cause);
  if (move !== undefined) return new TenantMovingError({ ...move, tenant, waitedMs }, { cause });
  const reached = kind === 'conflict';
  return notStarted({ tenant, request, waitedMs, isHeldHere }, reached, cause);
}

/** The error of a start beyond the number or the size of the starts that may wait for the database. */
export function queueIsFull(
  tenant: string,
  queued: { readonly starts: number; readonly bytes: number },
): DatabaseUnavailableError {
  const mebibytes = Math.round(queued.bytes / 1024 ** 2);
  return new DatabaseUnavailableError({
    tenant,
    waitedMs: 0,
    explanation:
      `Tenant ${JSON.stringify(tenant)}: this process has reached the limit of starts that wait for the database, with ` +
      `${queued.starts} start${queued.starts === 1 ? '' : 's'} and ${mebibytes} MiB of context. Await some of them before you start more.`,
  });
}
