import { columns, nothing } from './columns.js';
import type { Statement } from './statement.js';

/** Class of the advisory locks that keep the storing of items apart from the control of their execution. */
const LOCK_CLASS = 1_129_072_453;

/**
 * Takes the lock until the end of the transaction. It comes before all rows in the lock order, and statements that take it
 * wait for each other only. Two executions with the same hash delay each other, and nothing else.
 */
export const EXPANSION_LOCK = (id: string): string =>
  `pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(${id}::text))`;

const LOCKED = columns({ locked: nothing });

/**
 * Waits until no items are being stored for an execution, and keeps others from it. The next statement of the transaction
 * has a snapshot with all of them.
 */
export const lockExpansion: Statement<{ locked: null }> = {
  name: 'lock_expansion',
  columns: LOCKED,
  text: () => `SELECT ${LOCKED.select({ locked: EXPANSION_LOCK('$1::uuid') })}`,
};
