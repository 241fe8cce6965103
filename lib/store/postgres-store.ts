import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { answered } from './cut.js';
import { PostgresDefinitionStore } from './definition-store.js';
import { failureKind } from './failure-kind.js';
import type { LoginPools } from './pools.js';
import { PostgresRecoveryStore } from './recovery-store.js';
import { asLogin } from './role-connection.js';
import { runUnprepared, TenantStatements } from './statement-pool.js';
import { beginSuspect, SUSPECT_AFTER } from './statements/begin-suspect.js';
import { claimTasks, claimValues, decodeClaims } from './statements/claim-tasks.js';
import { completeTasks, completionValues, decodeCompletion } from './statements/complete-tasks.js';
import {
  cancelExecution,
  decodeControl,
  pauseExecution,
  resumeExecution,
  timeOutExecution,
} from './statements/control-execution.js';
import { plainArray } from './statements/encoding.js';
import {
  awaitExecution,
  decodeExecution,
  decodeTask,
  findByKeys,
  listExecutions,
  listUnfinished,
  readExecutions,
  readTasks,
  writeFinalContext,
} from './statements/execution-rows.js';
import { deleteLease, readClaims } from './statements/leases.js';
import {
  decodeOutcomes,
  readInputs,
  readOutcomes,
  readOutcomesValues,
} from './statements/read-outcomes.js';
import {
  decodeAccepted,
  rescheduleTasks,
  rescheduleValues,
} from './statements/reschedule-tasks.js';
import { lockForReset, resetExecution, resetValues } from './statements/reset-execution.js';
import {
  startExecutions,
  startKeyedExecutions,
  startValues,
} from './statements/start-executions.js';
import {
  tenantTables,
  type RawRow,
  type Statement,
  type StatementRunner,
} from './statements/statement.js';
import { CHANNEL, notify, readPastDeadlines } from './statements/wake-ups.js';
import type {
  ClaimedTask,
  CompletionResult,
  ControlResult,
  DefinitionStore,
  RecoveryStore,
  ExecutionInput,
  ExecutionListFilter,
  ExecutionRow,
  FailureKind,
  LeaseWrite,
  ListedExecution,
  LockedExecution,
  Outcome,
  PastDeadline,
  RecordedOutcome,
  Reschedule,
  ResetTask,
  StartItem,
  TaskKey,
  TaskRow,
  TaskTransaction,
  TenantStore,
} from './store.js';
import { assertStillOpen, runInTenantTransaction } from './tenant-transaction.js';

/** A transaction around a handler that stays silent for so long has lost its process. */
const IDLE_IN_TRANSACTION_MS = 600_000;

export interface PostgresStoreSettings {
  readonly schema: string;
  /** Quoted. */
  readonly quotedSchema: string;
  readonly pools: LoginPools;
  readonly dataSource: DataSource;
}

/**
 * The store on PostgreSQL. Nothing but forwarding: each method names its statement, its parameters and what is made
 * of the rows. What the statements mean stands beside their texts.
 */
export class PostgresStore implements TenantStore {
  readonly schema: string;
  readonly tables;
  readonly dataSource: DataSource;
  readonly suspectAfter = SUSPECT_AFTER;
  readonly definitions: DefinitionStore;
  readonly recovery: RecoveryStore;
  private readonly statements: TenantStatements;
  private readonly hot: StatementRunner;
  private readonly cold: StatementRunner;
  private readonly pools: LoginPools;

  constructor(settings: PostgresStoreSettings) {
    this.schema = settings.schema;
    this.pools = settings.pools;
    this.dataSource = settings.dataSource;
    this.tables = tenantTables(settings.quotedSchema);
    const key = createHash('sha256').update(settings.schema).digest('hex').slice(0, 16);
    this.statements = new TenantStatements(this.tables, key, settings.schema);
    this.hot = this.statements.inTurn(settings.pools.turns.statements);
    this.cold = this.statements.inTurn(settings.pools.turns.general);
    this.definitions = new PostgresDefinitionStore(this.cold);
    this.recovery = new PostgresRecoveryStore(this.hot, this.cold);
  }

  failureKind(error: unknown): FailureKind {
    return failureKind(error);
  }

