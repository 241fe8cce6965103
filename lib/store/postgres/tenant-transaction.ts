import pg from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { untraced } from '../../runtime/untraced.js';
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

/** Options of {@link runInTenantTransaction}. */
export interface TenantTransactionOptions {
  /**
   * Maximum idle time before the server ends the transaction, in milliseconds. Otherwise a hung process or a vanished host
   * would keep its locks until the network connection times out.
   */
  readonly idleTimeoutMs: number;
  /**
   * Whose rights `work` has if the data source has a role: `tenant` for user code, or `login` for migrations, whose objects
   * must belong to the login. Default: `login`.
   */
  readonly as?: 'login' | 'tenant';
  /** Aborted when the transaction's result is no longer wanted. */
  readonly signal?: AbortSignal;
}

/** How long `work` may continue after its signal was aborted, in milliseconds. Then its connection is closed. */
const ABORT_GRACE_MS = 1_000;

/** Gets the manager of the transaction, and its connection for statements without TypeORM. */
export type TenantWork<T> = (manager: EntityManager, client: pg.ClientBase) => Promise<T>;

/**
 * Runs `work` in a READ COMMITTED transaction. Its `search_path` begins with the tenant's schema, as on all connections of
 * the data source (see `pathOf`), whatever user code has set before. All settings are local to the transaction, so they
 * work with a transaction pooler and leave nothing on the connection.
 *
 * Commits when `work` resolves. Rolls back when it rejects, and rejects with the same error.
 *
 * Instrumentations record no spans of it. `work` that calls user code does so in another async context.
 */
export function runInTenantTransaction<T>(
  dataSource: DataSource,
  schema: string,
  work: TenantWork<T>,
  options: TenantTransactionOptions,
): Promise<T> {
  return untraced(() => runUntraced(dataSource, schema, work, options));
}

async function runUntraced<T>(
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
 * Waits for a connection, which other code may occupy for any time. Once the signal is aborted, it rejects, and returns the
 * connection as soon as it gets one.
 */
async function connect(
  queryRunner: QueryRunner,
  { as, signal }: TenantTransactionOptions,
): Promise<pg.ClientBase> {
  const ask = (): Promise<unknown> => queryRunner.connect();
  // A handler of one task may have started this task, but its transaction is not part of that handler's.
  const asked = as === 'tenant' ? runOutside(ask) : ask();
  try {
    return (await unlessAborted(signal, asked)) as pg.ClientBase;
  } catch (error) {
    const release = (): Promise<void> => queryRunner.release();
    asked.then(release, release).catch(() => undefined);
    throw error;
  }
}

/** Rejects as soon as the signal is aborted; `work` continues. */
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

/** All settings in one message, to save round trips. Such a message has no parameters, so names are quoted. */
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
 * Closes the connection if `work` continues for {@link ABORT_GRACE_MS} after the signal was aborted, and rejects. A
 * statement that hangs, on a lock or in a dead network, would occupy the connection for any time; so would work that waits
 * for something else.
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
        reject(
          new Error('The connection was closed: its work continued after its signal was aborted.'),
        );
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
    // The first error matters more. A connection that can't roll back is closed when it is released.
    await withAnswerTimeout(client, () => queryRunner.rollbackTransaction()).catch(() => undefined);
    throw error;
  }
}

/**
 * Rejects a transaction that has failed or ended, because its COMMIT would seem to succeed. Called again before statements
 * of the library: in a transaction that has ended, they would be committed by themselves.
 */
export async function assertStillOpen(client: pg.ClientBase): Promise<void> {
  await new Promise<void>((resolve) => whenSettled(client, resolve));
  const status = transactionStatus(client);
  if (status === 'E') {
    // PostgreSQL answers COMMIT of a failed transaction with a rollback, without an error.
    throw new Error(
      'A statement failed in this transaction and its error was caught, so nothing of the transaction can be ' +
        'committed. Let the error through, or run the statement within manager.transaction(), which sets a savepoint.',
    );
  }
  if (status === 'I') {
    throw new Error(
      'This transaction was ended by a COMMIT or ROLLBACK from within, so later statements were not part of it. Let the ' +
        'library end the transaction.',
    );
  }
}
