import pg from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { ASSUME_LOGIN, loginConnection } from './role-connection.js';
import { transactionStatus, whenSettled } from './transaction-status.js';

export interface TenantTransactionOptions {
  /**
   * After so long without a statement the server ends the transaction, in milliseconds. A process that hangs or
   * vanishes with its host would otherwise hold its locks until the network gives up.
   */
  readonly idleTimeoutMs: number;
  /**
   * Whose rights `work` has, where the data source is bound to a role: `tenant` for user code; default `login`, which
   * migrations need, for what they create belongs to it.
   */
  readonly as?: 'login' | 'tenant';
}

/** The manager of the transaction, and the connection under it for what needs no TypeORM. */
export type TenantWork<T> = (manager: EntityManager, client: pg.ClientBase) => Promise<T>;

/**
 * Runs `work` in a READ COMMITTED transaction whose `search_path` is the tenant's schema alone: a table that is
 * missing there is an error, never the table of that name in `public`. All settings are local to the transaction, so
 * they hold under a transaction pooler too and nothing is left on the connection.
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
  try {
    const client = loginConnection((await queryRunner.connect()) as pg.ClientBase);
    await queryRunner.startTransaction();
    const result = await workOrRollBack(queryRunner, async () => {
      await queryRunner.query(localSettings(schema, options));
      const value = await work(queryRunner.manager, client);
      await assertStillOpen(client);
      return value;
    });
    await queryRunner.commitTransaction();
    return result;
  } finally {
    await queryRunner.release();
  }
}

/** One message, since each statement would be a round trip; hence no parameters, but a quoted name and a number. */
function localSettings(
  schema: string,
  { idleTimeoutMs, as = 'login' }: TenantTransactionOptions,
): string {
  return (
    (as === 'login' ? `${ASSUME_LOGIN}; ` : '') +
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ' +
    `SET LOCAL search_path TO ${pg.escapeIdentifier(schema)}; ` +
    `SET LOCAL idle_in_transaction_session_timeout TO ${Math.max(0, Math.trunc(idleTimeoutMs))}`
  );
}

async function workOrRollBack<T>(queryRunner: QueryRunner, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What failed first is what matters; and a connection that can't roll back is closed at its release.
    await queryRunner.rollbackTransaction().catch(() => undefined);
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
