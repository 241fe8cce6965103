import { inPoolTransaction } from '../connections/pool-transaction.js';
import { resetOn } from '../reset-on.js';
import { PostgresRole } from './postgres-role.js';
import {
  cancelExecution,
  controlOf,
  pauseExecution,
  resumeExecution,
} from '../statements/control-execution.js';
import { lockExpansion } from '../statements/expansion-lock.js';
import { lockForReset } from '../statements/reset-execution.js';
import {
  readPastDeadlines,
  timedOutOf,
  timeOutExecutions,
  timeOutValues,
} from '../statements/time-outs.js';
import type { TenantDatabase } from '../tenant-database.js';
import type {
  ControlResult,
  ControlStore,
  LockedExecution,
  PastDeadline,
  ResetDecision,
  TimedOutExecution,
} from '../../port/index.js';

/** Control of executions from outside of their tasks, on PostgreSQL. */
export class PostgresControlStore extends PostgresRole implements ControlStore {
  cancel(id: string, reason: string | null, actor: string | null = null): Promise<ControlResult> {
    return control(this.db, cancelExecution, [id, reason, actor]);
  }

  pause(id: string, reason: string | null, actor: string | null = null): Promise<ControlResult> {
    return control(this.db, pauseExecution, [id, reason, actor]);
  }

  resume(id: string, actor: string | null = null): Promise<ControlResult> {
    return control(this.db, resumeExecution, [id, actor]);
  }

  async pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]> {
    const values = [after?.deadlineAt ?? null, after?.id ?? null];
    return this.db.hot.run(readPastDeadlines, values);
  }

  async timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined> {
    const json = (execution: PastDeadline): string => JSON.stringify(errorOf(execution));
    const values = timeOutValues(executions, json, this.db.schema);
    return timedOutOf(await this.db.hot.run(timeOutExecutions, values));
  }

  async reset(
    id: string,
    decide: (execution: LockedExecution) => Promise<ResetDecision | null>,
  ): Promise<number | undefined> {
    return inPoolTransaction(this.db.pools.general, async (client) => {
      const runner = this.db.on(client);
      const [row] = await runner.run(lockForReset, [id]);
      if (row === undefined) return undefined;
      const reset = await decide(row);
      if (reset === null) return 0;
      const [due] = await resetOn(runner, [{ id, ...reset }]);
      return due?.dueInMs ?? 0;
    });
  }
}

/**
 * Runs cancel, pause or resume in a transaction, which is rolled back if the execution's state does not allow the change.
 * The statement changes tasks first because of the lock order, and the execution, which tells whether it applies, last. It
 * sees all items that maps have stored, because none are being stored when it begins.
 */
function control(
  db: TenantDatabase,
  statement: typeof cancelExecution,
  values: readonly unknown[],
): Promise<ControlResult> {
  return inPoolTransaction(
    db.pools.general,
    async (client) => {
      const runner = db.on(client);
      await runner.run(lockExpansion, [values[0]]);
      return controlOf(await runner.run(statement, values));
    },
    ({ changed }) => changed,
  );
}
