import { EntitySchema } from 'typeorm';

/** The tasks that one statement of a process has claimed, as read through TypeORM. */
export interface ClaimBatchRow {
  instanceId: string;
  /** A bigint, as text. */
  no: string;
  executionIds: string[];
  taskNos: number[];
  itemNos: number[];
}

export const ClaimBatchEntity = new EntitySchema<ClaimBatchRow>({
  name: 'CloacinaClaimBatch',
  tableName: 'cloacina_claim_batch',
  synchronize: false,
  columns: {
    instanceId: { name: 'instance_id', type: 'uuid', primary: true },
    no: { name: 'no', type: 'bigint', primary: true },
    executionIds: { name: 'execution_ids', type: 'uuid', array: true },
    taskNos: { name: 'task_nos', type: 'integer', array: true },
    itemNos: { name: 'item_nos', type: 'integer', array: true },
  },
});
