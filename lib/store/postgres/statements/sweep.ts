import { bigint, columns, integer, long, orNull, text, uuid } from './columns.js';
import { LIVING_LOCKS, LOCK_COLUMNS, LOCK_VALUES, livingLocksOf } from './liveness-locks.js';
import { LIMITED_WAITING } from './limited-definitions.js';
import { LEASE_COLUMNS, leaseOf } from './recovery.js';
import type { BulkStatement, TenantTables } from './statement.js';
import { firstDue } from './wake-up-kinds.js';
import type { TableUse } from '../table-use.js';
import type { DueTime, LeaseRow, LivingLocks, WakeUpKind } from '../../port/index.js';

/** The findings of a sweep in one tenant's schema. In an idle tenant all lists are empty. */
export interface RawSweep {
  readonly leases: readonly LeaseRow[];
  /**
   * Instances with claims but without a lease, left by a recovery that was interrupted or met locked rows.
   */
  readonly unleased: readonly string[];
  /** The first item of each kind, due or not. */
  readonly due: readonly DueTime[];
  /** The schema's oid. A new oid under the same name means that the schema was dropped and created again. */
  readonly schemaId: string | null;
  /** See `TenantSweep.fingerprint`. */
  readonly fingerprint: string | undefined;
  /** Whether the process looks for due tasks with a limit, or the sweep found some. */
  readonly looksForLimited: boolean;
  /** Whether it looks for executions that wait for their turn. */
  readonly looksForAdmissions: boolean;
  /** Whether the tenant uses signals and events, as far as the sweep found out. */
  readonly hasMessages: boolean;
  /** The same for schedules. */
  readonly hasSchedules: boolean;
}

/** The kinds of rows in a sweep. */
const LEASE = 1;
const OWNER = 2;
const WAKE_UP = 3;
const LOCK = 4;
const SCHEMA = 5;
const MESSAGES = 6;
const SCHEDULES = 7;
const LIMITED = 8;
const ADMISSIONS = 9;

const SWEEP = columns({
  kind: integer,
  ...LEASE_COLUMNS,
  owner: uuid,
  wakeUp: text,
  inMs: long,
  dueAt: bigint,
  schemaId: orNull(bigint),
  ...LOCK_COLUMNS,
});
type SweepRow = ReturnType<typeof SWEEP.decode>[number];

/**
 * Reads everything that is read regularly of all tenants, in one statement for many of them. Each part reads single entries
 * of partial indexes, and rows only if there are findings. It is not prepared, because the server would keep a plan of fifty
 * schemas for each text.
 *
 * Planning is most of its cost, some 0.2 ms per schema, and grows with each relation and index. So what rarely matters (the
 * next due time behind a task that stays due) is read by {@link readDueTimes}.
 */
export const readSweep: BulkStatement<SweepRow> = {
  columns: SWEEP,
  textFor: (tenants) => tenants.map(sweepOf).join(UNION),
};

/** The same sweep, and the locks of living processes. */
export const readSweepAndLocks: BulkStatement<SweepRow> = {
  columns: SWEEP,
  textFor: (tenants) =>
    [
      ...tenants.map(sweepOf),
      `SELECT ${SWEEP.selectSome({ kind: String(LOCK), ...LOCK_VALUES })} FROM (${LIVING_LOCKS}) s`,
    ].join(UNION),
};

const UNION = '\n    UNION ALL ';

