import type { RawRow, Statement, TenantTables } from './statement.js';
import type { DueTimes } from '../../port/index.js';

/**
 * When the next task and the next deadline of each tenant are due: one statement for many tenants, each answered
 * from single entries of partial indexes. Not prepared: the text depends on the tenants.
 *
 * What is due is asked for apart from what comes next: a task that no process can take stays due, and must not hide the
 * times of the others.
 */
export function readDueTimes(tenants: readonly TenantTables[]): string {
  return tenants
    .map(
      (tables, i) => `SELECT ${i},
        EXISTS (SELECT FROM ${tables.task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0
                AND t.run_at <= statement_timestamp())::integer,
        (SELECT (extract(epoch FROM t.run_at - clock_timestamp()) * 1000)::bigint FROM ${tables.task} t
         WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0 AND t.run_at > statement_timestamp()
         ORDER BY t.run_at LIMIT 1),
        (SELECT (extract(epoch FROM x.deadline_at - clock_timestamp()) * 1000)::bigint FROM ${tables.execution} x
         WHERE x.deadline_at IS NOT NULL ORDER BY x.deadline_at LIMIT 1)`,
    )
    .join(' UNION ALL ');
}

export function decodeDueTimes(rows: readonly RawRow[]): DueTimes[] {
  const times: DueTimes[] = [];
  for (const [index, isDue, task, deadline] of rows) {
    times[Number(index)] = {
      taskIsDue: isDue === '1',
      nextTaskInMs: task === null || task === undefined ? null : Number(task),
      nextDeadlineInMs: deadline === null || deadline === undefined ? null : Number(deadline),
    };
  }
  return times;
}

/** One channel for all tenants of a database; payloads carry hashes, since every role may listen. */
export const CHANNEL = 'cloacina';

export const NOTIFY = 'SELECT pg_notify($1::text, p) FROM unnest($2::text[]) p';

export const notify: Statement = { name: 'notify', text: () => NOTIFY };
