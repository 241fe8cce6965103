import { bigint, columns } from './columns.js';
import type { Statement } from './statement.js';

const EXPIRED = columns({ id: bigint });

/**
 * Deletes events that are kept no longer, the earliest first. It skips rows that other processes delete or deliver at the
 * moment.
 */
export const expireEvents: Statement<{ id: string }> = {
  name: 'expire_events',
  columns: EXPIRED,
  text: ({ signal, clock }) => `DELETE FROM ${signal} s
  WHERE s.id = ANY (ARRAY(
    SELECT e.id FROM ${signal} e WHERE e.expires_at IS NOT NULL AND e.expires_at <= ${clock.now}
    ORDER BY e.expires_at LIMIT $1::integer FOR UPDATE SKIP LOCKED))
  RETURNING ${EXPIRED.select({ id: 's.id' })}`,
};
