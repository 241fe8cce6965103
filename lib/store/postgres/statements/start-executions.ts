import { bigint, columns, orNull, uuid } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { leaseClause, leaseValues } from './lease-clause.js';
import { lockTimeout } from './lock-timeout.js';
import { levelOf } from './priority-level.js';
import type { Statement, TenantTables } from './statement.js';
import {
  type Claimant,
  FIRST_TOKEN,
  type LeaseWrite,
  type StartItem,
  type StartPlan,
  type StartReply,
} from '../../port/index.js';

const STARTED = columns({ created: orNull(uuid), missingDefinition: orNull(bigint) });
type StartedRow = ReturnType<typeof STARTED.decode>[number];

interface StartVariant {
  /** Whether some rows may exist already. The statement then returns the created ids. */
  readonly keyed: boolean;
  /** Whether the statement limits its wait for a key that another transaction is inserting. */
  readonly bounded?: boolean;
  /** Whether some executions have tags. Most batches have none, and their statement omits the column. */
  readonly tagged?: boolean;
  /** Whether some executions have waiters that the database has to know of. The same holds for them. */
  readonly awaited?: boolean;
  /** Whether some tasks have a limit. The same holds for them. */
  readonly limited?: boolean;
  /** Whether some executions must begin before a time. The same holds for them. */
  readonly expiring?: boolean;
}

/** The limit key of task `k` of execution `e`. */
export const LIMIT_KEY = '(e.limit_keys::jsonb ->> (k - e.first_task)::text)';

/** Until when execution `e` must begin: it is the deadline of an execution that has not begun. */
const START_BEFORE = ({ clock }: TenantTables): string =>
  `coalesce(e.start_before::timestamptz, ${clock.transaction} + e.start_before_ms * interval '1 millisecond')`;

/** The number of parameters that all variants have. */
const COMMON_PARAMETERS = 25;

/**
 * The CTE that lists the claimed root tasks, from the parameters.
 *
 * @param someExist - whether only the executions in the CTE `execution` were created
 */
export function claimedRootsClause(tables: TenantTables, someExist: boolean): string {
  return `batch AS (
    INSERT INTO ${tables.claimBatch} (instance_id, no, execution_ids, task_nos, item_nos)
    SELECT $17::uuid, $22::bigint, c.execution_ids, c.task_nos, array_fill(0, ARRAY[cardinality(c.task_nos)]) FROM (
      SELECT array_agg(r.id) AS execution_ids, array_agg(r.task_no) AS task_nos
      FROM unnest($23::uuid[], $24::integer[]) AS r(id, task_no)${someExist ? ' WHERE (r.id IN (SELECT id FROM execution)) IS TRUE' : ''}
    ) c WHERE c.execution_ids IS NOT NULL
  )`;
}

/**
 * Creates executions with all their tasks, and claims root tasks for the process that starts them. So if the process has
 * capacity, one commit both starts the execution and begins its tasks.
 *
 * Each execution takes its slice of the plan arrays by position (subscripts of integer arrays take constant time), so no
 * join has to be planned, and a batch may mix definitions.
 *
 * Returns the definitions that are not stored. They are missing if the database was emptied, or has lost recent commits;
 * other processes can read a definition only from its row.
 */
