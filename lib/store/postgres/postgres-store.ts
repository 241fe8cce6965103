import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { runWithin } from './connections/connection-limit.js';
import { withAnswerTimeout } from './connections/destroy-socket.js';
import { PostgresChildStore } from './child-store.js';
import { PostgresDefinitionStore } from './definition-store.js';
import { ExecutionReads } from './execution-reads.js';
import { classifyFailure } from './classify-failure.js';
import type { LoginPools } from './connections/pools.js';
import { inPoolTransaction } from './connections/pool-transaction.js';
import { forgetLostPlan, hasLostPlan } from './connections/prepared-statements.js';
import { PostgresMessageStore } from './message-store.js';
import { PostgresRecoveryStore } from './recovery-store.js';
import { TenantStatements } from './tenant-statements.js';
import { ClaimBatches } from './claim-batches.js';
import { completeOn } from './complete-on.js';
import { forgetBatches } from './statements/claim-batch.js';
import { leaseValues } from './statements/lease-clause.js';
import { beginSuspect, SUSPECT_AFTER } from './statements/begin-suspect.js';
import {
  claimsOf,
  claimTasks,
  claimTasksPastLocks,
  claimValues,
} from './statements/claim-tasks.js';
import {
  cancelExecution,
  controlOf,
  pauseExecution,
  resumeExecution,
} from './statements/control-execution.js';
import { plainArray } from './statements/encoding.js';
import {
  awaitExecution,
  awaitUnlockedExecutions,
  findByKeys,
  writeFinalContext,
} from './statements/execution-rows.js';
import { deleteLease, readClaims, readPausedExecutions, writeLease } from './statements/leases.js';
import { rescheduledOf, rescheduleTasks, rescheduleValues } from './statements/reschedule-tasks.js';
import { readSteps, stepsOf } from './statements/read-steps.js';
import { recordSteps, recordValues, repliesOf } from './statements/record-steps.js';
import { lockForReset, resetExecution, resetValues } from './statements/reset-execution.js';
import {
  boundLockWait,
  rootClaimsOf,
  startReplyOf,
  startStatement,
  unboundLockWait,
} from './statements/start-executions.js';
import type { Clocks } from './clocks.js';
import {
  taskKeyValues,
  tenantTables,
  type TenantTables,
  type StatementRunner,
} from './statements/statement.js';
import {
  readPastDeadlines,
  timedOutOf,
  timeOutExecutions,
  timeOutValues,
} from './statements/time-outs.js';
import { wakeTasks } from './statements/wake-tasks.js';
import { clearProgress } from './statements/clear-progress.js';
import { progressValues, writeProgress } from './statements/write-progress.js';
import { CHANNEL, notify } from './statements/wake-ups.js';
import { assertStillOpen, runInTenantTransaction } from './tenant-transaction.js';
import { asLogin, placeOf } from './connections/user-connection.js';
import {
  type ChildStore,
  type ClaimChoice,
  type ClaimKey,
  type ClaimedTask,
  type CompletionResult,
  type ControlResult,
  type DefinitionStore,
  type LeaseWrite,
  type LockedExecution,
  type MessageStore,
  type Outcome,
  type PastDeadline,
  type ProgressReport,
  type RecoveryStore,
  type Reschedule,
  type RescheduleResult,
  type ResetTask,
  type StartItem,
  type StartReply,
  type StepRecord,
  type StepReply,
  type StepRow,
  type TaskKey,
  type TaskTransaction,
  type TenantStore,
  type TimedOutExecution,
  type UserTransaction,
  type WokenTask,
  byLockOrder,
  isCreated,
} from '../port/index.js';
import type { Failure } from '../../runtime/failure.js';
import type { Permit } from '../../runtime/permit.js';

/** The number of a statement that claims nothing. */
const NO_BATCH = 0;

/** How long a handler's transaction may be idle, in milliseconds. After that its process is considered lost. */
const IDLE_IN_TRANSACTION_MS = 600_000;

export interface PostgresStoreSettings {
  readonly schema: string;
  /** The schema, quoted as an SQL identifier. */
  readonly quotedSchema: string;
  readonly pools: LoginPools;
  readonly dataSource: DataSource;
  readonly clocks: Clocks;
}

/**
 * The store on PostgreSQL. It only forwards: each method selects a statement, its parameters and the decoding of the rows.
 * The statements are documented next to their texts.
 */
export class PostgresStore extends ExecutionReads implements TenantStore {
  readonly schema: string;
  readonly handle: TenantTables;
  readonly suspectAfter = SUSPECT_AFTER;
  readonly definitions: DefinitionStore;
  readonly messages: MessageStore;
  readonly children: ChildStore;
  readonly recovery: RecoveryStore;
  private readonly statements: TenantStatements;
  private readonly batches = new ClaimBatches();
  private readonly pools: LoginPools;
  private readonly dataSource: DataSource;

