import type { FailureClassifier } from '../../runtime/failure.js';
import type { PermitSource } from '../../runtime/permit.js';
import type { ActionStore } from './actions.js';
import type { AdmissionStore } from './admissions.js';
import type { BulkStore } from './bulk.js';
import type { ChildStore } from './children.js';
import type { ClaimStore } from './claims.js';
import type { ControlStore } from './control.js';
import type { BatchStore } from './batches.js';
import type { DebounceStore } from './debounces.js';
import type { DefinitionStore } from './definitions.js';
import type { ExplanationStore } from './explanations.js';
import type { ExecutionStore } from './executions.js';
import type { ItemStore } from './items.js';
import type { LeaseStore } from './leases.js';
import type { EventStartStore } from './event-starts.js';
import type { LimitStore } from './limits.js';
import type { MessageStore } from './messages.js';
import type { OutcomeStore } from './outcomes.js';
import type { ProcessStore } from './processes.js';
import type { ProgressStore } from './progress.js';
import type { QueueStore } from './queues.js';
import type { RecoveryStore } from './recovery.js';
import type { RetentionStore } from './retention.js';
import type { ScheduleStore } from './schedules.js';
import type { StartStore } from './starts.js';
import type { StateStore } from './states.js';
import type { StatisticsStore } from './statistics.js';
import type { StepStore } from './steps.js';
import type { TransactionStore } from './transactions.js';
import type { WorkflowPauseStore } from './workflow-pauses.js';

/** Identifies a tenant to sessions that work for many. Only the adapter reads more than the schema's name. */
export interface TenantHandle {
  readonly schema: string;
}

/**
 * The operations of the engine on one tenant's schema, by role. Each method is one statement or one transaction. None
 * retries: the caller decides, because it knows what else is waiting. A part of the engine depends only on the roles that
 * it uses.
 */
export interface TenantStore
  extends
    FailureClassifier,
    PermitSource,
    StartStore,
    ClaimStore,
    OutcomeStore,
    StepStore,
    ProgressStore,
    TransactionStore,
    ExecutionStore,
    ControlStore,
    LeaseStore {
  readonly schema: string;
  readonly handle: TenantHandle;
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
}