function sweepOf(tables: TenantTables, i: number): string {
  const row = (kind: number, expressions: Parameters<typeof SWEEP.selectSome>[0]): string =>
    SWEEP.selectSome({ tenant: String(i), kind: String(kind), ...expressions });
  const wakeUps = firstDue(tables, ({ kind, inMs, at }) =>
    row(WAKE_UP, { wakeUp: kind, inMs, dueAt: at }),
  );
  const schemaId = `to_regnamespace(${tables.schemaLiteral})::oid::bigint`;
  return `SELECT ${row(LEASE, leaseOf(tables, i))} FROM ${tables.lease} l
    UNION ALL SELECT DISTINCT ${row(OWNER, { owner: 'b.instance_id' })}
      FROM ${tables.claimBatch} b
    ${wakeUps.map((query) => `UNION ALL ${query}`).join('\n    ')}
    ${useOf(tables.messages, tables.signal, row(MESSAGES, {}))}
    ${useOf(tables.schedules, tables.schedule, row(SCHEDULES, {}))}
    ${useOf(tables.limits.tasks, `${tables.task} t WHERE ${LIMITED_WAITING}`, row(LIMITED, {}))}
    ${tables.limits.admit ? `UNION ALL SELECT ${row(ADMISSIONS, {})}` : ''}
    UNION ALL SELECT ${row(SCHEMA, { schemaId })}`;
}

/** A row if the tenant uses the table, or rows of it. Of a tenant of which that is unknown, the table tells. */
function useOf(use: TableUse, table: string, row: string): string {
  if (!use.isAsked) return '';
  const where = use.isUnknown ? ` WHERE EXISTS (SELECT FROM ${table})` : '';
  return `UNION ALL SELECT ${row}${where}`;
}

/** Groups the rows by the tenant's index, and collects the locks. */
export function sweepResultOf(
  rows: readonly SweepRow[],
  tenants: number,
): { readonly sweeps: readonly RawSweep[]; readonly living: LivingLocks } {
  const found = Array.from({ length: tenants }, () => new SweptTenant());
  for (const row of rows) {
    if (row.kind !== LOCK) found[row.tenant]?.add(row);
  }
  return { sweeps: found, living: livingLocksOf(rows.filter(({ kind }) => kind === LOCK)) };
}

class SweptTenant implements RawSweep {
  readonly leases: LeaseRow[] = [];
  readonly owners: string[] = [];
  readonly due: DueTime[] = [];
  private readonly dueAt: string[] = [];
  schemaId: string | null = null;
  hasMessages = false;
  hasSchedules = false;
  looksForLimited = false;
  looksForAdmissions = false;

  add(row: SweepRow): void {
    const {
      kind,
      owner,
      wakeUp,
      inMs,
      dueAt,
      schemaId,
      session: _,
      ofLogin: _l,
      at: _a,
      ...lease
    } = row;
    if (kind === LEASE) this.leases.push(lease);
    else if (kind === OWNER) this.owners.push(owner);
    else if (kind === WAKE_UP) {
      this.due.push({ kind: wakeUp as WakeUpKind, inMs });
      this.dueAt.push(`${wakeUp} ${dueAt}`);
    } else if (kind === SCHEMA) this.schemaId = schemaId;
    else if (kind === MESSAGES) this.hasMessages = true;
    else if (kind === SCHEDULES) this.hasSchedules = true;
    else if (kind === LIMITED) this.looksForLimited = true;
    else if (kind === ADMISSIONS) this.looksForAdmissions = true;
  }

  get fingerprint(): string | undefined {
    const isQuiet =
      this.schemaId !== null &&
      this.unleased.length === 0 &&
      this.due.every(({ inMs }) => inMs > 0) &&
      this.leases.every(({ overForMs, readOnly }) => overForMs < 0 && !readOnly);
    // A sweep of a process that does not look for messages, schedules or limits does not stand for one that does.
    const uses = [
      this.hasMessages ? 'messages' : '',
      this.hasSchedules ? 'schedules' : '',
      this.looksForLimited ? 'limited' : '',
      this.looksForAdmissions ? 'admissions' : '',
    ];
    return isQuiet ? [this.schemaId, ...uses, ...this.dueAt].join(' ') : undefined;
  }

  get unleased(): string[] {
    return this.owners.filter((id) => !this.leases.some(({ instanceId }) => instanceId === id));
  }
}
