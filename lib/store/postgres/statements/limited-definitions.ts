import { LIMITED_CLAIMABLE } from './limit-candidates.js';
import type { TenantTables } from './statement.js';

/** A condition: task `t` has a limit, and waits to be claimed. It is that of the index by definition. */
export const LIMITED_WAITING = `${LIMITED_CLAIMABLE} AND t.item_no >= 0`;

/**
 * A recursive CTE `limited(id)`: the definitions of tasks with a limit that wait to be claimed, now or later. A loose scan:
 * one index entry for each definition, however many tasks wait. Its last row may be NULL.
 */
export function limitedDefinitions(tables: TenantTables): string {
  const next = (after: string): string => `(SELECT t.definition_id FROM ${tables.task} t
      WHERE ${after} ${LIMITED_WAITING} ORDER BY t.definition_id LIMIT 1)`;
  return `limited(id) AS (
      SELECT ${next('')}
      UNION ALL
      SELECT ${next('t.definition_id > l.id AND')} FROM limited l WHERE l.id IS NOT NULL
    )`;
}