  constructor({ schema, quotedSchema, pools, dataSource, clocks }: PostgresStoreSettings) {
    const tables = tenantTables(quotedSchema, clocks.database);
    const key = createHash('sha256').update(schema).digest('hex').slice(0, 16);
    const statements = new TenantStatements(tables, key, schema, clocks.process);
    super(
      statements.inTurn(pools.turns.statements),
      statements.inTurn(pools.turns.general),
      clocks.process,
    );
    this.schema = schema;
    this.pools = pools;
    this.dataSource = dataSource;
    this.handle = tables;
    this.statements = statements;
    this.definitions = new PostgresDefinitionStore(this.cold, tables, pools.turns.general);
    this.recovery = new PostgresRecoveryStore(this.hot, this.cold, this.batches);
    this.messages = new PostgresMessageStore({
      hot: this.hot,
      cold: this.cold,
      runnerOf: (transaction) => this.runnerOf(transaction),
      use: tables.messages,
    });
    this.children = new PostgresChildStore(this.hot, this.cold, this.batches, (manager) =>
      this.runnerOf(manager),
    );
  }

  classifyFailure(error: unknown): Failure {
    return classifyFailure(error);
  }

  permit(): Promise<Permit> {
    return this.pools.turns.statements.permit(this.statements);
  }

