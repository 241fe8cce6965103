import { setTimeout as delay } from 'node:timers/promises';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { OpenTenant } from '../../support/open-tenant.js';

export const PER_KEY = 2;
/** Number of inputs in a batch. */
export const BATCH_SIZE = 4;

/** A workflow of which a few executions of each key run at a time, with two tasks and a wait between them. */
export const admitted = defineWorkflow<{ key: string; ms: number }>('admitted', {
  admission: { key: 'key', concurrency: PER_KEY },
})
  .task('first', async (context) => {
    await delay(context.get('ms'));
  })
  .sleep('pause', { for: 1, dependsOn: ['first'] })
  .task('last', { dependsOn: ['pause'] }, () => undefined)
  .build();

/**
 * Notes when an execution gets its slot and when it ends, both in the transaction that does it. An admission sees only ends that
 * are committed, so if the slots are never exceeded, no sum of this list exceeds them either.
 */
export async function auditAdmissions({ query, schema }: OpenTenant): Promise<void> {
  await query(`
    CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY, key text, change integer, at timestamptz);
    CREATE FUNCTION audit_admission() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".audit (key, change, at)
      VALUES (NEW.admission_key, CASE WHEN NEW.completed_at IS NULL THEN 1 ELSE -1 END, clock_timestamp());
      RETURN NULL;
    END $$;
    CREATE TRIGGER audit_update AFTER UPDATE ON cloacina_workflow_execution FOR EACH ROW
      WHEN (NEW.admitted AND (NOT OLD.admitted OR OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL))
      EXECUTE FUNCTION audit_admission();
    CREATE TRIGGER audit_insert AFTER INSERT ON cloacina_workflow_execution FOR EACH ROW
      WHEN (NEW.admitted) EXECUTE FUNCTION audit_admission()`);
}

/** The highest number of executions of one key that had a slot at a time. */
export async function mostAdmitted({ query }: OpenTenant): Promise<number> {
  const [row] = await query<{ most: string }>(`
    SELECT max(of_key) AS most FROM (
      SELECT sum(change) OVER (PARTITION BY key ORDER BY at, change, id) AS of_key FROM audit
    ) a`);
  return Number(row?.most);
}
