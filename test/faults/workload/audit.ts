import type { Entry } from './handler.js';
import type { ReadRows } from './history.js';

/**
 * A log of every way into and out of Running, written by triggers in the transactions that make the changes, so that it
 * goes back in time with them. It doesn't depend on what the library says of itself.
 */
const INSTALL = `
CREATE TABLE claim_audit (
  no bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  execution_id uuid, task_no integer, change text, owner uuid, status text);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status = 'Running' AND NEW.status <> 'Running' THEN
    INSERT INTO claim_audit (execution_id, task_no, change, owner, status)
    VALUES (NEW.execution_id, NEW.task_no, CASE
      WHEN NEW.status <> 'Ready' THEN 'ended'
      WHEN NEW.attempt <> OLD.attempt THEN 'retried'
      WHEN NEW.recovery_attempts <> OLD.recovery_attempts THEN 'recovered'
      WHEN NEW.deferred_since IS NOT NULL THEN 'deferred'
      ELSE 'given back' END, OLD.owner, NEW.status);
  ELSIF NEW.status = 'Running' THEN
    INSERT INTO claim_audit (execution_id, task_no, change, owner, status)
    VALUES (NEW.execution_id, NEW.task_no, 'claimed', NEW.owner, NEW.status);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER note_inserted AFTER INSERT ON cloacina_task_execution
  FOR EACH ROW WHEN (NEW.status = 'Running') EXECUTE FUNCTION note_claim();
CREATE TRIGGER note_updated AFTER UPDATE ON cloacina_task_execution
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.owner IS DISTINCT FROM NEW.owner)
  EXECUTE FUNCTION note_claim();`;

/** In the schema that is the search_path. */
export async function installAudit(query: (text: string) => Promise<unknown>): Promise<void> {
  await query(INSTALL);
}

export interface AuditRow {
  readonly executionId: string;
  readonly taskNo: number;
  readonly change: 'claimed' | 'ended' | 'retried' | 'recovered' | 'deferred' | 'given back';
  readonly owner: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export function readAudit(read: ReadRows): Promise<AuditRow[]> {
  return read<AuditRow>(
    `SELECT execution_id AS "executionId", task_no AS "taskNo", change, owner,
       floor(extract(epoch FROM at) * 1000)::float8 AS at FROM claim_audit ORDER BY no`,
  );
}

/** How often claims ended otherwise than with their task, by kind: each is why a handler may have run again. */
export function exitsOf(rows: readonly AuditRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { change } of rows) {
    if (change === 'claimed' || change === 'ended') continue;
    counts[change] = (counts[change] ?? 0) + 1;
  }
  return counts;
}

export interface AuditedTask {
  readonly executionId: string;
  readonly taskNo: number;
  readonly task: string;
  readonly isTransactional: boolean;
  /** The run of which the recorded outcome is; undefined without one. */
  readonly recordedRun: string | undefined;
}

/** What a log of runs and the log of claims say of one task that can't both be; in sentences. */
export function brokenLaws(
  task: AuditedTask,
  audit: readonly AuditRow[],
  entries: readonly Entry[],
  /** Runs that began before then may be of claims that the database has forgotten. */
  forgottenBefore = 0,
): string[] {
  const wrong: string[] = [];
  const own = audit.filter(
    (row) => row.executionId === task.executionId && row.taskNo === task.taskNo,
  );
  const claims = own.filter(({ change }) => change === 'claimed');
  const runs = entries.filter(
    (entry) =>
      entry.what === 'begun' && entry.task === task.task && entry.executionId === task.executionId,
  );
  const counted = runs.filter(({ at }) => at >= forgottenBefore);
  if (counted.length > claims.length)
    wrong.push(`${task.task} ran ${counted.length} times on ${claims.length} claims`);
  // Only a transaction that was rolled back leaves nothing that a second run could double.
  const losses = own.filter(
    ({ change }) =>
      change === 'retried' ||
      change === 'recovered' ||
      change === 'deferred' ||
      (change === 'given back' && task.isTransactional),
  ).length;
  if (counted.length > losses + 1)
    wrong.push(
      `${task.task} ran ${counted.length} times with ${losses} losses or attempts recorded`,
    );
  const last = claims.at(-1);
  const recorded = runs.find(({ run }) => run === task.recordedRun);
  if (last !== undefined && recorded !== undefined && recorded.at < last.at) {
    wrong.push(
      `${task.task} has the outcome of a run of ${recorded.by} that began ${last.at - recorded.at} ms before the claim on which it is recorded`,
    );
  }
  return wrong;
}
