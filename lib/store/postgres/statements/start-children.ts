import { bigint, boolean, columns, jsonb, long, orNull } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { leaseClause } from './lease-clause.js';
import { unsettledBy } from './admission-slots.js';
import { lockTimeout } from './lock-timeout.js';
import {
  dueAtOf,
  fromMissingDefinitions,
  LIMIT_KEY,
  START_COLUMNS,
  startNames,
  TASKS_OF_STARTS,
} from './start-clauses.js';
import { claimedRootsClause } from './start-executions.js';
import { startValues } from './start-values.js';
import { levelOf } from './priority-level.js';
import { executionOf, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  CHILD_EVENT,
  END_CHILDREN,
  FIRST_TOKEN,
  MAX_DEPTH,
  TELL_PARENTS,
  type ChildrenReply,
  type ChildStart,
  type LeaseWrite,
  type StartedChild,
} from '../../port/index.js';

const STARTED = columns({
  index: long,
  started: boolean,
  tooDeep: boolean,
  tags: orNull(jsonb),
  missingDefinition: orNull(bigint),
});
type StartedRow = ReturnType<typeof STARTED.decode>[number];

/**
 * - `plain`: the parent's step and the child in one statement. The step decides whether the child is new.
 * - `keyed`: only the child, unless an execution has its key.
 * - `inTransaction`: as `plain`, in the transaction of the parent's task.
 * - `keyedInTransaction`: the child in that transaction, unless an execution has its key, and its step.
 */
type Variant = 'plain' | 'keyed' | 'inTransaction' | 'keyedInTransaction';

/**
 * Starts executions for tasks of other executions, and claims their root tasks as a start does.
 *
 * **Fence.** The parent's task is locked first, and its token is compared under the lock, as in `record_steps`. So no
 * child is started for a claim that was lost, and the end of the parent, which takes the claims of its tasks first, sees
 * all children that were started before. In the task's own transaction nothing is locked: its outcome is the fence, and a
 * lock would keep other statements from the task's row as long as user code runs.
 *
 * **Once.** The child is inserted only if its step is. A step that exists makes the statement do nothing, whether a
 * repeated run or a resend finds it.
 *
 * **Admission.** A child whose workflow has an admission waits for its turn. It is never skipped, because its parent waits for it.
 *
 * **Parent.** Its row is changed by its first child only, and last: it is the row that outcomes of its tasks wait for.
 * `depth` and `root_execution_id` never change, and the tags do not either, so they are read from the snapshot.
 */
