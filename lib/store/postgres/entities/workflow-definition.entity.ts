import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** A stored definition, as read through TypeORM. */
export interface WorkflowDefinitionRow {
  /** The first 63 bits of the hash. */
  id: string;
  hash: string;
  name: string;
  version: string | null;
  description: string | null;
  definition: unknown;
  taskNames: string[];
  registeredAt: Date;
}

export const WorkflowDefinitionEntity = new EntitySchema<WorkflowDefinitionRow>({
  name: 'CloacinaWorkflowDefinition',
  tableName: 'cloacina_workflow_definition',
  synchronize: false,
  columns: {
    id: {
      name: 'id',
      type: 'bigint',
      primary: true,
    },
    hash: { name: 'hash', type: 'text' },
    name: { name: 'name', type: 'text' },
    version: { name: 'version', type: 'text', nullable: true },
    description: { name: 'description', type: 'text', nullable: true },
    definition: { name: 'definition', type: 'json' },
    taskNames: { name: 'task_names', type: 'text', array: true, default: () => "'{}'" },
    registeredAt: {
      name: 'registered_at',
      type: 'timestamptz',
      default: () => SERVER_CLOCK.transaction,
    },
  },
});
