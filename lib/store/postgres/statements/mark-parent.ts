import { executionOf, NO_COLUMNS, type Statement } from './statement.js';
import { END_CHILDREN } from '../../port/index.js';

/**
 * Notes that an execution has children, before a transaction starts one: the row must not stay locked until the commit,
 * because outcomes of other tasks wait for it. If the transaction rolls back, the bit finds no children, and is cleared.
 */
export const markParent: Statement = {
  name: 'mark_parent',
  columns: NO_COLUMNS,
  text: (tables) => `UPDATE ${tables.execution} x SET unsettled = x.unsettled | ${END_CHILDREN}
  WHERE ${executionOf('$1::uuid')} AND x.unsettled & ${END_CHILDREN} = 0`,
};
