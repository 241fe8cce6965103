import { columns, long, text } from './columns.js';
import { BEFORE, isAskedFor, withTags } from './execution-sources.js';
import type { Statement } from './statement.js';
import type { ExecutionCount } from '../../port/index.js';

const COUNTED = columns({ workflow: text, status: text, count: long });

function countText(executions: string): string {
  const counts = { workflow: 'e.workflow', status: 'e.status', count: 'count(*)' };
  return `SELECT ${COUNTED.select(counts)}
  FROM ${executions}
  WHERE ${isAskedFor('e.workflow')}
    AND e.created_at > coalesce($2::timestamptz, '-infinity') AND e.created_at < ${BEFORE}
    AND ($4::text[] IS NULL OR e.status = ANY ($4::text[]))
  GROUP BY e.workflow, e.status ORDER BY e.workflow, e.status`;
}

/** Counts executions by workflow and status. It reads the whole range: there are no stored counters. */
export const countExecutions: Statement<ExecutionCount> = {
  name: 'count_executions',
  columns: COUNTED,
  text: ({ execution }) => countText(`${execution} e`),
};

/** Counts executions that have all of some tags ($5). */
export const countTagged: Statement<ExecutionCount> = {
  name: 'count_tagged',
  columns: COUNTED,
  text: (tables) => countText(withTags(tables, '$5', '$4')),
};

/**
 * Counts executions with statuses other than Completed by their partial index, which contains few of many executions.
 */
export const countUnfinished: Statement<ExecutionCount> = {
  name: 'count_unfinished',
  columns: COUNTED,
  text: (
    tables,
  ) => `SELECT ${COUNTED.select({ workflow: 'c.workflow', status: 's.status', count: 'c.count' })}
  FROM unnest($4::text[]) s(status) CROSS JOIN LATERAL (
    SELECT e.workflow, count(*) FROM ${tables.execution} e
    WHERE e.status = s.status AND e.status <> 'Completed'
      AND ${isAskedFor('e.workflow')}
      AND e.created_at > coalesce($2::timestamptz, '-infinity') AND e.created_at < ${BEFORE}
    GROUP BY e.workflow
  ) c ORDER BY c.workflow, s.status`,
};
