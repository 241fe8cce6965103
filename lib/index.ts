/**
 * Durable workflows for NestJS on PostgreSQL, with one schema for each tenant: the module, the decorators, the runner and the
 * errors.
 *
 * @packageDocumentation
 */
export { CloacinaModule } from './cloacina.module.js';
export type { AdminServersOptions, ServerState } from './tenants/admin/admin-servers.js';
export type {
  CloacinaAsyncOptions,
  CloacinaOptionsFactory,
  CloacinaServerOptions,
  CloacinaSharedOptions,
  CloacinaTenantOptions,
  PostgresConnectionOptions,
  RetentionOptions,
} from './cloacina.options.js';
export type {
  DiscoveredTenantOptions,
  DiscoverTenant,
  PlaceTenant,
  ServerLoad,
  TenantRequest,
} from './cloacina.callbacks.js';
export {
  getMigratorToken,
  getRecoveryToken,
  getRunnerToken,
  InjectMigrator,
  InjectRecovery,
  InjectRunner,
  type TenantToken,
} from './cloacina.tokens.js';
export { defineWorkflow, type DefineWorkflowOptions } from './discovery/define-workflow.js';
export {
  OnWorkflowEvent,
  type WorkflowEventFilter,
} from './discovery/on-workflow-event.decorator.js';
export {
  defineEvent,
  defineSignal,
  type EventDefinition,
  type EventOptions,
  type SignalDefinition,
  type SignalOptions,
} from './discovery/message-definitions.js';
export { MapChildren, MapTask } from './discovery/map-decorators.js';
export type {
  ItemContext,
  ItemOf,
  ItemPosition,
  ItemResult,
  ItemsContext,
  ItemSource,
  MapChildrenOptions,
  MapItemsOptions,
  MapOptions,
  MapSummary,
  ResultsOptions,
} from './discovery/map-options.js';
export { Child, Sleep, WaitFor } from './discovery/node-decorators.js';
export type {
  AnyMessage,
  ChildNodeOptions,
  MessagePayload,
  Node,
  NodeEvent,
  NodeOptions,
  NodeSignal,
  NodeSleep,
  NodeTimeout,
  OutputOf,
  SleepOptions,
  WaitForOptions,
} from './discovery/node-options.js';
export { StartOn, type StartOnDecorator } from './discovery/start-on.decorator.js';
export type { ReceivedEvent, StartOnOptions } from './discovery/start-on.js';
export type { RetryOptions, TaskOptions, WorkflowOptions } from './discovery/options.js';
export { Poller } from './discovery/poller.decorator.js';
export type {
  PollerContext,
  PollerMethod,
  PollerOptions,
  PollerResult,
  PollerStart,
} from './discovery/poller-types.js';
export { Schedule, type ScheduleOptions } from './discovery/schedule.decorator.js';
export type { ContextOfSchema, InputOfSchema } from './discovery/schema-types.js';
export type {
  ChildCall,
  ChildContexts,
  ChildHandle,
  ChildOptions,
  ExecuteAllOptions,
  ExecuteChildOptions,
  SettledChild,
  SettledChildren,
  StartChildOptions,
} from './discovery/task-context/child-options.js';
export type { StepOptions } from './discovery/task-context/step-options.js';
export type {
  EventWaitOptions,
  MessageSource,
  NoTimeout,
  PayloadOf,
  ReceivedMessage,
  SignalWaitOptions,
  WaitForAnyOptions,
} from './discovery/task-context/wait-options.js';
export { defineLimit } from './discovery/define-limit.js';
export { Task } from './discovery/task.decorator.js';
export type { AnyTaskHandler } from './discovery/class-types.js';
export type { DeferOptions, Found } from './discovery/task-context/durable-waits.js';
export type { JsonObject } from './discovery/context-types.js';
export type {
  TaskContext,
  TaskHandlerOf,
  TaskMethod,
  TaskResult,
  TaskResultObject,
} from './discovery/task-context.js';
export type { TaskCallHandler, TaskInterceptor } from './discovery/task-interceptor.js';
export type {
  AttemptOutcome,
  AttemptSpan,
  Backlog,
  CloacinaTelemetry,
  PoolUse,
  SlotUse,
  StartSpan,
  TelemetrySource,
  TracedAttempt,
  TracedStart,
} from './events/telemetry.js';
export type { WorkflowBuilder, WorkflowDefinition } from './discovery/workflow-builder.js';
export type { WorkflowContext, WorkflowInput, WorkflowRef } from './discovery/workflow-ref.js';
export { Workflow } from './discovery/workflow.decorator.js';
export { currentTask } from './engine/execution/current-task.js';
export { isDeferral } from './engine/execution/task-deferral.js';
export { isSuspension } from './engine/waits/suspension.js';
export type { WorkflowEventName, WorkflowEventOf } from './events/event-name.js';
export type * from './events/workflow-event.js';
export {
  ChildCancelledError,
  ChildFailedError,
  ChildMissingError,
  ClaimLostError,
  CloacinaError,
  ConfigurationError,
  ConnectionsExhaustedError,
  ContextTooLargeError,
  DatabaseConnectionError,
  DatabaseRefusedError,
  DatabaseUnavailableError,
  DeferralTimeoutError,
  DuplicateStepError,
  InvalidArgumentError,
  InvalidContextError,
  InvalidPollError,
  InvalidTokenError,
  InvalidTransitionError,
  MigrationError,
  MoveFailedError,
  MoveNotPossibleError,
  NonRetryableError,
  NotAllowedError,
  NoTenantError,
  PermissionError,
  RetryAfterError,
  SchemaNameError,
  SignalTimeoutError,
  QueueFullError,
  StartManyError,
  TablesMissingError,
  TaskAbandonedError,
  TaskTimeoutError,
  DuplicateSchemaError,
  TenantMovingError,
  TenantExistsError,
  TenantIncompleteError,
  TenantRemovedError,
  TokenExpiredError,
  ItemsFailedError,
  TooManyItemsError,
  StepsTooLargeError,
  TooManyStepsError,
  UnknownExecutionError,
  UnknownPollerError,
  UnknownScheduleError,
  UnknownTenantError,
  UnknownWorkflowError,
  UnreadableDefinitionError,
  WaitTimeoutError,
  WorkflowCancelledError,
  WorkflowFailedError,
  WorkflowTimeoutError,
  type CloacinaErrorCode,
  type ConnectionObstacle,
  type DatabasePlace,
  type MovePlaces,
  type EndedChild,
  type EndedExecution,
  type FailedItems,
  type StoredError,
} from './errors/index.js';
export type {
  DoctorFinding,
  DoctorOptions,
  DoctorReport,
  ExaminedServer,
  FindingFact,
  FindingSeverity,
  ServersDoctorOptions,
  ServersDoctorReport,
  SkippedCheck,
} from './doctor/doctor-types.js';
export { DOCTOR_CHECKS, runDoctor } from './doctor/run-doctor.js';
export { runDoctorOnServers } from './doctor/run-doctor-on-servers.js';
export {
  CloacinaRecovery,
  type BlockedTask,
  type RecoveryEvent,
  type RecoveryEventFilter,
  type RecoveryStats,
} from './recovery/cloacina-recovery.js';
export { CloacinaRecoveryJobs, RECOVERY_JOB } from './recovery/recovery-jobs.js';
export type { RecoveryCause, RecoveryReport } from './recovery/tenant-recovery.js';
export type { ConnectionSource } from './store/postgres/connections/connection-config.js';
export { CloacinaLimits } from './runner/cloacina-limits.js';
export type { ActionEntry, ActionFilter } from './runner/action-entry.js';
export type { ActionKind } from './store/port/actions.js';
export type {
  ActorOptions,
  CancelOptions,
  PauseOptions,
  ReasonOptions,
  ResumeExecutionOptions,
} from './runner/reason-options.js';
export type { ArchiveContext, ArchivedExecution, ArchiveSink } from './runner/archive.js';
export type { RetentionStatus } from './runner/retention.js';
export type { RetentionPeriods } from './workflow/retention.js';
export type { PausedWorkflow } from './runner/workflow-pause.js';
export type {
  AdmissionFilter,
  AdmissionPage,
  AdmissionSettings,
  AdmissionState,
  LimitFilter,
  LimitHolder,
  LimitKeyRef,
  LimitPage,
  LimitSettings,
  LimitState,
} from './runner/limit-state.js';
export { CloacinaRunner } from './runner/cloacina-runner.js';
export type { BulkExecutions } from './runner/bulk/bulk-executions.js';
export type { ExecutionQueries } from './runner/execution-queries.js';
export type { TenantUpkeep } from './runner/tenant-upkeep.js';
export type {
  ExplainReason,
  ItemGroup,
  OpenDependency,
  ProcessRef,
  UnableProcess,
} from './runner/explain/explain-reason.js';
export type {
  ExecutionExplanation,
  ServingProcess,
  TaskExplanation,
} from './runner/explain/explanation.js';
export type {
  Execution,
  ExecutionParent,
  ExecutionResult,
  ExecutionSummary,
  ExecutionUpdate,
  ExecutionWaiting,
  GetOptions,
  TaskAttempt,
  TaskDetails,
  TaskItems,
  TaskProgress,
  TaskStep,
  TaskWaiting,
  WorkflowExecution,
} from './runner/execution.js';
export type {
  ExecutionCountFilter,
  ExecutionFilter,
  ExecutionPage,
  WorkflowCounts,
} from './runner/execution-filter.js';
export {
  CloacinaStatistics,
  type CappedCount,
  type CappedWorkflowCounts,
  type CountsByWorkflow,
  type FailureGroup,
  type FailureGroups,
  type FailureOptions,
  type NotCompletedStatus,
  type Series,
  type SeriesBucket,
  type SeriesOptions,
  type StatusCountOptions,
  type StatusCounts,
  type VersionsOptions,
  type WorkflowCountOptions,
  type WorkflowVersion,
  type WorkflowVersions,
} from './runner/statistics/index.js';
export type { ExecutionHandle } from './runner/execution-handle.js';
export type { ResultOptions, UnsettledOptions } from './runner/result-options.js';
export type * from './runner/bulk/bulk-options.js';
export type * from './runner/bulk/start-many-options.js';
export type { ExecutionTree, TreeOptions } from './runner/execution-tree.js';
export type * from './runner/history-entry.js';
export type { WorkflowGraph, WorkflowGraphTask } from './runner/workflow-graph.js';
export type { RetryExecutionOptions } from './runner/retry-options.js';
export type {
  KeyedTarget,
  SendOptions,
  SignalSendOptions,
  SignalTarget,
} from './runner/message-request.js';
export type { WatchOptions } from './runner/watch-options.js';
export type { BatchOptions } from './runner/batch-request.js';
export type { DebounceOptions } from './runner/debounce-request.js';
export type { StartOptions } from './runner/start-request.js';
export type { TaskRunner } from './runner/task-runner.js';
export { CloacinaAdmin } from './tenants/admin/cloacina-admin.js';
export type * from './tenants/admin/admin-options.js';
export type { TenantMove } from './tenants/moving/tenant-move.js';
export { CloacinaMigrator, type MigrationResult } from './tenants/migrations/cloacina-migrator.js';
export { withMigrators } from './tenants/migrations/with-migrators.js';
export { CloacinaTokens, type CompletedToken } from './tenants/hosting/cloacina-tokens.js';
export { CloacinaHealth } from './tenants/health/cloacina-health.js';
export type * from './tenants/health/health-report.js';
export { CloacinaTenants } from './tenants/hosting/cloacina-tenants.js';
export type { CurrentMove, LeftCopy } from './tenants/hosting/current-move.js';
export type { MigrateAllOptions, TenantMigration } from './tenants/migrations/migrate-fleet.js';
export type * from './tenants/moving/move-options.js';
export type { FinishedMove } from './tenants/moving/finish-move.js';
export type { ApplicationMigrations } from './tenants/moving/target-schema.js';
export { CloacinaExceptionFilter } from './tenants/requests/cloacina-exception.filter.js';
export { CurrentRunner, CurrentTenant, TenantGuard } from './tenants/requests/current-tenant.js';
export type { Tenant } from './tenants/hosting/tenant.js';
export { TenantResolver } from './tenants/requests/tenant-resolver.js';
export {
  all,
  always,
  any,
  contextValue,
  none,
  notFailed,
  rules,
  taskFailed,
  taskSkipped,
  taskSucceeded,
  type ChildNode,
  type Admission,
  type ContextOperator,
  type ContextRule,
  type DependenciesRule,
  type Duration,
  type ExecutionStatus,
  type GroupRule,
  type GroupRuleKind,
  type ItemFailureRule,
  type LimitDefinition,
  type LimitNumbers,
  type LimitRef,
  type MapNode,
  type NodeKind,
  type ParentEnd,
  type Rate,
  type SkipReason,
  type SleepNode,
  type Tags,
  type TaskKind,
  type TaskLimitOptions,
  type TaskNode,
  type TaskRule,
  type TaskRuleKind,
  type TaskStatus,
  type TimeoutOutcome,
  type TriggerRule,
  type WaitNode,
  type WhenFull,
} from './workflow/index.js';
export { CloacinaSchedules } from './runner/cloacina-schedules.js';
export type * from './runner/schedule-options.js';
export type { Firing, ScheduleFailure, TenantSchedule } from './runner/schedule.js';
export type * from './runner/schedules/index.js';
export { CloacinaPollers, type SetCursorOptions } from './runner/pollers/cloacina-pollers.js';
export type { TenantPoller } from './runner/pollers/tenant-poller.js';
export type { CatchUp, Overlap, ScheduleInfo, ScheduleSpec } from './workflow/schedule/index.js';
