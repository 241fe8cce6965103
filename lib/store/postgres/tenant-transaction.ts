import pg from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { runOutside } from './connections/connection-limit.js';
import { withAnswerTimeout, destroySocket } from './connections/destroy-socket.js';
import { withinLimits } from './overdue-transaction.js';
import { transactionStatus, whenSettled } from './connections/transaction-status.js';
import {
  ASSUME_LOGIN,
  beginNextWith,
  loginConnection,
  userPath,
} from './connections/user-connection.js';

export interface TenantTransactionOptions {
  /**
   * How long the transaction may be idle before the server ends it, in milliseconds. A process that hangs or
   * vanishes with its host would otherwise hold its locks until the network gives up.
   */
  readonly idleTimeoutMs: number;
  /**
   * Whose rights `work` has, where the data source is bound to a role: `tenant` for user code; default `login`, which
   * migrations need, for what they create belongs to it.
   */
  readonly as?: 'login' | 'tenant';
  /** Aborted when nothing of the transaction will be committed any more. */
  readonly signal?: AbortSignal;
}

/** How long `work` has for its end when its signal aborts, before its connection is cut, in milliseconds. */
const ABORT_GRACE_MS = 1_000;

/** The manager of the transaction, and the connection under it for what needs no TypeORM. */
export type TenantWork<T> = (manager: EntityManager, client: pg.ClientBase) => Promise<T>;

/**
 * Runs `work` in a READ COMMITTED transaction whose `search_path` begins with the tenant's schema, as on all connections
 * of its data source (see `pathOf`), whatever its user code has set before. All settings are local to the transaction,
 * so they hold under a transaction pooler too and nothing is left on the connection.
 *
 * Commits when `work` resolves; rolls back, and rejects with the same error, when it rejects.
 */
export async function runInTenantTransaction<T>(
  dataSource: DataSource,
  schema: string,
  work: TenantWork<T>,
  options: TenantTransactionOptions,
): Promise<T> {
  const queryRunner = dataSource.createQueryRunner();
  const connection = await connect(queryRunner, options);
  try {
    const client = loginConnection(connection);
    return await withinLimits(client, () => runOn(queryRunner, client, schema, work, options));
  } finally {
    await queryRunner.release();
  }
}

/**
 * Waits for a connection, which others may hold for as long as they like. Once the signal aborts, the caller no longer
 * waits, and the connection goes back when it comes.
 */
async function connect(
  queryRunner: QueryRunner,
  { as, signal }: TenantTransactionOptions,
): Promise<pg.ClientBase> {
  const ask = (): Promise<unknown> => queryRunner.connect();
  // A task may be begun by what another one's handler did, and is no part of that.
  const asked = as === 'tenant' ? runOutside(ask) : ask();
  try {
    return (await unlessAborted(signal, asked)) as pg.ClientBase;
  } catch (error) {
    const release = (): Promise<void> => queryRunner.release();
    asked.then(release, release).catch(() => undefined);
    throw error;
  }
}

/** Rejects as soon as the signal aborts, whatever becomes of the work. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new Error('The wait for a connection was given up.'));
  });
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function runOn<T>(
  queryRunner: QueryRunner,
  client: pg.ClientBase,
  schema: string,
  work: TenantWork<T>,
  options: TenantTransactionOptions,
): Promise<T> {
  const settings = localSettings(userPath(client) ?? pg.escapeIdentifier(schema), options);
  const isCarried = beginNextWith(client, settings);
  await withAnswerTimeout(client, () => queryRunner.startTransaction());
  const result = await workOrRollBack(queryRunner, client, async () => {
    if (!isCarried) await withAnswerTimeout(client, () => queryRunner.query(settings));
    const value = await cutAfter(options.signal, client, () => work(queryRunner.manager, client));
    await assertStillOpen(client);
    return value;
  });
  await withAnswerTimeout(client, () => queryRunner.commitTransaction());
  return result;
}

/** One message, since each statement would be a round trip; hence no parameters, but quoted names and a number. */
function localSettings(
  path: string,
  { idleTimeoutMs, as = 'login' }: TenantTransactionOptions,
): string {
  return (
    (as === 'login' ? `${ASSUME_LOGIN}; ` : '') +
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ' +
    `SET LOCAL search_path TO ${path}; ` +
    `SET LOCAL idle_in_transaction_session_timeout TO ${Math.max(0, Math.trunc(idleTimeoutMs))}`
  );
}

/**
 * A statement that hangs, on a lock or in a network that swallows all, would keep the connection for as long as it
 * likes; so would work that awaits something else and never returns. Its connection is cut, and it isn't waited for.
 */
async function cutAfter<T>(
  signal: AbortSignal | undefined,
  client: pg.ClientBase,
  work: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work();
  let timer: NodeJS.Timeout | undefined;
  let abort: () => void = () => undefined;
  const wasCut = new Promise<never>((_, reject) => {
    abort = (): void => {
      timer = setTimeout(() => {
        destroySocket(client);
        reject(new Error('The connection was cut: its work went on after its signal was aborted.'));
      }, ABORT_GRACE_MS);
      timer.unref();
    };
  });
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work(), wasCut]);
  } finally {
    signal.removeEventListener('abort', abort);
    clearTimeout(timer);
  }
}

async function workOrRollBack<T>(
  queryRunner: QueryRunner,
  client: pg.ClientBase,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What failed first is what matters; and a connection that can't roll back is closed at its release.
    await withAnswerTimeout(client, () => queryRunner.rollbackTransaction()).catch(() => undefined);
    throw error;
  }
}

/**
 * Refuses what would pass for a success without being one. Asked again before anything of the library's own goes into
 * the transaction: in one that is over already, that would stand by itself.
 */
export async function assertStillOpen(client: pg.ClientBase): Promise<void> {
  await new Promise<void>((resolve) => whenSettled(client, resolve));
  const status = transactionStatus(client);
  if (status === 'E') {
    // PostgreSQL answers COMMIT of a failed transaction with a rollback, and no error.
    throw new Error(
      'A statement failed in this transaction and its error was caught, so nothing of the transaction can be ' +
        'committed. Let the error through, or run the statement within manager.transaction(), which sets a savepoint.',
    );
  }
  if (status === 'I') {
    throw new Error(
      'This transaction was ended by a COMMIT or ROLLBACK from within. What came after it was not part of any ' +
        'transaction. Leave its end to the library.',
    );
  }
}
