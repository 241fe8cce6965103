import type { BulkPosition } from '../../port/index.js';
import { bigint, columns, long, uuid } from './columns.js';
import {
  CREATED_AT_MICROS,
  isAskedFor,
  pageOf,
  SOURCES,
  type ExecutionSource,
  type SourceName,
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
const OWN = ` AND ${isAskedFor('e.workflow')}`;
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
      text: (tables) =>
        pageOf(
          FOUND.select({ id: 'x.id', createdAtMicros: CREATED_AT_MICROS }),
          source(tables, more),
        ),
    },
    count: {
      name: `count_${name}`,
      columns: COUNTED,
      text: (tables) => `SELECT ${COUNTED.select({ count: 'count(*)' })}${source(tables, more)}`,
    },
  };
}

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
