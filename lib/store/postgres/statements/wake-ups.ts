import { columns, integer, long, nothing, text } from './columns.js';
import type { BulkStatement, Statement } from './statement.js';
import { nextDue } from './wake-up-kinds.js';
import type { DueTime, WakeUpKind } from '../../port/index.js';

const DUE = columns({ tenant: integer, kind: text, inMs: long });
type DueRow = ReturnType<typeof DUE.decode>[number];

/**
 * Reads when the next item of each kind is due in each tenant. One statement serves many tenants, and reads single entries
 * of partial indexes. A task that no process can claim stays due, and does not hide the times of others.
 */
export const readDueTimes: BulkStatement<DueRow> = {
  columns: DUE,
  textFor: (tenants) =>
    tenants
      .flatMap((tables, i) =>
        nextDue(tables, ({ kind, inMs }) => DUE.select({ tenant: String(i), kind, inMs })),
      )
      .join(' UNION ALL '),
};

/** Groups the rows by the tenant's index. */
export function dueTimesOf(rows: readonly DueRow[], tenants: number): DueTime[][] {
  const times = Array.from({ length: tenants }, (): DueTime[] => []);
  for (const { tenant, kind, inMs } of rows)
    times[tenant]?.push({ kind: kind as WakeUpKind, inMs });
  return times;
}

/**
 * The channel for all tenants of a database. Payloads contain hashes instead of names, because every role can listen.
 */
export const CHANNEL = 'cloacina';

const SENT = columns({ sent: nothing });
const NOTIFY = `SELECT ${SENT.select({ sent: 'pg_notify($1::text, p)' })} FROM unnest($2::text[]) p`;

export const notify: Statement<{ sent: null }> = {
  name: 'notify',
  columns: SENT,
  text: () => NOTIFY,
};

/** The same statement, for a session that works for many tenants. */
export const notifyAll: BulkStatement<{ sent: null }> = { columns: SENT, textFor: () => NOTIFY };
