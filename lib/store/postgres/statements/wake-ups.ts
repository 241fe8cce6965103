import { boolean, columns, epochMs, integer, long, nothing, orNull } from './columns.js';
import type { BulkStatement, Statement } from './statement.js';
import type { DueTimes } from '../../port/index.js';

const DUE = columns({
  tenant: integer,
  taskIsDue: boolean,
  nextTaskInMs: orNull(long),
  nextDeadlineInMs: orNull(long),
});
type DueRow = ReturnType<typeof DUE.decode>[number];

/**
 * When the next task and the next deadline of each tenant are due: one statement for many tenants, each answered
 * from single entries of partial indexes.
 *
 * What is due is asked for apart from what comes next: a task that no process can take stays due, and must not hide the
 * times of the others.
 */
export const readDueTimes: BulkStatement<DueRow> = {
  columns: DUE,
  textFor: (tenants) =>
    tenants
      .map(
        ({ task, execution }, i) =>
          `SELECT ${DUE.select({
            tenant: String(i),
            taskIsDue: `EXISTS (SELECT FROM ${task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0
                AND t.run_at <= statement_timestamp())`,
            nextTaskInMs: `(SELECT ${epochMs('t.run_at - clock_timestamp()')} FROM ${task} t
         WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0 AND t.run_at > statement_timestamp()
         ORDER BY t.run_at LIMIT 1)`,
            nextDeadlineInMs: `(SELECT ${epochMs('x.deadline_at - clock_timestamp()')} FROM ${execution} x
         WHERE x.deadline_at IS NOT NULL ORDER BY x.deadline_at LIMIT 1)`,
          })}`,
      )
      .join(' UNION ALL '),
};

/** By index of the tenant. */
export function dueTimesOf(rows: readonly DueRow[]): DueTimes[] {
  const times: DueTimes[] = [];
  for (const { tenant, ...due } of rows) times[tenant] = due;
  return times;
}

/** One channel for all tenants of a database; payloads carry hashes, since every role may listen. */
export const CHANNEL = 'cloacina';

const SENT = columns({ sent: nothing });
const NOTIFY = `SELECT ${SENT.select({ sent: 'pg_notify($1::text, p)' })} FROM unnest($2::text[]) p`;

export const notify: Statement<{ sent: null }> = {
  name: 'notify',
  columns: SENT,
  text: () => NOTIFY,
};

/** The same for all tenants. */
export const notifyAll: BulkStatement<{ sent: null }> = { columns: SENT, textFor: () => NOTIFY };
