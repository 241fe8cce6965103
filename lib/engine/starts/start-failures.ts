import { DatabaseUnavailableError, toStoredError } from '../../errors/index.js';
import type { StartRequest } from './starter.js';

/** What a start waited for in vain. */
export interface HeldKey {
  readonly tenant: string;
  readonly request: StartRequest;
  readonly waitedMs: number;
  /** Whether the transaction that holds it is one of this process, in which start() was called with a manager. */
  readonly isHeldHere: boolean;
}

/** Another transaction held the key all the while. */
export function keyIsHeld(held: HeldKey, cause: unknown): DatabaseUnavailableError {
  const { tenant, request, isHeldHere } = held;
  const waitedMs = Math.round(held.waitedMs);
  const { name } = request.definition.workflow;
  const which = isHeldHere
    ? 'The transaction is one of this process, in which start() was called with { manager }. If this call is made ' +
      'within it, give it the same manager; otherwise end that transaction sooner.'
    : 'See in pg_stat_activity which transactions are open. If the key was started in one of your own, with ' +
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

/** Its connection was lost after it was sent, and nothing answered since. */
export function mayBeStarted(
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
        `Whether workflow ${JSON.stringify(request.definition.workflow.name)} of tenant ${JSON.stringify(tenant)} was ` +
        `started is not known: the connection was lost after it was sent, and for ${rounded} ms the database could not ` +
        `say: ${toStoredError(cause).message} When the database is back, ${again}.`,
    },
    { cause },
  );
}

/** Too many starts, or too much of them, wait for the database already. */
export function queueIsFull(
  tenant: string,
  queued: { readonly starts: number; readonly bytes: number },
): DatabaseUnavailableError {
  const mebibytes = Math.round(queued.bytes / 1024 ** 2);
  return new DatabaseUnavailableError({
    tenant,
    waitedMs: 0,
    explanation:
      `Tenant ${JSON.stringify(tenant)}: ${queued.starts} starts with ${mebibytes} MiB of context in all wait for the ` +
      'database in this process, and no more may. Await some of them before you start more.',
  });
}
