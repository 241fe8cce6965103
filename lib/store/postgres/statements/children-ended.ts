import { executionOf, NO_COLUMNS, type Statement } from './statement.js';
import { END_CHILDREN } from '../../port/index.js';

/**
 * Clears the bit of ended executions whose children need no longer be ended. An execution that was retried in between
 * keeps it, because its new end has to end its children too. So does one with a child that has not ended; a scalar
 * subquery finds it, because NOT EXISTS could become a join with the whole index of parents.
 */
export const childrenEnded: Statement = {
  name: 'children_ended',
  columns: NO_COLUMNS,
  text: (tables) => `UPDATE ${tables.execution} x SET unsettled = x.unsettled & ~${END_CHILDREN}
  FROM (SELECT id FROM unnest($1::uuid[]) i(id) ORDER BY id) e
  WHERE ${executionOf('e.id')} AND x.unsettled & ${END_CHILDREN} = ${END_CHILDREN} AND x.completed_at IS NOT NULL
    AND (x.status || '' = 'Completed' OR (
      SELECT c.id FROM ${tables.execution} c
      WHERE c.parent_execution_id = e.id AND c.parent_execution_id IS NOT NULL AND c.completed_at IS NULL
        AND c.on_parent_end = 'cancel' AND c.status || '' <> 'Finishing' LIMIT 1) IS NULL)`,
};