function startText(
  tables: TenantTables,
  {
    keyed,
    bounded = false,
    tagged = false,
    awaited = false,
    limited = false,
    expiring = false,
  }: StartVariant,
): string {
  let last = COMMON_PARAMETERS;
  const optional = (isUsed: boolean, from: (parameter: string) => string): string =>
    isUsed ? from(`$${++last}`) : '';
  const tagsOf = optional(tagged, (parameter) => `, json_array_elements_text(${parameter}::json)`);
  const waitersOf = optional(awaited, (parameter) => `, unnest(${parameter}::boolean[])`);
  const limitsOf = optional(
    limited,
    (parameter) => `, json_array_elements_text(${parameter}::json)`,
  );
  const startBeforeOf = optional(
    expiring,
    (parameter) => `, json_array_elements_text(${parameter}::json), unnest($${++last}::bigint[])`,
  );
  const limit = optional(bounded, (parameter) => ` WHERE ${lockTimeout(parameter)}`);
  const names = `${tagged ? ', tags' : ''}${awaited ? ', has_waiters' : ''}`;
  return `WITH e AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::bigint[]), json_array_elements_text($3::json), json_array_elements_text($4::json),
      unnest($5::integer[]), json_array_elements_text($6::json), unnest($7::bigint[]), unnest($8::integer[]),
      unnest($9::integer[]), unnest($10::bigint[]), unnest($11::integer[]), unnest($12::integer[]),
      json_array_elements_text($13::json)${tagsOf}${waitersOf}${limitsOf}${startBeforeOf}
    ) AS e(id, definition_id, workflow, input, priority, run_at, delay_ms, claims, leaves, timeout_ms,
           first_task, task_count, idempotency_key${names}${limited ? ', limit_keys' : ''}${expiring ? ', start_before, start_before_ms' : ''})
  ), execution AS (
    INSERT INTO ${tables.execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                                     timeout_ms, deadline_at, started_at, run_at, idempotency_key${names})
    SELECT id, workflow, definition_id, CASE WHEN claims > 0 THEN 'Running' ELSE 'Pending' END, priority,
           input::json, leaves, timeout_ms,
           CASE WHEN claims > 0 THEN ${tables.clock.transaction} + timeout_ms * interval '1 millisecond'${expiring ? ` ELSE ${START_BEFORE(tables)}` : ''} END,
           CASE WHEN claims > 0 THEN ${tables.clock.transaction} END,
           CASE WHEN e.run_at IS NOT NULL OR e.delay_ms IS NOT NULL
                THEN coalesce(e.run_at::timestamptz, ${tables.clock.transaction}) + coalesce(e.delay_ms, 0) * interval '1 millisecond' END,
           idempotency_key${tagged ? ', tags::jsonb' : ''}${awaited ? ', has_waiters' : ''}
    FROM e${limit}
    ${keyed ? 'ON CONFLICT DO NOTHING' : ''}
    RETURNING id
  ), ${leaseClause(tables, 17)}, task AS (
    INSERT INTO ${tables.task} (execution_id, task_no, definition_id, status, pending_dependencies, claim_token,
                                owner, priority, run_at, started_at${limited ? ', limit_key' : ''})
    SELECT e.id, k - e.first_task, e.definition_id,
           CASE WHEN r.root < 0 THEN 'NotStarted' WHEN r.root < e.claims THEN 'Running' ELSE 'Ready' END,
           ($14::integer[])[k],
           CASE WHEN r.root >= 0 AND r.root < e.claims THEN ${FIRST_TOKEN} ELSE 0 END,
           CASE WHEN r.root >= 0 AND r.root < e.claims THEN $17::uuid END,
           ${levelOf('e.priority + ($16::integer[])[k]')},
           CASE WHEN r.root >= e.claims
                THEN coalesce(e.run_at::timestamptz, ${tables.clock.transaction}) + coalesce(e.delay_ms, 0) * interval '1 millisecond' END,
           CASE WHEN r.root >= 0 AND r.root < e.claims THEN ${tables.clock.transaction} END${
             limited
               ? `,
           ${LIMIT_KEY}`
               : ''
           }
    FROM e
      CROSS JOIN LATERAL generate_series(e.first_task, e.first_task + e.task_count - 1) k
      CROSS JOIN LATERAL (SELECT ($15::integer[])[k] AS root) r
    ${keyed ? 'WHERE (e.id IN (SELECT id FROM execution)) IS TRUE' : ''}
  ), ${claimedRootsClause(tables, keyed)}
  SELECT ${STARTED.selectSome({ missingDefinition: 'u.id' })} FROM unnest($25::bigint[]) u(id) WHERE NOT EXISTS (SELECT FROM ${tables.definition} d WHERE d.id = u.id)
  ${keyed ? `UNION ALL SELECT ${STARTED.selectSome({ created: 'id' })} FROM execution` : ''}`;
}

/** Each variant once, because prepared statements are counted by statement. */
const statements = new Map<string, Statement<StartedRow>>();

/** For starts without an idempotency key, which cannot conflict. With `keyed`, the statement returns the created ids. */
function variantOf(variant: StartVariant): Statement<StartedRow> {
  const { keyed, bounded = false, tagged = false, awaited = false } = variant;
  const { limited = false, expiring = false } = variant;
  const name = `start${keyed ? '_keyed' : ''}${tagged ? '_tagged' : ''}${awaited ? '_awaited' : ''}${limited ? '_limited' : ''}${expiring ? '_expiring' : ''}_executions${bounded ? '_within' : ''}`;
  const known = statements.get(name);
  if (known !== undefined) return known;
  const made: Statement<StartedRow> = {
    name,
    columns: STARTED,
    text: (tables) => startText(tables, variant),
  };
  statements.set(name, made);
  return made;
}

/** The most frequent variant. */
export const startExecutions = variantOf({ keyed: false });

