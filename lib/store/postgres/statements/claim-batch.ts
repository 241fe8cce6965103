import { NO_COLUMNS, taskOf, type Statement, type TenantTables } from './statement.js';

/**
 * The claims of a process are found by rows that list them, one for each statement that claimed, in place of an index on
 * the owner of the tasks. An index on a column that changes with each claim and outcome would make every such update
 * write to all indexes of the table; without it the updates stay on their page (HOT).
 *
 * A statement that claims always writes its list, so each Running task is in a list of its owner. A list may contain
 * tasks whose claims have ended, so a reader looks at the tasks' rows.
 */
export interface ClaimList {
  /** The parameter or expression with the instance that claims. */
  readonly instance: string;
  /** The parameter with the number of the statement, unique for the instance. */
  readonly no: string;
  /** FROM, and WHERE, of the claimed rows `c`. */
  readonly from: string;
}

/** The CTE that lists the claims that its statement makes. */
export function batchClause(tables: TenantTables, { instance, no, from }: ClaimList): string {
  return `batch AS (
    INSERT INTO ${tables.claimBatch} (instance_id, no, execution_ids, task_nos, item_nos)
    SELECT ${instance}::uuid, ${no}::bigint, array_agg(c.execution_id), array_agg(c.task_no), array_agg(c.item_no)
    FROM ${from} HAVING count(*) > 0
  )`;
}

/** The claims of list `b`: execution, task and item. */
export const LISTED = 'unnest(b.execution_ids, b.task_nos, b.item_nos)';

/** FROM of the claims `c` that the lists of an instance contain, and of the rows `t` of those that have not ended. */
export function listedClaims(tables: TenantTables, instance: string): string {
  return `${tables.claimBatch} b
    CROSS JOIN LATERAL ${LISTED} c(execution_id, task_no, item_no)
    CROSS JOIN LATERAL (${claimOf(tables, 'c', instance)}) t
    WHERE b.instance_id = ${instance}::uuid`;
}

/** The row of a listed claim while it is one. OFFSET keeps the planner from joining in another way. */
function claimOf(tables: TenantTables, key: string, instance: string): string {
  return `SELECT t.* FROM ${tables.task} t
      WHERE ${taskOf(key)} AND t.owner = ${instance}::uuid AND t.status = 'Running' OFFSET 0`;
}

/** A condition on list `b` of an instance: all of its claims have ended. */
function hasEnded(tables: TenantTables, instance: string): string {
  return `NOT EXISTS (
    SELECT FROM ${LISTED} c(execution_id, task_no, item_no)
      CROSS JOIN LATERAL (${claimOf(tables, 'c', instance)}) t
  )`;
}

/**
 * The CTE that deletes lists whose claims have all ended, as far as the process knows. The rows decide: a database that
 * has gone back in time may have lost the ends, and without its list a claim would be found by no recovery.
 *
 * @param numbers - the parameter with the numbers of the lists
 */
export function endedBatchClause(tables: TenantTables, instance: string, numbers: string): string {
  return `ended_batch AS (
    DELETE FROM ${tables.claimBatch} b
    WHERE b.instance_id = ${instance}::uuid AND b.no = ANY (${numbers}::bigint[]) AND ${hasEnded(tables, instance)}
  )`;
}

/**
 * Deletes the lists of an instance in which all claims have ended. A list is written with its claims, so this statement
 * sees either both or neither.
 */
export const forgetBatches: Statement = {
  name: 'forget_batches',
  columns: NO_COLUMNS,
  text: (tables) => `DELETE FROM ${tables.claimBatch} b
  WHERE b.instance_id = $1::uuid AND ${hasEnded(tables, '$1')}`,
};
