import { setTimeout as delay } from 'node:timers/promises';
import { defineLimit } from '../../../lib/discovery/define-limit.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { OpenTenant } from '../../support/open-tenant.js';

export const PER_KEY = 3;
export const TOTAL = 20;
const calls = defineLimit('calls', { concurrency: PER_KEY, total: TOTAL });

/** A workflow whose tasks count for the limit `calls` of their key. */
export const limited = defineWorkflow<{ key: string; ms: number }>('limited')
  .task('call', { limit: { ...calls, key: 'key' } }, async (context) => {
    await delay(context.get('ms'));
  })
  .task('after', { dependsOn: ['call'], limit: { ...calls, key: 'key' } }, () => undefined)
  .build();

/**
 * Notes every begin and every end of a claim of a limited task. A claim sees only ends that are committed, and these were
 * noted before their commit; so if no limit is ever exceeded, no sum of this list exceeds it either.
 */
export async function audit({ query, schema }: OpenTenant): Promise<void> {
  await query(`
    CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY, limit_key text, change integer, at timestamptz);
    CREATE FUNCTION audit_claim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".audit (limit_key, change, at)
      VALUES (NEW.limit_key, CASE WHEN NEW.status = 'Running' THEN 1 ELSE -1 END, clock_timestamp());
      RETURN NULL;
    END $$;
    CREATE TRIGGER audit AFTER UPDATE ON cloacina_task_execution FOR EACH ROW
      WHEN (NEW.limit_key IS NOT NULL AND (OLD.status = 'Running') <> (NEW.status = 'Running'))
      EXECUTE FUNCTION audit_claim()`);
}

/** The highest number of tasks that ran at a time: of one key, and of all keys. */
export async function highest({ query }: OpenTenant): Promise<{ key: number; total: number }> {
  const [row] = await query<{ key: string; total: string }>(`
    SELECT max(of_key) AS key, max(of_all) AS total FROM (
      SELECT sum(change) OVER (PARTITION BY limit_key ORDER BY at, change, id) AS of_key,
             sum(change) OVER (ORDER BY at, change, id) AS of_all
      FROM audit
    ) a`);
  return { key: Number(row?.key), total: Number(row?.total) };
}
