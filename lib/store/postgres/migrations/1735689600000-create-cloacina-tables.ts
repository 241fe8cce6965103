import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ACTIONS } from './base-schema/actions.js';
import { CLAIMS } from './base-schema/claims.js';
import { DEFINITIONS } from './base-schema/definitions.js';
import { EVENT_STARTS } from './base-schema/event-starts.js';
import { EVENTS } from './base-schema/events.js';
import { EXECUTIONS } from './base-schema/executions.js';
import { LEASES } from './base-schema/leases.js';
import { LIMITS } from './base-schema/limits.js';
import { PROCESSES } from './base-schema/processes.js';
import { RETENTION } from './base-schema/retention.js';
import { SCHEDULES } from './base-schema/schedules.js';
import { commentsOf, type TableGroup } from './base-schema/table-group.js';
import { TASK_VIEW } from './base-schema/task-view.js';
import { TASKS } from './base-schema/tasks.js';
import { TENANT } from './base-schema/tenant.js';
import { WAITS } from './base-schema/waits.js';
import { WORKFLOW_PAUSES } from './base-schema/workflow-pauses.js';
import { migrationSchema } from './migration-schema.js';

/**
 * All tables at once, also those that few tenants use. A table that came later would be another migration of each of a
 * thousand schemas, and an empty table costs nothing but its entries in the catalog.
 */
const GROUPS: readonly TableGroup[] = [
  DEFINITIONS,
  EXECUTIONS,
  TASKS,
  CLAIMS,
  WAITS,
  EVENT_STARTS,
  LIMITS,
  SCHEDULES,
  WORKFLOW_PAUSES,
  ACTIONS,
  RETENTION,
  EVENTS,
  LEASES,
  PROCESSES,
  TENANT,
  TASK_VIEW,
];

/** Creates the tables that workflows run on. */
export class CreateCloacinaTables1735689600000 implements MigrationInterface {
  // Explicit, because a minifier may rename the class, and the history would no longer recognize it.
  readonly name = 'CreateCloacinaTables1735689600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = migrationSchema(queryRunner);
    const create = GROUPS.map((group) => group.create(schema)).join('');
    const comments = GROUPS.flatMap((group) => group.comments);
    // One round trip: without parameters, many statements go in one message.
    await queryRunner.query(create + commentsOf(schema, comments));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = migrationSchema(queryRunner);
    await queryRunner.query(`DROP VIEW ${schema}.cloacina_task;
      DROP TABLE
      ${schema}.cloacina_tenant,
      ${schema}.cloacina_process,
      ${schema}.cloacina_runner_lease,
      ${schema}.cloacina_recovery_event,
      ${schema}.cloacina_execution_event,
      ${schema}.cloacina_kept_key,
      ${schema}.cloacina_retention,
      ${schema}.cloacina_action,
      ${schema}.cloacina_paused_workflow,
      ${schema}.cloacina_state,
      ${schema}.cloacina_schedule_firing,
      ${schema}.cloacina_schedule,
      ${schema}.cloacina_limit_slot,
      ${schema}.cloacina_limit,
      ${schema}.cloacina_task_progress,
      ${schema}.cloacina_event_start,
      ${schema}.cloacina_event_subscription,
      ${schema}.cloacina_signal,
      ${schema}.cloacina_task_step,
      ${schema}.cloacina_claim_batch,
      ${schema}.cloacina_task_execution,
      ${schema}.cloacina_workflow_execution,
      ${schema}.cloacina_workflow_definition`);
  }
}
