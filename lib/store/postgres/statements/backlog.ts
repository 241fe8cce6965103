import { columns, epochMs, integer, long, orNull } from './columns.js';
import type { BulkStatement, TenantTables } from './statement.js';
import { MAX_BACKLOG, type DueTasks } from '../../port/index.js';

const BACKLOG = columns({ tenant: integer, due: long, oldestMs: orNull(long) });
type BacklogRow = ReturnType<typeof BACKLOG.decode>[number];

/**
 * Counts the due tasks of many tenants, up to a maximum, and finds the oldest. Each part reads a range of a partial index
 * that only contains tasks which wait to be claimed.
 */
export const readBacklog: BulkStatement<BacklogRow> = {
  columns: BACKLOG,
  textFor: (tenants) => tenants.map((tables, i) => dueIn(tables, i)).join('\n    UNION ALL '),
};

function dueIn(tables: TenantTables, i: number): string {
  const kinds = [dueOf(tables, 'IS NULL')];
  if (tables.limits.tasks.isAsked) kinds.push(dueOf(tables, 'IS NOT NULL'));
  const tenant = String(i);
  return `SELECT ${BACKLOG.select({ tenant, due: 'count(*)', oldestMs: epochMs(`${tables.clock.now} - min(d.run_at)`) })}
    FROM (${kinds.join(' UNION ALL ')}) d`;
}

function dueOf({ task, clock }: TenantTables, limitKey: string): string {
  return `(SELECT t.run_at FROM ${task} t
      WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.limit_key ${limitKey} AND t.task_no >= 0
        AND t.run_at <= ${clock.statement}
      ORDER BY t.run_at LIMIT ${MAX_BACKLOG})`;
}

/** By index of the tenant. */
export function backlogOf(rows: readonly BacklogRow[], tenants: number): DueTasks[] {
  return Array.from({ length: tenants }, (_, i) => {
    const row = rows.find(({ tenant }) => tenant === i);
    return { due: Math.min(row?.due ?? 0, MAX_BACKLOG), oldestMs: row?.oldestMs ?? 0 };
  });
}
