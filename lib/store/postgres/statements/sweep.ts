import { bigint, columns, epochMs, integer, long, orNull, text, uuid } from './columns.js';
import { LIVING_LOCKS } from './liveness-locks.js';
import { LEASE_COLUMNS, leaseOf } from './recovery.js';
import type { BulkStatement, TenantTables } from './statement.js';
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
const LEASE = 1;
const OWNER = 2;
const TASK = 3;
const DEADLINE = 4;
const LOCK = 5;
const SCHEMA = 6;

const SWEEP = columns({
  kind: integer,
  ...LEASE_COLUMNS,
  owner: orNull(uuid),
  inMs: long,
  schemaId: orNull(bigint),
  living: text,
});
type SweepRow = ReturnType<typeof SWEEP.decode>[number];

/**
 * All that is asked regularly of all tenants, in one statement for many of them. Each is answered from single entries
 * of partial indexes, by rows only where there is something to tell. Not prepared: the server would keep a plan of
 * fifty schemas for each.
 *
 * Planning is most of its cost, some 0.2 ms a schema, and grows with each relation and index that it names; so what
 * rarely matters (what becomes due behind a task that is due and not taken) is asked in {@link readDueTimes}.
 */
export const readSweep: BulkStatement<SweepRow> = {
  columns: SWEEP,
  textFor: (tenants) => tenants.map(sweepOf).join(UNION),
};

/** Also lists the locks that say who lives. */
export const readSweepAndLocks: BulkStatement<SweepRow> = {
  columns: SWEEP,
  textFor: (tenants) =>
    [
      ...tenants.map(sweepOf),
      `SELECT ${SWEEP.selectSome({ kind: String(LOCK), living: 's.session' })} FROM (${LIVING_LOCKS}) s`,
    ].join(UNION),
};

const UNION = '\n    UNION ALL ';

function sweepOf(tables: TenantTables, i: number): string {
  const row = (kind: number, expressions: Parameters<typeof SWEEP.selectSome>[0]): string =>
    SWEEP.selectSome({ tenant: String(i), kind: String(kind), ...expressions });
  const inMs = (time: string): { inMs: string } => ({
    inMs: epochMs(`${time} - clock_timestamp()`),
  });
  const schemaId = `to_regnamespace(${tables.schemaLiteral})::oid::bigint`;
  return `SELECT ${row(LEASE, leaseOf(i))} FROM ${tables.lease} l
    UNION ALL SELECT DISTINCT ${row(OWNER, { owner: 't.owner' })}
      FROM ${tables.task} t WHERE t.status = 'Running'
    UNION ALL (SELECT ${row(TASK, inMs('t.run_at'))}
      FROM ${tables.task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0 ORDER BY t.run_at LIMIT 1)
    UNION ALL (SELECT ${row(DEADLINE, inMs('x.deadline_at'))}
      FROM ${tables.execution} x WHERE x.deadline_at IS NOT NULL ORDER BY x.deadline_at LIMIT 1)
    UNION ALL SELECT ${row(SCHEMA, { schemaId })}`;
}

/** By index of the tenant, and the locks. */
export function sweepResultOf(
  rows: readonly SweepRow[],
  tenants: number,
): { readonly sweeps: readonly RawSweep[]; readonly living: Set<string> } {
  const found = Array.from({ length: tenants }, () => new SweptTenant());
  const living = new Set<string>();
  for (const row of rows) {
    if (row.kind === LOCK) living.add(row.living);
    else found[row.tenant]?.add(row);
  }
  return { sweeps: found, living };
}

class SweptTenant implements RawSweep {
  readonly leases: LeaseRow[] = [];
  readonly owners: (string | null)[] = [];
  firstTaskInMs: number | null = null;
  firstDeadlineInMs: number | null = null;
  schemaId: string | null = null;

  add({ kind, owner, inMs, schemaId, living: _, ...lease }: SweepRow): void {
    if (kind === LEASE) this.leases.push(lease);
    else if (kind === OWNER) this.owners.push(owner);
    else if (kind === TASK) this.firstTaskInMs = inMs;
    else if (kind === DEADLINE) this.firstDeadlineInMs = inMs;
    else if (kind === SCHEMA) this.schemaId = schemaId;
  }

  get unleased(): (string | null)[] {
    return this.owners.filter((id) => !this.leases.some(({ instanceId }) => instanceId === id));
  }
}