function childrenText(
  tables: TenantTables,
  variant: Variant,
  { limited, admitted, traced }: ChildrenExtras,
): string {
  const { clock } = tables;
  const isKeyed = variant === 'keyed' || variant === 'keyedInTransaction';
  const isInTransaction = variant === 'inTransaction' || variant === 'keyedInTransaction';
  const isNew = isKeyed
    ? `e.depth <= ${MAX_DEPTH}${isInTransaction ? '' : ` AND ${lockTimeout('$35')}`}`
    : '(e.id IN (SELECT child_id FROM step)) IS TRUE';
  const isStarted = '(e.id IN (SELECT id FROM execution)) IS TRUE';
  const dueAt = dueAtOf(tables);
  const isClaimed = 'r.root >= 0 AND r.root < e.claims';
  // The lock timeout of the keyed statement is the parameter before it.
  let last = variant === 'keyed' ? 35 : 34;
  const extra = (isUsed: boolean): string =>
    isUsed ? `, json_array_elements_text($${++last}::json)` : '';
  const extras = extra(limited) + extra(admitted) + extra(traced);
  return `WITH i AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      ${START_COLUMNS}, json_array_elements_text($26::json), unnest($27::uuid[]),
      unnest($28::integer[]), unnest($29::integer[]), unnest($30::bigint[]), json_array_elements_text($31::json),
      unnest($32::boolean[]), unnest($33::text[]), unnest($34::boolean[])${extras}
    ) WITH ORDINALITY AS i(${startNames()}, tags, parent_id, task_no, item_no, claim_token, step, waits,
           on_parent_end, inherits_tags${limited ? ', limit_keys' : ''}${admitted ? ', admission_key' : ''}${traced ? ', trace_context' : ''}, ord)
  ), held AS MATERIALIZED (
    SELECT i.*, l.has_steps, l.attempt, l.recovery_attempts FROM i CROSS JOIN LATERAL (
      SELECT t.has_steps, t.attempt, t.recovery_attempts FROM ${tables.task} t
      WHERE t.execution_id = i.parent_id AND t.task_no = i.task_no AND t.item_no = i.item_no
        AND t.claim_token = i.claim_token
      ${isInTransaction ? '' : 'FOR NO KEY UPDATE'}
    ) l
  ), e AS MATERIALIZED (
    SELECT h.*, p.depth + 1 AS depth, p.root, p.unsettled AS parent_unsettled,
           CASE WHEN h.inherits_tags THEN p.tags ELSE h.tags::jsonb END AS own_tags,
           coalesce(h.priority, p.priority) AS own_priority
    FROM held h CROSS JOIN LATERAL (
      SELECT x.depth, coalesce(x.root_execution_id, x.id) AS root, x.unsettled, x.tags, x.priority FROM ${tables.execution} x
      WHERE ${executionOf('h.parent_id')}
    ) p
  ), ${isKeyed ? '' : `${stepClause(tables, `e.depth <= ${MAX_DEPTH}`)},`} execution AS (
    INSERT INTO ${tables.execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                                     timeout_ms, deadline_at, started_at, run_at, idempotency_key, tags, depth, unsettled,
                                     parent_execution_id, parent_task_no, parent_item_no, parent_step,
                                     root_execution_id, on_parent_end${admitted ? ', admission_key' : ''}${traced ? ', trace_context' : ''})
    SELECT id, workflow, definition_id, CASE WHEN claims > 0 THEN 'Running' ELSE 'Pending' END, own_priority,
           input::json, leaves, timeout_ms,
           CASE WHEN claims > 0 THEN ${clock.transaction} + timeout_ms * interval '1 millisecond' END,
           CASE WHEN claims > 0 THEN ${clock.transaction} END,
           CASE WHEN e.run_at IS NOT NULL OR e.delay_ms IS NOT NULL${admitted ? ' OR admission_key IS NOT NULL' : ''} THEN ${dueAt} END,
           idempotency_key, own_tags, depth, CASE WHEN waits THEN ${TELL_PARENTS} ELSE 0 END${admitted ? ` + ${unsettledBy('admission_key')}` : ''},
           parent_id, task_no, item_no, step, root, on_parent_end${admitted ? ', admission_key' : ''}${traced ? ', trace_context' : ''}
    FROM e WHERE ${isNew}
    ${isKeyed ? 'ON CONFLICT DO NOTHING' : ''}
    RETURNING id
  ), ${variant === 'keyedInTransaction' ? `${stepClause(tables, isStarted)},` : ''} ${leaseClause(tables, 17)}, task AS (
    INSERT INTO ${tables.task} (execution_id, task_no, definition_id, status, pending_dependencies, claim_token,
                                owner, priority, run_at, started_at${limited ? ', limit_key' : ''})
    SELECT e.id, k - e.first_task, e.definition_id,
           CASE WHEN r.root >= e.claims THEN 'Ready' WHEN r.root >= 0 THEN 'Running' ELSE 'NotStarted' END,
           ($14::integer[])[k],
           CASE WHEN ${isClaimed} THEN ${FIRST_TOKEN} ELSE 0 END,
           CASE WHEN ${isClaimed} THEN $17::uuid END,
           ${levelOf('e.own_priority + ($16::integer[])[k]')},
           CASE WHEN r.root >= e.claims${admitted ? ' AND e.admission_key IS NULL' : ''} THEN ${dueAt} END,
           CASE WHEN ${isClaimed} THEN ${clock.transaction} END${limited ? `, ${LIMIT_KEY}` : ''}
    ${TASKS_OF_STARTS}
    WHERE ${isStarted}
  ), ${claimedRootsClause(tables, true)}${isInTransaction ? '' : `, ${parentClause(tables)}`}
  SELECT ${STARTED.selectSome({
    index: 'e.ord - 1',
    started: isStarted,
    tooDeep: `e.depth > ${MAX_DEPTH}`,
    tags: 'e.own_tags',
  })} FROM e
  UNION ALL SELECT ${STARTED.selectSome({ missingDefinition: 'u.id' })} ${fromMissingDefinitions(tables, '$25')}`;
}

/** @param isNew - a condition on the children whose steps are inserted */
function stepClause(tables: TenantTables, isNew: string): string {
  return `step AS (
    INSERT INTO ${tables.step} (execution_id, task_no, item_no, name, kind, status, child_id, event_name, event_key,
                                completed_at)
    SELECT parent_id, task_no, item_no, step, 'child', CASE WHEN waits THEN 'Open' ELSE 'Done' END, id,
           CASE WHEN waits THEN '${CHILD_EVENT}' END, CASE WHEN waits THEN id::text END,
           CASE WHEN NOT waits THEN ${tables.clock.now} END
    FROM e WHERE ${isNew}
    ON CONFLICT DO NOTHING
    RETURNING child_id
  )`;
}

/** The parents' rows: the task has steps, and the execution has children. A started child is progress, as a step is. */
function parentClause(tables: TenantTables): string {
  return `own_task AS (
    UPDATE ${tables.task} t
    SET has_steps = true, attempt = CASE WHEN h.progress THEN 0 ELSE t.attempt END,
        recovery_attempts = CASE WHEN h.progress THEN 0 ELSE t.recovery_attempts END
    FROM (
      SELECT parent_id AS execution_id, task_no, item_no, bool_or(NOT waits) AS progress FROM e
      WHERE NOT has_steps OR NOT waits AND (attempt > 0 OR recovery_attempts > 0)
      GROUP BY 1, 2, 3
    ) h
    WHERE ${taskOf('h')}
  ), parent AS (
    UPDATE ${tables.execution} x SET unsettled = x.unsettled | ${END_CHILDREN}
    FROM (
      SELECT DISTINCT parent_id AS id FROM e WHERE parent_unsettled & ${END_CHILDREN} = 0 ORDER BY 1
    ) p
    WHERE ${executionOf('p.id')} AND x.unsettled & ${END_CHILDREN} = 0 AND (SELECT count(*) FROM execution) >= 0
  )`;
}

