import { bigint, columns, integer, long, orNull, text, uuid } from './columns.js';
import { LIVING_LOCKS } from './liveness-locks.js';
import { LEASE_COLUMNS, leaseOf } from './recovery.js';
import type { BulkStatement, TenantTables } from './statement.js';
import { firstDue } from './wake-up-kinds.js';
import type { DueTime, LeaseRow, WakeUpKind } from '../../port/index.js';

/** What in one tenant's schema may need attention; in an idle one, nothing. */
export interface RawSweep {
  readonly leases: readonly LeaseRow[];
  /**
   * Instances that hold claims and have no lease: an interrupted recovery left them, or one that met a locked row. Null:
   * tasks run without any owner.
   */
  readonly unleased: readonly (string | null)[];
  /** The first of each kind, due or not. */
  readonly due: readonly DueTime[];
  /** The schema's oid. A new oid under the same name means that the schema was dropped and created again. */
  readonly schemaId: string | null;
}

/** What a row of the sweep tells. */
const LEASE = 1;
const OWNER = 2;
const WAKE_UP = 3;
const LOCK = 4;
const SCHEMA = 5;

const SWEEP = columns({
  kind: integer,
  ...LEASE_COLUMNS,
  owner: orNull(uuid),
  wakeUp: text,
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
  const wakeUps = firstDue(tables, ({ kind, inMs }) => row(WAKE_UP, { wakeUp: kind, inMs }));
  const schemaId = `to_regnamespace(${tables.schemaLiteral})::oid::bigint`;
  return `SELECT ${row(LEASE, leaseOf(tables, i))} FROM ${tables.lease} l
    UNION ALL SELECT DISTINCT ${row(OWNER, { owner: 't.owner' })}
      FROM ${tables.task} t WHERE t.status = 'Running'
    ${wakeUps.map((query) => `UNION ALL ${query}`).join('\n    ')}
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
  readonly due: DueTime[] = [];
  schemaId: string | null = null;

  add({ kind, owner, wakeUp, inMs, schemaId, living: _, ...lease }: SweepRow): void {
    if (kind === LEASE) this.leases.push(lease);
    else if (kind === OWNER) this.owners.push(owner);
    else if (kind === WAKE_UP) this.due.push({ kind: wakeUp as WakeUpKind, inMs });
    else if (kind === SCHEMA) this.schemaId = schemaId;
  }

  get unleased(): (string | null)[] {
    return this.owners.filter((id) => !this.leases.some(({ instanceId }) => instanceId === id));
  }
}
