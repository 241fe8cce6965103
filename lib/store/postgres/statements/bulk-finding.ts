import { BUILT_IN_PREFIX } from '../../../workflow/index.js';
import type { BulkPosition } from '../../port/index.js';
import { bigint, columns, long, uuid } from './columns.js';
import {
  anyExecutions,
  childExecutions,
  keyedExecutions,
  limitedExecutions,
  taggedExecutions,
  unfinishedExecutions,
  waitingExecutions,
  type ExecutionSource,
} from './execution-sources.js';
import type { Statement } from './statement.js';

const FOUND = columns({ id: uuid, createdAtMicros: bigint });
const COUNTED = columns({ count: long });

/** The time of the database, as the time of creation in a position. */
export const readNow: Statement<{ createdAtMicros: string }> = {
  name: 'read_now',
  columns: columns({ createdAtMicros: bigint }),
  text: ({ clock }) =>
    `SELECT (extract(epoch FROM ${clock.now}) * 1000000)::bigint AS "createdAtMicros"`,
};

/** Conditions of bulk operations on execution `e`: built-in workflows only by their names, and executions at the top. */
const OWN = ` AND ($1::text IS NOT NULL OR NOT starts_with(e.workflow, '${BUILT_IN_PREFIX}'))`;
const TOP = ' AND e.parent_execution_id IS NULL';

interface BulkFinding {
  readonly find: Statement<BulkPosition>;
  readonly count: Statement<{ count: number }>;
}

function findingOf(name: string, source: ExecutionSource, more: string): BulkFinding {
  return {
    find: {
      name: `find_${name}`,
      columns: FOUND,
      text: (tables) => `SELECT ${FOUND.select({
        id: 'x.id',
        createdAtMicros: '(extract(epoch FROM x.created_at) * 1000000)::bigint',
      })}${source(tables, more)}
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
    },
    count: {
      name: `count_${name}`,
      columns: COUNTED,
      text: (tables) => `SELECT ${COUNTED.select({ count: 'count(*)' })}${source(tables, more)}`,
    },
  };
}

const SOURCES = {
  any: anyExecutions,
  unfinished: unfinishedExecutions,
  tagged: taggedExecutions,
  waiting: waitingExecutions,
  limited: limitedExecutions,
  children: childExecutions,
  keyed: keyedExecutions,
} as const;

export type SourceName = keyof typeof SOURCES;

/** Each variant once, because prepared statements are counted by statement. */
const findings = new Map<string, BulkFinding>();

/** The statements that find and count executions of a source for a bulk operation. */
export function bulkFinding(source: SourceName, isTop: boolean): BulkFinding {
  const name = `${source}${isTop ? '_top' : ''}_for_bulk`;
  const known = findings.get(name);
  if (known !== undefined) return known;
  const made = findingOf(name, SOURCES[source], isTop ? OWN + TOP : OWN);
  findings.set(name, made);
  return made;
}
