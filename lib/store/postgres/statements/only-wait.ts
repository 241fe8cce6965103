import { MAX_CLAIMED_STEPS } from '../../port/index.js';
import type { TenantTables } from './statement.js';

/** A condition: step `st` is the only open one of its task, which has so few that they can be counted here. */
export function isOnlyWait({ step }: TenantTables): string {
  return `(
          SELECT count(*) FILTER (WHERE o.status = 'Open') = 1 AND count(*) <= ${MAX_CLAIMED_STEPS} FROM (
            SELECT o.status FROM ${step} o
            WHERE o.execution_id = st.execution_id AND o.task_no = st.task_no AND o.item_no = st.item_no
            LIMIT ${MAX_CLAIMED_STEPS + 1}
          ) o)`;
}