  async start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
  ): Promise<ReadonlySet<string> | 'all'> {
    const rows = await this.hot.run(
      keyed ? startKeyedExecutions : startExecutions,
      startValues(items, lease.claimant, lease.write),
    );
    return keyed ? new Set(rows.map((row) => row[0] ?? '')) : 'all';
  }

  async startIn(
    manager: EntityManager,
    item: StartItem,
    lease: LeaseWrite,
    payload: string,
  ): Promise<boolean> {
    const runner = await this.runnerOf(manager);
    const rows = await runner.run(startKeyedExecutions, startValues([item], lease.claimant, false));
    if (rows.length === 1) await runner.run(notify, [CHANNEL, plainArray([payload])]);
    return rows.length === 1;
  }

  async findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: EntityManager,
  ): Promise<(string | undefined)[]> {
    const runner = manager === undefined ? this.hot : await this.runnerOf(manager);
    const rows = await runner.run(findByKeys, [
      JSON.stringify(keys.map(({ workflow }) => workflow)),
      JSON.stringify(keys.map(({ key }) => key)),
    ]);
    const found = new Array<string | undefined>(keys.length).fill(undefined);
    for (const [index, id] of rows) found[Number(index)] = id ?? undefined;
    return found;
  }

  async claim(
    definitions: readonly number[],
    unknown: readonly (readonly [number, number])[],
    limit: number,
    lease: LeaseWrite,
    except?: readonly TaskKey[],
  ): Promise<ClaimedTask[]> {
    return decodeClaims(
      await this.hot.run(
        claimTasks,
        claimValues(definitions, unknown, limit, lease.claimant, lease.write, except),
      ),
    );
  }

  complete(outcomes: readonly Outcome[], lease: LeaseWrite): Promise<CompletionResult> {
    return completeOn(this.hot, outcomes, lease);
  }

  async reschedule(items: readonly Reschedule[]): Promise<boolean[]> {
    return decodeAccepted(
      await this.hot.run(rescheduleTasks, rescheduleValues(items)),
      items.length,
    );
  }

  async beginSuspect(executionId: string, taskNo: number, token: number): Promise<boolean> {
    return (await this.hot.run(beginSuspect, [executionId, taskNo, token])).length === 1;
  }

  async claimsOf(instanceId: string): Promise<ClaimedTask[]> {
    return decodeClaims(await this.hot.run(readClaims, [instanceId]));
  }

  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return runInTenantTransaction(
      this.dataSource,
      this.schema,
      (manager, client) =>
        work({
          manager,
          complete: async (outcomes, lease) => {
            await assertStillOpen(client);
            return asLogin(client, (connection) =>
              answered(client, () => completeOn(this.statements.on(connection), outcomes, lease)),
            );
          },
        }),
      { idleTimeoutMs: IDLE_IN_TRANSACTION_MS, as: 'tenant', signal },
    );
  }

  async outcomes(
    tasks: readonly { readonly executionId: string; readonly taskNo: number }[],
  ): Promise<RecordedOutcome[]> {
    return decodeOutcomes(await this.hot.run(readOutcomes, readOutcomesValues(tasks)));
  }

  async inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>> {
    const rows = await this.hot.run(readInputs, [plainArray(ids)]);
    return new Map(
      rows.map((row) => [
        row[0] ?? '',
        { input: row[1] ?? '{}', deadlineInMs: row[3] === null ? null : Number(row[3]) },
      ]),
    );
  }

  async writeFinalContext(id: string, context: string, generation: number): Promise<void> {
    await this.hot.run(writeFinalContext, [id, context, generation]);
  }

  async executions(ids: readonly string[]): Promise<ExecutionRow[]> {
    return (await this.hot.run(readExecutions, [plainArray(ids)])).map(decodeExecution);
  }

  async tasks(ids: readonly string[]): Promise<TaskRow[]> {
    return (await this.hot.run(readTasks, [plainArray(ids)])).map(decodeTask);
  }

  async list(filter: ExecutionListFilter): Promise<ListedExecution[]> {
    const { statuses } = filter;
    const unfinished = statuses !== undefined && !statuses.includes('Completed');
    const rows = await this.cold.run(unfinished ? listUnfinished : listExecutions, [
      filter.workflow ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      filter.after?.id ?? null,
      filter.after?.createdAtMicros ?? null,
      statuses === undefined ? null : plainArray(statuses),
      filter.limit,
    ]);
    return rows.map((row) => ({ ...decodeExecution(row), createdAtMicros: row[11] ?? '0' }));
  }

  async await(id: string): Promise<string | undefined> {
    return (await this.hot.run(awaitExecution, [id]))[0]?.[0] ?? undefined;
  }

  async cancel(id: string, reason: string | null): Promise<ControlResult> {
    return this.control(cancelExecution, [id, reason]);
  }

  async pause(id: string, reason: string | null): Promise<ControlResult> {
    return this.control(pauseExecution, [id, reason]);
  }

  async resume(id: string): Promise<ControlResult> {
    return this.control(resumeExecution, [id]);
  }

  async timeOut(id: string, error: unknown): Promise<ControlResult> {
    return this.control(timeOutExecution, [id, JSON.stringify(error)]);
  }

  async pastDeadlines(): Promise<PastDeadline[]> {
    const rows = await runUnprepared(this.pools.general, readPastDeadlines(this.tables), []);
    return rows.map((row) => ({
      id: row[0] ?? '',
      workflow: row[1] ?? '',
      timeoutMs: Number(row[2]),
    }));
  }

  async reset(
    id: string,
    decide: (
      execution: LockedExecution,
    ) => Promise<{ readonly tasks: readonly ResetTask[]; readonly leaves: number } | null>,
  ): Promise<LockedExecution | undefined> {
    return this.inTransaction(async (runner) => {
      const [row] = await runner.run(lockForReset, [id]);
      if (row === undefined) return undefined;
      const execution = decodeLocked(row);
      const reset = await decide(execution);
      if (reset !== null)
        await runner.run(resetExecution, resetValues(id, reset.tasks, reset.leaves));
      return execution;
    });
  }

  async releaseLease(instanceId: string): Promise<void> {
    await this.hot.run(deleteLease, [instanceId]);
  }

  /**
   * Cancel and its like: a transaction, since the tasks come before the execution in the lock order, but it is the
   * execution that tells whether there was anything to do.
   */
  private async control(statement: Statement, values: readonly unknown[]): Promise<ControlResult> {
    let result: ControlResult = { changed: false, awaited: false, running: [] };
    await this.inTransaction(async (runner) => {
      result = decodeControl(await runner.run(statement, values));
      return result.changed ? result : undefined;
    });
    return result;
  }

  /** Commits what `work` returns something for, and rolls the rest back. */
  private async inTransaction<T>(
    work: (runner: StatementRunner) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const client = await this.pools.general.connect();
    let broken: Error | undefined;
    // A connection that ends says so to its queries and then once more, and nobody listening would end the process.
    const onError = (error: Error): void => void (broken = error);
    client.on('error', onError);
    try {
      await client.query('BEGIN');
      const result = await work(this.statements.on(client));
      await client.query(result === undefined ? 'ROLLBACK' : 'COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((reason: Error) => (broken = reason));
      throw error;
    } finally {
      client.release(broken);
      client.off('error', onError);
    }
  }

  /** Statements on the connection of the caller's transaction. */
  private async runnerOf(manager: EntityManager): Promise<StatementRunner> {
    const client: pg.ClientBase | undefined = await manager.queryRunner?.connect();
    if (client === undefined) throw new TypeError('The manager is not one of a transaction.');
    return {
      run: (statement, values) =>
        asLogin(client, (connection) => this.statements.on(connection).run(statement, values)),
    };
  }
}

async function completeOn(
  runner: StatementRunner,
  outcomes: readonly Outcome[],
  lease: LeaseWrite,
): Promise<CompletionResult> {
  const rows = await runner.run(
    completeTasks,
    completionValues(outcomes, lease.claimant, lease.write),
  );
  return decodeCompletion(rows, outcomes.length);
}

function decodeLocked(row: RawRow): LockedExecution {
  const tasks = JSON.parse(row[2] ?? '[]') as [number, string, string | null][];
  return {
    definitionId: Number(row[0]),
    status: row[1] ?? '',
    tasks: tasks.map(([taskNo, status, skipReason]) => ({ taskNo, status, skipReason })),
  };
}
