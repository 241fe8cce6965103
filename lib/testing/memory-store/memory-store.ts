import type { Failure } from '../../runtime/failure.js';
import type { Permit } from '../../runtime/permit.js';
import type {
  ChildStore,
  ClaimChoice,
  ClaimedTask,
  ClaimKey,
  CompletionResult,
  ControlResult,
  ControlStore,
  DefinitionStore,
  ExecutionCount,
  ExecutionCountFilter,
  ExecutionDetails,
  ExecutionInput,
  ExecutionListFilter,
  ExecutionRow,
  HistoryRow,
  LeaseWrite,
  ListedExecution,
  MessageStore,
  Outcome,
  PastDeadline,
  ProgressReport,
  RecordedOutcome,
  RecoveryStore,
  Reschedule,
  RescheduleResult,
  StartItem,
  StartReply,
  StepDetail,
  StepRecord,
  StepReply,
  StepRow,
  TaskKey,
  TaskTransaction,
  TenantStore,
  TimedOutExecution,
  UserTransaction,
  WokenTask,
} from '../../store/port/index.js';
import { beginSuspect, claim, claimedTask, reschedule, SUSPECT_AFTER } from './memory-claims.js';
import { cancel, pastDeadlines, pause, reset, resume, timeOut } from './memory-control.js';
import type { MemoryDatabase } from './memory-database.js';
import { MemoryChildStore } from './memory-child-store.js';
import { MemoryDefinitionStore } from './memory-definitions.js';
import { classifyFailure } from './memory-failure.js';
import { readHistory } from './memory-history.js';
import { releaseLease, writeLease } from './memory-leases.js';
import { MemoryMessageStore } from './memory-message-store.js';
import { complete } from './memory-outcomes.js';
import { clearProgress, reportProgress } from './memory-progress.js';
import * as reads from './memory-reads.js';
import { MemoryRecoveryStore } from './memory-recovery.js';
import { start, startIn } from './memory-starts.js';
import { readSteps, recordSteps, wake } from './memory-steps.js';
import type { MemoryTables } from './memory-tables.js';
import { asTransaction, MemoryTransaction } from './memory-transaction.js';

/**
 * The store in memory, for tests of code that is built on the port. It only forwards: each statement is documented at its
 * function. No row is ever locked by a statement, so statements that race for a row in PostgreSQL run in sequence here.
 */
export class MemoryStore implements TenantStore {
  readonly handle: MemoryTables;
  readonly definitions: DefinitionStore;
  readonly messages: MessageStore;
  readonly children: ChildStore;
  readonly recovery: RecoveryStore;
  readonly suspectAfter = SUSPECT_AFTER;

  constructor(
    readonly database: MemoryDatabase,
    readonly schema = 'memory',
  ) {
    this.handle = database.tables(schema);
    this.definitions = new MemoryDefinitionStore(this.handle);
    this.messages = new MemoryMessageStore(database, this.handle);
    this.children = new MemoryChildStore(this.handle, asTransaction, (payload) =>
      database.notify([payload]),
    );
    this.recovery = new MemoryRecoveryStore(this.handle);
  }

  classifyFailure(error: unknown): Failure {
    return classifyFailure(error);
  }

  /** There are no connections to wait for. */
  permit(): Promise<Permit> {
    return Promise.resolve({ release: () => undefined });
  }

  start(items: readonly StartItem[], lease: LeaseWrite, keyed: boolean): Promise<StartReply> {
    return this.run((tables) => start(tables, items, lease, keyed));
  }

  startIn(
    manager: UserTransaction,
    item: StartItem,
    lease: LeaseWrite,
    payload: string,
  ): Promise<StartReply> {
    const transaction = asTransaction(manager);
    const committed = (): void => this.database.notify([payload]);
    return this.run((tables) => startIn(tables, transaction, item, lease, committed));
  }

  findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: UserTransaction,
  ): Promise<(string | undefined)[]> {
    const own = manager === undefined ? [] : asTransaction(manager).starts;
    return this.run((tables) =>
      keys.map(({ workflow, key }) => {
        const started = own.find((i) => i.plan.workflow === workflow && i.idempotencyKey === key);
        return (started ?? tables.findByKey(workflow, key))?.id;
      }),
    );
  }

  claim(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
    limit: number,
    lease: LeaseWrite,
    choice: ClaimChoice = {},
  ): Promise<ClaimedTask[]> {
    const claiming = { definitions, unknown, limit, choice };
    return this.run((tables) => claim(tables, claiming, lease));
  }

  reschedule(items: readonly Reschedule[]): Promise<RescheduleResult[]> {
    return this.run((tables) => reschedule(tables, items));
  }

  steps(tasks: readonly TaskKey[]): Promise<StepRow[]> {
    return this.run((tables) => readSteps(tables, tasks));
  }

  recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]> {
    return this.run((tables) => recordSteps(tables, records));
  }

  wake(tasks: readonly TaskKey[]): Promise<WokenTask[]> {
    return this.run((tables) => wake(tables, tasks));
  }

  reportProgress(reports: readonly ProgressReport[]): Promise<void> {
    return this.run((tables) => reportProgress(tables, reports));
  }

  clearProgress(tasks: readonly TaskKey[]): Promise<void> {
    return this.run((tables) => clearProgress(tables, tasks));
  }

  beginSuspect(claimed: ClaimKey): Promise<boolean> {
    return this.run((tables) => beginSuspect(tables, claimed));
  }

  claimsOf(instanceId: string): Promise<ClaimedTask[]> {
    return this.run((tables) =>
      tables.running(instanceId).map((task) => claimedTask(tables, task)),
    );
  }

  pausedExecutions(instanceId: string): Promise<string[]> {
    return this.run((tables) => {
      const paused = tables.running(instanceId).filter((task) => task.paused);
      return [...new Set(paused.map(({ executionId }) => executionId))];
    });
  }

  complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed = false,
  ): Promise<CompletionResult> {
    return this.run((tables) => complete(tables, outcomes, lease, timed));
  }

  outcomes(tasks: readonly TaskKey[]): Promise<RecordedOutcome[]> {
    return this.run((tables) => reads.readOutcomes(tables, tasks));
  }

  inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>> {
    return this.run((tables) => reads.readInputs(tables, ids));
  }

  writeFinalContext(id: string, context: string, generation: number): Promise<void> {
    return this.run((tables) => reads.writeFinalContext(tables, id, context, generation));
  }

  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return MemoryTransaction.run(this.handle, (own) => work(own.forTask()), signal);
  }

  executions(ids: readonly string[]): Promise<ExecutionRow[]> {
    return this.run((tables) => reads.readExecutions(tables, ids));
  }

  statuses(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.run((tables) => reads.statusesOf(tables, ids));
  }

  details(
    ids: readonly string[],
    contexts = true,
    steps: StepDetail = 'none',
  ): Promise<ExecutionDetails[]> {
    return this.run((tables) => reads.readDetails(tables, ids, contexts, steps));
  }

  history(id: string): Promise<HistoryRow | undefined> {
    return this.run((tables) => readHistory(tables, id));
  }

  list(filter: ExecutionListFilter): Promise<ListedExecution[]> {
    return this.run((tables) => reads.list(tables, filter));
  }

  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]> {
    return this.run((tables) => reads.count(tables, filter));
  }

  async await(id: string): Promise<string | undefined> {
    return (await this.awaitUnlocked([id])).get(id);
  }

  awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.run((tables) => reads.awaitEnds(tables, ids));
  }

  cancel(id: string, reason: string | null): Promise<ControlResult> {
    return this.run((tables) => cancel(tables, id, reason));
  }

  pause(id: string, reason: string | null): Promise<ControlResult> {
    return this.run((tables) => pause(tables, id, reason));
  }

  resume(id: string): Promise<ControlResult> {
    return this.run((tables) => resume(tables, id));
  }

  pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]> {
    return this.run((tables) => pastDeadlines(tables, after));
  }

  timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined> {
    return this.run((tables) => timeOut(tables, executions, errorOf));
  }

  reset(id: string, decide: Parameters<ControlStore['reset']>[1]): Promise<number | undefined> {
    return reset(this.handle, id, decide);
  }

  writeLease(lease: LeaseWrite): Promise<void> {
    return this.run((tables) => writeLease(tables, lease));
  }

  releaseLease(instanceId: string): Promise<boolean> {
    return this.run((tables) => releaseLease(tables, instanceId));
  }

  /** The rows of the tasks are all that this store keeps of a claim. */
  forgetEnded(): Promise<void> {
    return Promise.resolve();
  }

  private run<T>(statement: (tables: MemoryTables) => T): Promise<T> {
    return this.handle.run(() => statement(this.handle));
  }
}
