import { LIVING_LOCKS } from './liveness-locks.js';
import type { RawRow, TenantTables } from './statement.js';
import type { LeaseRow } from '../../port/index.js';

/** What in one tenant's schema may need attention; in an idle one, nothing. */
export interface RawSweep {
  readonly leases: readonly LeaseRow[];
  /**
   * Instances that hold claims and have no lease: an interrupted recovery left them, or one that met a locked row. Null:
   * tasks run without any owner.
   */
  readonly unleased: readonly (string | null)[];
  /** Until the first task that waits for its time is due, and the first deadline; negative: since. In milliseconds. */
  readonly firstTaskInMs: number | null;
  readonly firstDeadlineInMs: number | null;
  /** The schema's oid. A new oid under the same name means that the schema was dropped and created again. */
  readonly schemaId: string | null;
}

/** What a row of the sweep tells. */
const LEASE = '1';
const OWNER = '2';
const TASK = '3';
const DEADLINE = '4';
const LOCK = '5';
const SCHEMA = '6';

/** The database takes no writes now. */
const READ_ONLY = "current_setting('transaction_read_only') = 'on'";

/**
 * All that is asked regularly of all tenants, in one statement for many of them. Each is answered from single entries
 * of partial indexes, by rows only where there is something to tell. Not prepared: the text depends on the tenants, and
 * the server would keep a plan of fifty schemas for each.
 *
 * Planning is most of its cost, some 0.2 ms a schema, and grows with each relation and index that it names; so what
 * rarely matters (what becomes due behind a task that is due and not taken) is asked in {@link readDueTimes}.
 *
 * @param withLocks - also lists the locks that say who lives
 */
export function readSweep(tenants: readonly TenantTables[], withLocks = false): string {
  const parts = tenants.map(
    (
      tables,
      i,
    ) => `SELECT ${i}, ${LEASE}, l.instance_id, l.process_id, l.name, l.lock_epoch, ${msUntil('l.expires_at')}, ${READ_ONLY},
        l.lock_session, l.login
      FROM ${tables.lease} l
    UNION ALL SELECT DISTINCT ${i}, ${OWNER}, t.owner, NULL::uuid, NULL, NULL, NULL::bigint, NULL::boolean, NULL, NULL
      FROM ${tables.task} t WHERE t.status = 'Running'
    UNION ALL (SELECT ${i}, ${TASK}, NULL::uuid, NULL::uuid, NULL, NULL, ${msUntil('t.run_at')}, NULL::boolean, NULL, NULL
      FROM ${tables.task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0 ORDER BY t.run_at LIMIT 1)
    UNION ALL (SELECT ${i}, ${DEADLINE}, NULL::uuid, NULL::uuid, NULL, NULL, ${msUntil('x.deadline_at')}, NULL::boolean, NULL, NULL
      FROM ${tables.execution} x WHERE x.deadline_at IS NOT NULL ORDER BY x.deadline_at LIMIT 1)
    UNION ALL SELECT ${i}, ${SCHEMA}, NULL::uuid, NULL::uuid, NULL, NULL, to_regnamespace(${tables.schemaLiteral})::oid::bigint, NULL::boolean, NULL, NULL`,
  );
  if (withLocks) {
    parts.push(`SELECT NULL::integer, ${LOCK}, NULL::uuid, NULL::uuid, NULL, NULL, NULL::bigint, NULL::boolean, s.session, NULL
      FROM (${LIVING_LOCKS}) s`);
  }
  return parts.join('\n    UNION ALL ');
}

function msUntil(time: string): string {
  return `(extract(epoch FROM ${time} - clock_timestamp()) * 1000)::bigint`;
}

/** By index of the tenant, and the locks. */
export function decodeSweep(
  rows: readonly RawRow[],
  tenants: number,
): { readonly sweeps: readonly RawSweep[]; readonly living: Set<string> } {
  const found = Array.from({ length: tenants }, () => new SurveyRows());
  const living = new Set<string>();
  for (const row of rows) {
    const [tenant, kind, id, processId, name, lockEpoch, number, readOnly, lockSession, login] =
      row;
    if (kind === LOCK) living.add(lockSession ?? '');
    else if (kind === LEASE) {
      found[Number(tenant)]?.leases.push({
        tenant: Number(tenant),
        instanceId: id ?? '',
        processId: processId ?? '',
        name: name ?? '',
        lockEpoch: lockEpoch ?? null,
        overForMs: -Number(number),
        readOnly: readOnly === 't',
        lockSession: lockSession ?? null,
        login: login ?? '',
      });
    } else found[Number(tenant)]?.add(kind, id, number ?? null);
  }
  return { sweeps: found, living };
}

class SurveyRows implements RawSweep {
  readonly leases: LeaseRow[] = [];
  readonly owners: (string | null)[] = [];
  firstTaskInMs: number | null = null;
  firstDeadlineInMs: number | null = null;
  schemaId: string | null = null;

  add(kind: string | null | undefined, id: string | null | undefined, number: string | null): void {
    if (kind === OWNER) this.owners.push(id ?? null);
    else if (kind === TASK) this.firstTaskInMs = Number(number);
    else if (kind === DEADLINE) this.firstDeadlineInMs = Number(number);
    else if (kind === SCHEMA) this.schemaId = number;
  }

  get unleased(): (string | null)[] {
    return this.owners.filter((id) => !this.leases.some(({ instanceId }) => instanceId === id));
  }
}
