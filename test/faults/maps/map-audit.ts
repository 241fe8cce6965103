import type { OpenTenant } from '../../support/open-tenant.js';

/**
 * Logs every end of a task or an item, by a trigger in the transaction of the end. An end of a row that has ended already
 * is logged too: without the fence, its token moves on.
 */
export async function auditEnds({ query, schema }: OpenTenant): Promise<void> {
  await query(`
    CREATE TABLE end_audit (execution_id uuid, task_no integer, item_no integer, generation integer, status text);
    CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".end_audit
      VALUES (NEW.execution_id, NEW.task_no, NEW.item_no, NEW.generation, NEW.status);
      RETURN NULL;
    END $$;
    CREATE TRIGGER note_end AFTER UPDATE ON cloacina_task_execution FOR EACH ROW
      WHEN (NEW.status IN ('Completed', 'Failed', 'Skipped', 'Cancelled')
        AND (OLD.status <> NEW.status OR OLD.claim_token <> NEW.claim_token))
      EXECUTE FUNCTION note_end()`);
}

/** The tasks and items with more than one end in one run of their execution. */
export function doubledEnds({ query }: OpenTenant): Promise<object[]> {
  return query(
    `SELECT task_no, item_no, generation, array_agg(status) AS ends FROM end_audit
     GROUP BY execution_id, task_no, item_no, generation HAVING count(*) > 1`,
  );
}

export interface MapRow {
  readonly status: string;
  readonly pending: number;
  readonly unmet: number;
  readonly stored: number;
  readonly open: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** The row of a map (task 0) with counts of its items. */
export async function mapRow({ query }: OpenTenant, id: string): Promise<MapRow> {
  const [row] = await query<MapRow>(
    `SELECT m.status, m.pending_dependencies AS pending, m.unmet_dependencies AS unmet, m.item_count AS stored, i.*
     FROM cloacina_task_execution m CROSS JOIN LATERAL (
       SELECT (count(*) FILTER (WHERE i.status IN ('NotStarted', 'Ready', 'Running', 'Waiting')))::integer AS open,
              (count(*) FILTER (WHERE i.status = 'Completed'))::integer AS completed,
              (count(*) FILTER (WHERE i.status = 'Failed'))::integer AS failed,
              (count(*) FILTER (WHERE i.status = 'Cancelled'))::integer AS cancelled
       FROM cloacina_task_execution i
       WHERE i.execution_id = m.execution_id AND i.task_no = m.task_no AND i.item_no > 0
     ) i
     WHERE m.execution_id = $1 AND m.task_no = 0 AND m.item_no = 0`,
    [id],
  );
  if (row === undefined) throw new Error(`Execution ${id} has no map.`);
  return row;
}
