import type { OpenTenant } from '../../support/open-tenant.js';
import { PER_KEY, TOTAL } from './limited.js';

/**
 * Notes every begin and every end of a claim of a limited task. A claim sees only ends that are committed, and these were
 * noted before their commit; so if no limit is ever exceeded, no sum of this list exceeds it either.
 */
export async function audit({ query, schema }: OpenTenant): Promise<void> {
  await query(`
    CREATE SEQUENCE ${missingHolders(schema)};
    CREATE SEQUENCE ${completions(schema)};
    CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY, limit_key text, change integer, at timestamptz);
    CREATE FUNCTION audit_claim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".audit (limit_key, change, at)
      VALUES (NEW.limit_key, CASE WHEN NEW.status = 'Running' THEN 1 ELSE -1 END, clock_timestamp());
      IF NEW.status = 'Completed' THEN PERFORM nextval('${completions(schema)}'); END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER audit AFTER UPDATE ON cloacina_task_execution FOR EACH ROW
      WHEN (NEW.limit_key IS NOT NULL AND (OLD.status = 'Running') <> (NEW.status = 'Running'))
      EXECUTE FUNCTION audit_claim()`);
}

/** The sequence of {@link missingSoFar}. */
export function missingHolders(schema: string): string {
  return `"${schema}".missing_holders`;
}

/** Number of claims so far, without a look at the list. */
export async function claimsSoFar(client: OpenTenant): Promise<number> {
  return (await lastValue(client, `"${client.schema}".audit_id_seq`)) / 2;
}

/** How often a claim has met a holder whose task is younger than its snapshot. */
export function missingSoFar(client: OpenTenant): Promise<number> {
  return lastValue(client, missingHolders(client.schema));
}

function completions(schema: string): string {
  return `"${schema}".completions`;
}

/** Number of limited tasks that have completed so far, without a look at the list. */
export function completedSoFar(client: OpenTenant): Promise<number> {
  return lastValue(client, completions(client.schema));
}

async function lastValue({ query }: OpenTenant, sequence: string): Promise<number> {
  const [row] = await query<{ n: string | null }>('SELECT pg_sequence_last_value($1) AS n', [
    sequence,
  ]);
  return Number(row?.n ?? 0);
}

export interface Audited {
  /** Number of claims. */
  readonly claims: number;
  /** Number of claims that took a slot of a key, or of the total, which was not free. */
  readonly over: number;
  /** The highest number of tasks that ran at a time: of one key, and of all keys. */
  readonly ofKey: number;
  readonly ofAll: number;
}

export async function audited({ query }: OpenTenant): Promise<Audited> {
  const [row] = await query<Record<keyof Audited, string>>(`
    SELECT count(*) FILTER (WHERE change > 0) AS claims, max(of_key) AS "ofKey", max(of_all) AS "ofAll",
           count(*) FILTER (WHERE change > 0 AND (of_key > ${PER_KEY} OR of_all > ${TOTAL})) AS over
    FROM (
      SELECT change, sum(change) OVER (PARTITION BY limit_key ORDER BY at, change, id) AS of_key,
             sum(change) OVER (ORDER BY at, change, id) AS of_all
      FROM audit
    ) a`);
  return {
    claims: Number(row?.claims),
    over: Number(row?.over),
    ofKey: Number(row?.ofKey),
    ofAll: Number(row?.ofAll),
  };
}

/** Number of limited tasks that the process with this application name has claimed. */
export async function heldBy({ query }: OpenTenant, application: string): Promise<number> {
  const [row] = await query<{ n: string }>(
    `SELECT count(*) AS n FROM cloacina_runner_lease l JOIN cloacina_claim_batch b USING (instance_id)
       CROSS JOIN LATERAL unnest(b.execution_ids, b.task_nos, b.item_nos) c(execution_id, task_no, item_no)
       CROSS JOIN LATERAL (
         SELECT FROM cloacina_task_execution t
         WHERE (t.execution_id, t.task_no, t.item_no) = (c.execution_id, c.task_no, c.item_no)
           AND t.owner = l.instance_id AND t.status = 'Running' AND t.limit_key IS NOT NULL OFFSET 0) t
     WHERE 'cloacina:' || l.process_id = $1`,
    [application],
  );
  return Number(row?.n);
}

/** Whether the server executes nothing for the process with this application name. */
export async function isSilent({ query }: OpenTenant, application: string): Promise<boolean> {
  const busy = await query(
    `SELECT FROM pg_stat_activity WHERE application_name = $1 AND state IN ('active', 'idle in transaction')`,
    [application],
  );
  return busy.length === 0;
}
