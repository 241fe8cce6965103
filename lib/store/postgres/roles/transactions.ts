import type pg from 'pg';
import type { EntityManager } from 'typeorm';
import { PostgresRole } from './postgres-role.js';
import { completeOn } from '../complete-on.js';
import { runWithin } from '../connections/connection-limit.js';
import { withAnswerTimeout } from '../connections/destroy-socket.js';
import { forgetLostPlan, hasLostPlan } from '../connections/prepared-statements.js';
import { asLogin, placeOf } from '../connections/user-connection.js';
import { recordStepsOn } from '../record-steps-on.js';
import type { StatementRunner } from '../statements/statement.js';
import type { TenantDatabase } from '../tenant-database.js';
import { assertStillOpen, runInTenantTransaction } from '../tenant-transaction.js';
import type { TaskTransaction, TransactionStore } from '../../port/index.js';

/** How long a handler's transaction may be idle, in milliseconds. After that its process is considered lost. */
const IDLE_IN_TRANSACTION_MS = 600_000;

/** Transactions of transactional tasks, on PostgreSQL. */
export class PostgresTransactionStore extends PostgresRole implements TransactionStore {
  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return runInTenantTransaction(
      this.db.dataSource,
      this.db.schema,
      (manager, client) => {
        forgetLostPlan(client);
        return work(taskTransaction(this.db, manager, client));
      },
      { idleTimeoutMs: IDLE_IN_TRANSACTION_MS, as: 'tenant', signal },
    );
  }
}

function taskTransaction(
  db: TenantDatabase,
  manager: EntityManager,
  client: pg.ClientBase,
): TaskTransaction {
  /** The library's statements run with the rights of the login, not of the tenant's role. */
  const record = <T>(statement: (runner: StatementRunner) => Promise<T>): Promise<T> =>
    asLogin(client, (connection) => withAnswerTimeout(client, () => statement(db.on(connection))));
  return {
    manager,
    get hasLostPlan() {
      return hasLostPlan(client);
    },
    within: (inner) => runWithin(placeOf(client), inner),
    assertOpen: () => assertStillOpen(client),
    complete: (outcomes, lease, timed = false) =>
      record((runner) => completeOn(runner, outcomes, lease, db.batches.open(), timed)),
    recordSteps: (records) => record((runner) => recordStepsOn(runner, records)),
  };
}