  async start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
    lockTimeoutMs?: number,
  ): Promise<StartReply> {
    const batch = this.batches.open();
    const [statement, values] = startStatement(items, lease, batch.no, { keyed, lockTimeoutMs });
    const reply = startReplyOf(await this.hot.run(statement, values), keyed);
    const claims = items.reduce(
      (sum, item) => sum + (isCreated(reply, item.id) ? rootClaimsOf(item) : 0),
      0,
    );
    return { ...reply, batch: batch.stored(claims) };
  }

  async startIn(
    manager: UserTransaction,
    item: StartItem,
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<StartReply> {
    const runner = await this.runnerOf(manager);
    const bounded =
      item.idempotencyKey !== null &&
      (await runner.run(boundLockWait, [Math.max(1, lockTimeoutMs)])).length === 1;
    const unleased = { claimant: lease.claimant, write: false };
    const [statement, values] = startStatement([item], unleased, NO_BATCH, { keyed: true });
    const rows = await runner.run(statement, values);
    if (bounded) await runner.run(unboundLockWait, []);
    const reply = startReplyOf(rows, true);
    if (isCreated(reply, item.id)) await runner.run(notify, [CHANNEL, plainArray([payload])]);
    return reply;
  }

  async findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: UserTransaction,
  ): Promise<(string | undefined)[]> {
    const runner = manager === undefined ? this.hot : await this.runnerOf(manager);
    const rows = await runner.run(findByKeys, [
      JSON.stringify(keys.map(({ workflow }) => workflow)),
      JSON.stringify(keys.map(({ key }) => key)),
    ]);
    const found = new Array<string | undefined>(keys.length).fill(undefined);
    for (const { index, id } of rows) found[index] = id;
    return found;
  }

  async claim(
    definitions: readonly string[],
    unknown: readonly (readonly [string, number])[],
    limit: number,
    lease: LeaseWrite,
    { except, pastLocks = false }: ClaimChoice = {},
  ): Promise<ClaimedTask[]> {
    const open = this.batches.open();
    const { claimant, write } = lease;
    const claims = claimsOf(
      await this.hot.run(
        pastLocks ? claimTasksPastLocks : claimTasks,
        claimValues(definitions, unknown, limit, claimant, write, open.no, except),
      ),
    );
    const batch = open.stored(claims.length);
    return claims.map((claim) => ({ ...claim, batch }));
  }

  complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed = false,
  ): Promise<CompletionResult> {
    return completeOn(this.hot, outcomes, lease, this.batches.open(true), timed);
  }

  async reschedule(items: readonly Reschedule[]): Promise<RescheduleResult[]> {
    const rows = await this.hot.run(rescheduleTasks, rescheduleValues(items));
    return rescheduledOf(rows, items.length);
  }

  async steps(tasks: readonly TaskKey[]): Promise<StepRow[]> {
    return stepsOf(await this.hot.run(readSteps, taskKeyValues(tasks)));
  }

  recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]> {
    return recordStepsOn(this.hot, records);
  }

  async wake(tasks: readonly TaskKey[]): Promise<WokenTask[]> {
    return this.hot.run(wakeTasks, taskKeyValues(tasks));
  }

  async reportProgress(reports: readonly ProgressReport[]): Promise<void> {
    await this.hot.run(writeProgress, progressValues(reports.toSorted(byLockOrder)));
  }

  async clearProgress(tasks: readonly TaskKey[]): Promise<void> {
    await this.hot.run(clearProgress, taskKeyValues(tasks));
  }

  async beginSuspect({ executionId, taskNo, itemNo, token }: ClaimKey): Promise<boolean> {
    return (await this.hot.run(beginSuspect, [executionId, taskNo, itemNo, token])).length === 1;
  }

  async claimsOf(instanceId: string): Promise<ClaimedTask[]> {
    return this.hot.run(readClaims, [instanceId]);
  }

  async pausedExecutions(instanceId: string): Promise<string[]> {
    const rows = await this.cold.run(readPausedExecutions, [instanceId]);
    return rows.map(({ executionId }) => executionId);
  }

  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return runInTenantTransaction(
      this.dataSource,
      this.schema,
      (manager, client) => {
        forgetLostPlan(client);
        return work({
          manager,
          get hasLostPlan() {
            return hasLostPlan(client);
          },
          within: (inner) => runWithin(placeOf(client), inner),
          assertOpen: () => assertStillOpen(client),
          complete: (outcomes, lease, timed = false) =>
            asLogin(client, (connection) =>
              withAnswerTimeout(client, () =>
                completeOn(
                  this.statements.on(connection),
                  outcomes,
                  lease,
                  this.batches.open(),
                  timed,
                ),
              ),
            ),
          recordSteps: (records) =>
            asLogin(client, (connection) =>
              withAnswerTimeout(client, () =>
                recordStepsOn(this.statements.on(connection), records),
              ),
            ),
        });
      },
      { idleTimeoutMs: IDLE_IN_TRANSACTION_MS, as: 'tenant', signal },
    );
  }

  async writeFinalContext(id: string, context: string, generation: number): Promise<void> {
    await this.hot.run(writeFinalContext, [id, context, generation]);
  }

  async await(id: string): Promise<string | undefined> {
    return (await this.hot.run(awaitExecution, [id]))[0]?.status;
  }

  async awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.hot.run(awaitUnlockedExecutions, [`{${ids.join()}}`]);
    return new Map(rows.map(({ id, status }) => [id, status]));
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

  async pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]> {
    const values = [after?.deadlineAt ?? null, after?.id ?? null];
    return this.hot.run(readPastDeadlines, values);
  }

  async timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined> {
    const json = (execution: PastDeadline): string => JSON.stringify(errorOf(execution));
    const values = timeOutValues(executions, json, this.schema);
    return timedOutOf(await this.hot.run(timeOutExecutions, values));
  }

  async reset(
    id: string,
    decide: (
      execution: LockedExecution,
    ) => Promise<{ readonly tasks: readonly ResetTask[]; readonly leaves: number } | null>,
  ): Promise<number | undefined> {
    return inPoolTransaction(this.pools.general, async (client) => {
      const runner = this.statements.on(client);
      const [row] = await runner.run(lockForReset, [id]);
      if (row === undefined) return undefined;
      const reset = await decide(row);
      if (reset === null) return 0;
      const [due] = await runner.run(resetExecution, resetValues(id, reset.tasks, reset.leaves));
      return due?.dueInMs ?? 0;
    });
  }

  async writeLease({ claimant, write }: LeaseWrite): Promise<void> {
    await this.hot.run(writeLease, leaseValues(claimant, write));
  }

  async releaseLease(instanceId: string): Promise<boolean> {
    const [row] = await this.hot.run(deleteLease, [instanceId]);
    return row?.isHeld !== true;
  }

  async forgetEnded(instanceId: string): Promise<void> {
    await this.hot.run(forgetBatches, [instanceId]);
  }

  /**
   * Runs cancel, pause or resume in a transaction, which is rolled back if the execution's state does not allow the change.
   * The statement changes tasks first because of the lock order, and the execution, which tells whether it applies, last.
   */
  private control(
    statement: typeof cancelExecution,
    values: readonly unknown[],
  ): Promise<ControlResult> {
    return inPoolTransaction(
      this.pools.general,
      async (client) => controlOf(await this.statements.on(client).run(statement, values)),
      ({ changed }) => changed,
    );
  }

  /** Runs statements on the connection of the caller's transaction. */
  private async runnerOf(transaction: UserTransaction): Promise<StatementRunner> {
    const { queryRunner } = transaction as EntityManager;
    const client: pg.ClientBase | undefined = await queryRunner?.connect();
    if (client === undefined) throw new TypeError('The manager does not belong to a transaction.');
    return {
      run: (statement, values) =>
        asLogin(client, (connection) => this.statements.on(connection).run(statement, values)),
    };
  }
}

async function recordStepsOn(
  runner: StatementRunner,
  records: readonly StepRecord[],
): Promise<(StepReply | undefined)[]> {
  const rows = await runner.run(recordSteps, recordValues(records));
  return repliesOf(rows, records.length);
}
