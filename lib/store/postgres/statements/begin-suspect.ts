import { columns, integer } from './columns.js';
import type { Statement } from './statement.js';

/**
 * From this number of losses on a task is a suspect: it may cause the losses, while the tasks beside it do not.
 *
 * Suspects run one at a time in a process. A suspect that waits for its turn has not begun, so the loss of the process is
 * not charged to it.
 *
 * A task is not a suspect after its first loss, because all tasks of a killed process have to run again at once.
 */
export const SUSPECT_AFTER = 2;

const BEGUN = columns({ taskNo: integer });

/** Notes that a suspect begins. From now on the loss of its process is charged to it. Fenced by the claim token. */
export const beginSuspect: Statement<{ taskNo: number }> = {
  name: 'begin_suspect',
  columns: BEGUN,
  text: (tables) => `UPDATE ${tables.task} SET started_at = ${tables.clock.now}
  WHERE execution_id = $1::uuid AND task_no = $2::integer AND item_no = $3::integer AND claim_token = $4::bigint
  RETURNING ${BEGUN.select({ taskNo: 'task_no' })}`,
};
