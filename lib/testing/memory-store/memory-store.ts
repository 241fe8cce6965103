import type { Failure } from '../../runtime/failure.js';
import type { Permit } from '../../runtime/permit.js';
import { combineRoles } from '../../store/combine-roles.js';
import type {
  ActionStore,
  AdmissionStore,
  BulkStore,
  ChildStore,
  BatchStore,
  DebounceStore,
  DefinitionStore,
  EventStartStore,
  ExplanationStore,
  ItemStore,
  LimitStore,
  MessageStore,
  ProcessStore,
  QueueStore,
  RecoveryStore,
  RetentionStore,
  ScheduleStore,
  StateStore,
  StatisticsStore,
  TenantStore,
  WorkflowPauseStore,
} from '../../store/port/index.js';
import type { MemoryDatabase } from './memory-database.js';
import { classifyFailure } from './memory-failure.js';
import type { MemoryTables } from './memory-tables.js';
import { MemoryActionStore } from './roles/actions.js';
import { MemoryAdmissionStore } from './roles/admissions.js';
import { MemoryBulkStore } from './roles/bulk.js';
import { MemoryChildStore } from './roles/children.js';
import { MemoryClaimStore } from './roles/claims.js';
import { MemoryControlStore } from './roles/control.js';
import { MemoryBatchStore } from './roles/batches.js';
import { MemoryDebounceStore } from './roles/debounces.js';
import { MemoryDefinitionStore } from './roles/definitions.js';
import { MemoryEventStartStore } from './roles/event-starts.js';
import { MemoryExplanationStore } from './roles/explanations.js';
import { MemoryExecutionStore } from './roles/executions.js';
import { MemoryItemStore } from './roles/items.js';
import { MemoryLeaseStore } from './roles/leases.js';
import { MemoryRetentionStore } from './roles/retention.js';
import { MemoryRole } from './roles/memory-role.js';
import { MemoryLimitStore } from './roles/limits.js';
import { MemoryMessageStore } from './roles/messages.js';
import { MemoryOutcomeStore } from './roles/outcomes.js';
import { MemoryProcessStore } from './roles/processes.js';
import { MemoryProgressStore } from './roles/progress.js';
import { MemoryQueueStore } from './roles/queues.js';
import { MemoryRecoveryStore } from './roles/recovery.js';
import { MemoryScheduleStore } from './roles/schedules.js';
import { MemoryStartStore } from './roles/starts.js';
import { MemoryStateStore } from './roles/states.js';
import { MemoryStatisticsStore } from './roles/statistics.js';
import { MemoryStepStore } from './roles/steps.js';
import { MemoryTransactionStore } from './roles/transactions.js';
import { MemoryWorkflowPauseStore } from './roles/workflow-pauses.js';

/**
 * The store in memory, for tests of code that is built on the port. Its roles are those of the store on PostgreSQL. No row
 * is ever locked by a statement, so statements that race for a row in PostgreSQL run in sequence here.
 */
export class MemoryStore
  extends combineRoles(
    MemoryRole,
    MemoryStartStore,
    MemoryClaimStore,
    MemoryOutcomeStore,
    MemoryStepStore,
    MemoryProgressStore,
    MemoryTransactionStore,
    MemoryExecutionStore,
    MemoryControlStore,
    MemoryLeaseStore,
  )
  implements TenantStore
{
  readonly handle: MemoryTables;
  readonly definitions: DefinitionStore;
  readonly messages: MessageStore;
  readonly eventStarts: EventStartStore;
  readonly children: ChildStore;
  readonly bulk: BulkStore;
  readonly items: ItemStore;
  readonly limits: LimitStore;
  readonly admissions: AdmissionStore;
  readonly batches: BatchStore;
  readonly debounces: DebounceStore;
  readonly schedules: ScheduleStore;
  readonly states: StateStore;
  readonly statistics: StatisticsStore;
  readonly pauses: WorkflowPauseStore;
  readonly actions: ActionStore;
  readonly explanations: ExplanationStore;
  readonly processes: ProcessStore;
  readonly queues: QueueStore;
  readonly recovery: RecoveryStore;
  readonly retention: RetentionStore;

  constructor(
    readonly database: MemoryDatabase,
    readonly schema = 'memory',
  ) {
    const tables = database.tables(schema);
    super(tables);
    this.handle = tables;
    this.definitions = new MemoryDefinitionStore(tables);
    this.messages = new MemoryMessageStore(tables);
    this.eventStarts = new MemoryEventStartStore(tables);
    this.children = new MemoryChildStore(tables);
    this.bulk = new MemoryBulkStore(tables);
    this.items = new MemoryItemStore(tables);
    this.limits = new MemoryLimitStore(tables);
    this.admissions = new MemoryAdmissionStore(tables);
    this.batches = new MemoryBatchStore(tables);
    this.debounces = new MemoryDebounceStore(tables);
    this.schedules = new MemoryScheduleStore(tables);
    this.states = new MemoryStateStore(tables);
    this.statistics = new MemoryStatisticsStore(tables);
    this.queues = new MemoryQueueStore(tables);
    this.pauses = new MemoryWorkflowPauseStore(tables);
    this.actions = new MemoryActionStore(tables);
    this.processes = new MemoryProcessStore(tables);
    this.explanations = new MemoryExplanationStore(tables);
    this.recovery = new MemoryRecoveryStore(tables);
    this.retention = new MemoryRetentionStore(tables);
  }

  classifyFailure(error: unknown): Failure {
    return classifyFailure(error);
  }

  /** There are no connections to wait for. */
  permit(): Promise<Permit> {
    return Promise.resolve({ release: () => undefined });
  }
}
