import type { EntitySchema } from 'typeorm';
import { ActionEntity } from './action.entity.js';
import { ClaimBatchEntity } from './claim-batch.entity.js';
import { EventStartEntity, EventSubscriptionEntity } from './event-starts.entity.js';
import { ExecutionEventEntity, RecoveryEventEntity } from './events.entity.js';
import { LimitEntity, LimitSlotEntity } from './limits.entity.js';
import { PausedWorkflowEntity } from './paused-workflow.entity.js';
import { ProcessEntity } from './process.entity.js';
import { KeptKeyEntity, RetentionEntity } from './retention.entity.js';
import { RunnerLeaseEntity } from './runner-lease.entity.js';
import { ScheduleEntity, ScheduleFiringEntity, StateEntity } from './schedules.entity.js';
import { SignalEntity, TaskProgressEntity, TaskStepEntity } from './waits.entity.js';
import { TaskExecutionEntity } from './task-execution.entity.js';
import { TenantEntity } from './tenant.entity.js';
import { WorkflowDefinitionEntity } from './workflow-definition.entity.js';
import { WorkflowExecutionEntity } from './workflow-execution.entity.js';

/**
 * The library's tables as entities, for reading through TypeORM. All writes use lib/store/postgres/statements. The entities
 * are never synchronized: `dataSource.synchronize()` of an application leaves the tables to the migrations.
 */
export const cloacinaEntities: readonly EntitySchema[] = [
  WorkflowDefinitionEntity,
  WorkflowExecutionEntity,
  TaskExecutionEntity,
  ClaimBatchEntity,
  TaskStepEntity,
  SignalEntity,
  EventSubscriptionEntity,
  EventStartEntity,
  TaskProgressEntity,
  LimitEntity,
  LimitSlotEntity,
  ScheduleEntity,
  ScheduleFiringEntity,
  StateEntity,
  PausedWorkflowEntity,
  ActionEntity,
  RetentionEntity,
  KeptKeyEntity,
  ExecutionEventEntity,
  RecoveryEventEntity,
  RunnerLeaseEntity,
  ProcessEntity,
  TenantEntity,
];
