import { CLAIMABLE } from './claimable-tasks.js';
import { LIMITED_WAITING } from './limited-definitions.js';
import { boolean, columns, integer } from './columns.js';
import { plainArray } from './encoding.js';
import { LOWER_LEVELS, raisedLevelOf } from './priority-level.js';
import { executionOf, taskOf, type Statement, type TenantTables } from './statement.js';
import { MAX_AGED, type AgingDefinition } from '../../port/index.js';

const PENDING = columns({ pending: integer });

/**
 * The number of executions of workflow $1 that have not begun, up to $2. The condition on the generation, which is always true,
 * is that of their index. It reads nothing of ended executions, nor of other workflows.
 */
export const countPending: Statement<{ pending: number }> = {
  name: 'count_pending',
  columns: PENDING,
  text: (tables) => `SELECT ${PENDING.select({ pending: 'count(*)::integer' })} FROM (
    SELECT FROM ${tables.execution} x WHERE x.status = 'Pending' AND x.generation >= 0 AND x.workflow = $1::text LIMIT $2::integer
  ) p`,
};

/** Class of the advisory locks that are held while the tasks of a schema age. */
const TICKET_CLASS = 1_129_072_454;

const AGED = columns({ hasTicket: boolean, aged: integer });

/**
 * Gives tasks that have been due for long a higher level of priority.
 *
 * **Level.** It follows from the age, the priority of the execution and that of the task in the definition. So nothing has to
 * be remembered, and two processes that do it after each other change nothing twice.
 *
 * **Cost.** A level of a definition in which no task has waited for `agingMs` costs one look-up in the index of claims. Of
 * the others, the first thousand tasks are looked at. Tasks behind them have waited for less, and follow when these are gone.
 * Tasks with a limit are in another index, by definition and due time: the first thousand of each definition are looked at.
 *
 * **Locks.** One process at a time, by a ticket that ends with the transaction. Locked tasks are skipped: they are being claimed.
 */
export const ageTasks: Statement<{ hasTicket: boolean; aged: number }> = {
  name: 'age_tasks',
  columns: AGED,
  text: (tables) => `WITH ticket AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(${TICKET_CLASS}, hashtext($5::text)) AS mine
  ), aging AS MATERIALIZED (
    SELECT a.definition_id, a.aging_ms, a.first_task, ${tables.clock.statement} - a.aging_ms * interval '1 millisecond' AS due_before
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS a(definition_id, aging_ms, first_task)
    WHERE (SELECT mine FROM ticket)
  ), waiting AS MATERIALIZED (
    ${waitingOfLevels(tables)}
    UNION ALL
    ${waitingWithLimit(tables)}
  ), due AS MATERIALIZED (
    SELECT w.execution_id, w.task_no, w.item_no, l.level
    FROM waiting w CROSS JOIN LATERAL (
      SELECT x.priority FROM ${tables.execution} x WHERE ${executionOf('w.execution_id')}
    ) x CROSS JOIN LATERAL (
      SELECT ${raisedLevelOf('x.priority + ($4::integer[])[w.first_task + w.task_no]', 'w.steps')} AS level
    ) l
    WHERE l.level > w.priority
    ORDER BY w.run_at LIMIT ${MAX_AGED}
  ), locked AS MATERIALIZED (
    SELECT d.* FROM due d CROSS JOIN LATERAL (
      SELECT FROM ${tables.task} t
      WHERE ${taskOf('d')} AND t.run_at <= ${tables.clock.statement} AND NOT t.paused AND t.priority < d.level
      FOR NO KEY UPDATE SKIP LOCKED
    ) t
  ), aged AS (
    UPDATE ${tables.task} t SET priority = d.level FROM locked d WHERE ${taskOf('d')} RETURNING t.task_no
  )
  SELECT ${AGED.select({ hasTicket: 'mine', aged: '(SELECT count(*) FROM aged)::integer' })} FROM ticket`,
};

/** The columns of a waiting task. `steps`: by how many levels its age has raised it. Cast, because an age has no bound. */
const WAITING = `t.execution_id, t.task_no, t.item_no, t.priority, t.run_at`;
const steps = ({ clock }: TenantTables): string =>
  `least(100, floor(extract(epoch FROM ${clock.statement} - t.run_at) * 1000 / a.aging_ms))::integer AS steps`;

function waitingOfLevels(tables: TenantTables): string {
  return `SELECT t.*, a.first_task, ${steps(tables)}
    FROM aging a CROSS JOIN ${LOWER_LEVELS} AS v(level) CROSS JOIN LATERAL (
      SELECT ${WAITING} FROM ${tables.task} t
      WHERE t.definition_id = a.definition_id AND t.priority = v.level AND t.run_at <= a.due_before AND ${CLAIMABLE}
      ORDER BY t.run_at LIMIT ${MAX_AGED}
    ) t`;
}

/** The tasks of a definition in the order of their due times: their index by definition has no levels. */
function waitingWithLimit(tables: TenantTables): string {
  return `SELECT t.*, a.first_task, ${steps(tables)}
    FROM aging a CROSS JOIN LATERAL (
      SELECT ${WAITING} FROM ${tables.task} t
      WHERE t.definition_id = a.definition_id AND t.run_at <= a.due_before AND ${LIMITED_WAITING}
      ORDER BY t.run_at LIMIT ${MAX_AGED}
    ) t`;
}

export function ageValues(definitions: readonly AgingDefinition[], schema: string): unknown[] {
  let next = 1;
  const firsts = definitions.map(({ priorities }) => {
    const first = next;
    next += priorities.length;
    return first;
  });
  return [
    plainArray(definitions.map(({ id }) => id)),
    plainArray(definitions.map(({ agingMs }) => agingMs)),
    plainArray(firsts),
    plainArray(definitions.flatMap(({ priorities }) => priorities)),
    schema,
  ];
}