/** Selects the statement for the items, with its parameters. */
export function startStatement(
  items: readonly StartItem[],
  { claimant, write }: LeaseWrite,
  batchNo: number,
  {
    keyed,
    lockTimeoutMs,
  }: { readonly keyed: boolean; readonly lockTimeoutMs?: number | undefined },
): readonly [Statement<StartedRow>, unknown[]] {
  const values = startValues(items, claimant, write, batchNo);
  const bounded = lockTimeoutMs !== undefined;
  const tagged = items.some(({ tags }) => tags !== null);
  const awaited = items.some(({ hasWaiters }) => hasWaiters);
  if (tagged) values.push(jsonColumn(items.map(({ tags }) => tags)));
  if (awaited) values.push(plainArray(items.map(({ hasWaiters }) => hasWaiters)));
  const limited = items.some(({ limitKeys }) => limitKeys !== null);
  if (limited) values.push(jsonColumn(items.map(({ limitKeys }) => limitKeys)));
  const expiring = items.some(({ startBefore }) => startBefore !== null);
  if (expiring) {
    values.push(
      JSON.stringify(items.map(({ startBefore }) => startBefore?.at ?? null)),
      plainArray(items.map(({ startBefore }) => startBefore?.inMs)),
    );
  }
  if (bounded) values.push(lockTimeoutMs);
  return [variantOf({ keyed, bounded, tagged, awaited, limited, expiring }), values];
}

/** The parameters of the statements, without tags and lock timeout. */
export function startValues(
  items: readonly StartItem[],
  claimant: Claimant,
  writeLease: boolean,
  batchNo: number,
): unknown[] {
  const { values, plans } = startColumns(items);
  return [
    ...values,
    ...leaseValues(claimant, writeLease),
    batchNo,
    ...claimedRoots(items),
    plainArray(plans.map(({ definitionId }) => definitionId)),
  ];
}

/** The first sixteen of them, which describe the executions and their tasks, and the plans that occur. */
export function startColumns(items: readonly StartItem[]): {
  readonly values: unknown[];
  readonly plans: readonly StartPlan[];
} {
  const firstTasks = new Map<StartPlan, number>();
  const pending: number[] = [];
  const roots: number[] = [];
  const priorities: number[] = [];
  for (const { plan } of items) {
    if (firstTasks.has(plan)) continue;
    // Array subscripts in PostgreSQL begin at 1.
    firstTasks.set(plan, pending.length + 1);
    for (let no = 0; no < plan.priorities.length; no++) {
      pending.push(plan.pendingDependencies[no] ?? 0);
      roots.push(plan.rootOrdinals[no] ?? -1);
      priorities.push(plan.priorities[no] ?? 0);
    }
  }
  const values = [
    plainArray(items.map((item) => item.id)),
    plainArray(items.map((item) => item.plan.definitionId)),
    JSON.stringify(items.map((item) => item.plan.workflow)),
    jsonColumn(items.map((item) => item.input)),
    plainArray(items.map((item) => item.priority)),
    JSON.stringify(items.map((item) => item.runAt)),
    plainArray(items.map((item) => item.delayMs)),
    plainArray(items.map((item) => item.claims)),
    plainArray(items.map((item) => item.plan.leaves)),
    plainArray(items.map((item) => item.plan.timeoutMs)),
    plainArray(items.map((item) => firstTasks.get(item.plan))),
    plainArray(items.map((item) => item.plan.priorities.length)),
    JSON.stringify(items.map((item) => item.idempotencyKey)),
    plainArray(pending),
    plainArray(roots),
    plainArray(priorities),
  ];
  return { values, plans: [...firstTasks.keys()] };
}

/** Number of root tasks that the start claims if it creates the execution. */
export function rootClaimsOf({ plan, claims }: StartItem): number {
  return plan.rootOrdinals.filter((root) => root >= 0 && root < claims).length;
}

/** The root tasks that the statement claims, if it creates their executions: executions, and task numbers. */
function claimedRoots(items: readonly StartItem[]): [string, string] {
  const ids: string[] = [];
  const tasks: number[] = [];
  for (const { id, plan, claims } of items) {
    for (const [taskNo, root] of plan.rootOrdinals.entries()) {
      if (root < 0 || root >= claims) continue;
      ids.push(id);
      tasks.push(taskNo);
    }
  }
  return [plainArray(ids), plainArray(tasks)];
}

export function startReplyOf(rows: readonly StartedRow[], keyed: boolean): StartReply {
  const created = rows.flatMap(({ created: id }) => id ?? []);
  return {
    created: keyed ? new Set(created) : 'all',
    definitionsAreStored: created.length === rows.length,
  };
}