/** Columns that most children do not need. */
interface ChildrenExtras {
  /** Whether some children have tasks with a limit. */
  readonly limited: boolean;
  /** Whether some children have an admission. */
  readonly admitted: boolean;
  /** Whether their starts are traced. */
  readonly traced: boolean;
}

/** For each statement, the same with these columns. Each variant is made once, because statements are counted. */
const extended = new Map<
  Statement<StartedRow>,
  (extras: ChildrenExtras) => Statement<StartedRow>
>();

function statement(name: string, variant: Variant): Statement<StartedRow> {
  const made = new Map<string, Statement<StartedRow>>();
  const one = (extras: ChildrenExtras): Statement<StartedRow> => {
    const { limited, admitted, traced } = extras;
    const full = `${name}${limited ? '_limited' : ''}${admitted ? '_admitted' : ''}${traced ? '_traced' : ''}`;
    const known = made.get(full) ?? {
      name: full,
      columns: STARTED,
      text: (tables) => childrenText(tables, variant, extras),
    };
    made.set(full, known);
    return known;
  };
  const plain = one({ limited: false, admitted: false, traced: false });
  extended.set(plain, one);
  return plain;
}

export const startChildren = statement('start_children', 'plain');
export const startKeyedChild = statement('start_keyed_child', 'keyed');
export const startChildInTransaction = statement('start_child_in_transaction', 'inTransaction');
export const startKeyedChildInTransaction = statement(
  'start_keyed_child_in_transaction',
  'keyedInTransaction',
);

/**
 * Selects the statement for the children, with its parameters.
 *
 * @param lockTimeoutMs - for the keyed one
 */
export function childrenStatement(
  plain: Statement<StartedRow>,
  children: readonly ChildStart[],
  lease: LeaseWrite,
  batchNo: number,
  lockTimeoutMs?: number,
): readonly [Statement<StartedRow>, unknown[]] {
  const values = childrenValues(children, lease, batchNo);
  if (lockTimeoutMs !== undefined) values.push(lockTimeoutMs);
  const limitKeys = children.map(({ item }) => item.limitKeys);
  const keys = children.map(({ item }) => item.admission?.key ?? null);
  const traces = children.map(({ item }) => item.traceContext);
  const extras = {
    limited: limitKeys.some((key) => key !== null),
    admitted: keys.some((key) => key !== null),
    traced: traces.some((trace) => trace !== null),
  };
  if (extras.limited) values.push(jsonColumn(limitKeys));
  if (extras.admitted) values.push(JSON.stringify(keys));
  if (extras.traced) values.push(JSON.stringify(traces));
  return [extended.get(plain)?.(extras) ?? plain, values];
}

/** Where the parameters of starts have the priorities. NULL is that of the parent. */
const PRIORITY = 4;

/** The parameters of the statements, without lock timeout, limits and admissions. */
export function childrenValues(
  children: readonly ChildStart[],
  { claimant, write }: LeaseWrite,
  batchNo: number,
): unknown[] {
  const parents = children.map(({ parent }) => parent);
  const items = children.map(({ item }) => item);
  const values = startValues(items, claimant, write, batchNo);
  values[PRIORITY] = plainArray(
    children.map(({ item, inheritsPriority }) => (inheritsPriority ? null : item.priority)),
  );
  return [
    ...values,
    jsonColumn(children.map(({ item }) => item.tags)),
    plainArray(parents.map(({ executionId }) => executionId)),
    plainArray(parents.map(({ taskNo }) => taskNo)),
    plainArray(parents.map(({ itemNo }) => itemNo)),
    plainArray(parents.map(({ token }) => token)),
    JSON.stringify(parents.map(({ step }) => step)),
    plainArray(parents.map(({ waits }) => waits)),
    plainArray(children.map(({ onParentEnd }) => onParentEnd)),
    plainArray(children.map(({ inheritsTags }) => inheritsTags)),
  ];
}

/** @param count - number of children in the batch */
export function childrenReplyOf(rows: readonly StartedRow[], count: number): ChildrenReply {
  const children = Array.from({ length: count }, (): StartedChild => ({
    fate: 'refused',
    tags: null,
  }));
  let definitionsAreStored = true;
  for (const { index, started, tooDeep, tags, missingDefinition } of rows) {
    if (missingDefinition !== null) definitionsAreStored = false;
    else children[index] = { fate: started ? 'started' : tooDeep ? 'tooDeep' : 'exists', tags };
  }
  return { children, definitionsAreStored };
}
