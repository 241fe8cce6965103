import { columns, integer } from './columns.js';
import type { Statement } from './statement.js';

/**
 * From this number of lost processes on a task is a suspect: it may be what kills them, and those that ran beside it are not.
 * Suspects run one at a time in a process, and while they wait for that they have not begun: the loss of the process
 * is not charged to them.
 *
 * Not from the first on: what a killed process ran has to run again at once, all of it, wherever there is room.
 */
export const SUSPECT_AFTER = 2;

const BEGUN = columns({ taskNo: integer });

/** A suspect begins: only from now on is the loss of its process charged to it. Fenced by the claim token. */
export const beginSuspect: Statement<{ taskNo: number }> = {
  name: 'begin_suspect',
  columns: BEGUN,
  text: (tables) => `UPDATE ${tables.task} SET started_at = ${tables.clock.now}
  WHERE execution_id = $1::uuid AND task_no = $2::integer AND claim_token = $3::bigint
  RETURNING ${BEGUN.select({ taskNo: 'task_no' })}`,
};
