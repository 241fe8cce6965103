import { HIGH_CHURN, type TableGroup } from './table-group.js';

/** The lists by which the claims of a process are found; see `statements/claim-batch.ts`. */
export const CLAIMS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_claim_batch (
  instance_id uuid NOT NULL,
  no bigint NOT NULL,
  execution_ids uuid[] NOT NULL,
  task_nos integer[] NOT NULL,
  item_nos integer[] NOT NULL,
  PRIMARY KEY (instance_id, no)
) WITH (${HIGH_CHURN}, toast_tuple_target = 8160);
-- To compress the arrays would take more time than to write them.
ALTER TABLE ${schema}.cloacina_claim_batch ALTER execution_ids SET STORAGE EXTERNAL,
  ALTER task_nos SET STORAGE EXTERNAL, ALTER item_nos SET STORAGE EXTERNAL;
`,
  comments: [
    [
      'TABLE',
      'claim_batch',
      'The tasks that each statement of a process has claimed, in place of an index on their owner. A row is deleted when all its claims have ended.',
    ],
    ['COLUMN', 'claim_batch.instance_id', 'The owner of the claims; see cloacina_runner_lease.'],
    ['COLUMN', 'claim_batch.no', 'The number of the statement in its process.'],
    [
      'COLUMN',
      'claim_batch.execution_ids',
      'The claimed tasks, with task_nos and item_nos. A claim has ended if the task is not Running under this owner.',
    ],
  ],
};
