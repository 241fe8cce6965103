import { classifyFailure } from './classify-failure.js';
import { PostgresActionStore } from './roles/actions.js';
import { PostgresAdmissionStore } from './roles/admissions.js';
import { PostgresBulkStore } from './roles/bulk.js';
import { PostgresChildStore } from './roles/children.js';
import { PostgresClaimStore } from './roles/claims.js';
import { PostgresControlStore } from './roles/control.js';
import { PostgresBatchStore } from './roles/batches.js';
import { PostgresDebounceStore } from './roles/debounces.js';
import { PostgresDefinitionStore } from './roles/definitions.js';
import { PostgresEventStartStore } from './roles/event-starts.js';
import { PostgresExplanationStore } from './roles/explanations.js';
import { PostgresExecutionStore } from './roles/executions.js';
import { PostgresItemStore } from './roles/items.js';
import { PostgresLeaseStore } from './roles/leases.js';
import { PostgresLimitStore } from './roles/limits.js';
import { PostgresMessageStore } from './roles/messages.js';
import { PostgresOutcomeStore } from './roles/outcomes.js';
import { PostgresRetentionStore } from './roles/retention.js';
import { PostgresRole } from './roles/postgres-role.js';
import { PostgresProcessStore } from './roles/processes.js';
import { PostgresProgressStore } from './roles/progress.js';
import { PostgresQueueStore } from './roles/queues.js';
import { PostgresRecoveryStore } from './roles/recovery.js';
import { PostgresScheduleStore } from './roles/schedules.js';
import { PostgresStartStore } from './roles/starts.js';
import { PostgresStateStore } from './roles/states.js';
import { PostgresStatisticsStore } from './roles/statistics.js';
import { PostgresStepStore } from './roles/steps.js';
import { PostgresTransactionStore } from './roles/transactions.js';
import { PostgresWorkflowPauseStore } from './roles/workflow-pauses.js';
import type { LoginPools } from './connections/pools.js';
import type { TenantTables } from './statements/statement.js';
import { TenantDatabase, type PostgresStoreSettings } from './tenant-database.js';
import { combineRoles } from '../combine-roles.js';
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
} from '../port/index.js';
import type { Failure } from '../../runtime/failure.js';
import type { Permit } from '../../runtime/permit.js';

/**
 * The store on PostgreSQL. Each role of the port is a class in `roles/`. The store itself has the methods of the roles that
 * every execution needs; the other roles are its members, and so is each new one.
 */
export class PostgresStore
  extends combineRoles(
    PostgresRole,
    PostgresStartStore,
    PostgresClaimStore,
    PostgresOutcomeStore,
    PostgresStepStore,
    PostgresProgressStore,
    PostgresTransactionStore,
    PostgresExecutionStore,
    PostgresControlStore,
    PostgresLeaseStore,
  )
  implements TenantStore
{
  readonly schema: string;
  readonly handle: TenantTables;
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

  constructor(settings: PostgresStoreSettings) {
    const db = new TenantDatabase(settings);
    super(db);
    this.schema = db.schema;
    this.handle = db.tables;
    this.definitions = new PostgresDefinitionStore(db);
    this.messages = new PostgresMessageStore(db);
    this.eventStarts = new PostgresEventStartStore(db);
    this.children = new PostgresChildStore(db);
    this.bulk = new PostgresBulkStore(db);
    this.items = new PostgresItemStore(db);
    this.limits = new PostgresLimitStore(db);
    this.admissions = new PostgresAdmissionStore(db);
    this.batches = new PostgresBatchStore(db);
    this.debounces = new PostgresDebounceStore(db);
    this.schedules = new PostgresScheduleStore(db);
    this.states = new PostgresStateStore(db);
    this.statistics = new PostgresStatisticsStore(db);
    this.queues = new PostgresQueueStore(db);
    this.pauses = new PostgresWorkflowPauseStore(db);
    this.actions = new PostgresActionStore(db);
    this.processes = new PostgresProcessStore(db);
    this.explanations = new PostgresExplanationStore(db);
    this.recovery = new PostgresRecoveryStore(db);
    this.retention = new PostgresRetentionStore(db);
  }

  classifyFailure(error: unknown): Failure {
    return classifyFailure(error);
  }

  /** Sends all further statements to another server, to which the tenant has moved. */
  moveTo(pools: LoginPools): void {
    this.db.moveTo(pools);
  }

  permit(): Promise<Permit> {
    return this.db.permit();
  }
}
