import type { EntitySchema } from 'typeorm';
import { ExecutionEventEntity, RecoveryEventEntity } from './events.entity.js';
import { RunnerLeaseEntity } from './runner-lease.entity.js';
import { TaskExecutionEntity } from './task-execution.entity.js';
import { WorkflowDefinitionEntity } from './workflow-definition.entity.js';
import { WorkflowExecutionEntity } from './workflow-execution.entity.js';

/**
 * The library's tables for reading through TypeORM; what is written goes through lib/store/statements. They are
 * never synchronized: `dataSource.synchronize()` of an application leaves them to the migrations.
 */
export const cloacinaEntities: readonly EntitySchema[] = [
  WorkflowDefinitionEntity,
  WorkflowExecutionEntity,
  TaskExecutionEntity,
  ExecutionEventEntity,
  RecoveryEventEntity,
  RunnerLeaseEntity,
];
