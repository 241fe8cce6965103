/**
 * Lists the Running tasks of a schema for their owners, as the statements that claim do: for tests that make claims by
 * changes of rows. A task that is listed already may be listed again.
 *
 * @param place - the schema with a dot; without it, that of the connection's path
 */
export function listClaims(place = ''): string {
  return `INSERT INTO ${place}cloacina_claim_batch (instance_id, no, execution_ids, task_nos, item_nos)
    SELECT owner, -1000 * floor(random() * 1e12)::bigint - chunk,
           array_agg(execution_id), array_agg(task_no), array_agg(item_no)
    FROM (SELECT *, row_number() OVER (PARTITION BY owner) / 300 AS chunk
          FROM ${place}cloacina_task_execution WHERE status = 'Running') t
    GROUP BY owner, chunk`;
}
