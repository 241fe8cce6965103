import { boolean, columns, integer, uuid } from './columns.js';
import { treeClause } from './delete-executions.js';
import type { Statement } from './statement.js';
import type { TreeMember } from '../../port/index.js';

const MEMBER = columns({ top: uuid, id: uuid, generation: integer, isReady: boolean });

/** The executions of the trees under `$1`. */
export const readTrees: Statement<TreeMember> = {
  name: 'read_trees',
  columns: MEMBER,
  text: (tables) =>
    `WITH RECURSIVE ${treeClause(tables, '(SELECT DISTINCT id FROM unnest($1::uuid[]) AS u(id))')}
  SELECT ${MEMBER.select({
    top: 't.top',
    id: 't.id',
    generation: 't.generation',
    isReady: 't.is_ready',
  })} FROM tree t ORDER BY t.top, t.id <> t.top, t.id`,
};
