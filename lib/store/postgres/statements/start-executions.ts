import { bigint, columns, orNull, uuid } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { unsettledBy } from './admission-slots.js';
import { keptKeyOf } from './kept-keys.js';
import { leaseClause } from './lease-clause.js';
import {
  ADMISSION_STARTED,
  admissionItems,
  admissionReplyOf,
  admissionRows,
  admissionValues,
  askClauses,
  IS_CREATED,
  startSlotClauses,
  WAIT_CLAUSES,
  type AdmissionStartedRow,
  type StartAdmission,
} from './start-admission.js';
import { levelOf } from './priority-level.js';
import { lockTimeout } from './lock-timeout.js';
import {
  dueAtOf,
  fromMissingDefinitions,
  LIMIT_KEY,
  START_COLUMNS,
  startNames,
  TASKS_OF_STARTS,
} from './start-clauses.js';
import { startValues } from './start-values.js';
import type { Statement, TenantTables } from './statement.js';
import { FIRST_TOKEN, type LeaseWrite, type StartItem, type StartReply } from '../../port/index.js';

const STARTED = columns({ created: orNull(uuid), missingDefinition: orNull(bigint) });
type StartedRow = ReturnType<typeof STARTED.decode>[number] & Partial<AdmissionStartedRow>;

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
  /** Whether keys of deleted executions count too. Only tenants that keep such keys look for them. */
  readonly kept?: boolean;
  /** Whether some starts are traced. The same holds for them. */
  readonly traced?: boolean;
  /** What becomes of executions with an admission. Absent: no execution of the batch has one. */
  readonly admission?: StartAdmission | undefined;
}

/** Until when execution `e` must begin: it is the deadline of an execution that has not begun. */
const START_BEFORE = ({ clock }: TenantTables): string =>
  `coalesce(e.start_before::timestamptz, ${clock.transaction} + e.start_before_ms * interval '1 millisecond')`;

/** The number of parameters that all variants have. */
const COMMON_PARAMETERS = 25;

/**
 * The CTE that lists the claimed root tasks, from the parameters.
 *
 * @param someExist - whether only the executions in the CTE `execution` were created
 * @param which - a WHERE clause: which of them may have claimed tasks. Default: all
 */
export function claimedRootsClause(tables: TenantTables, someExist: boolean, which = ''): string {
  return `batch AS (
    INSERT INTO ${tables.claimBatch} (instance_id, no, execution_ids, task_nos, item_nos)
    SELECT $17::uuid, $22::bigint, c.execution_ids, c.task_nos, array_fill(0, ARRAY[cardinality(c.task_nos)]) FROM (
      SELECT array_agg(r.id) AS execution_ids, array_agg(r.task_no) AS task_nos
      FROM unnest($23::uuid[], $24::integer[]) AS r(id, task_no)${someExist ? ` WHERE (r.id IN (SELECT id FROM execution${which})) IS TRUE` : ''}
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
    kept = false,
    traced = false,
    admission,
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
  const tracesOf = optional(
    traced,
    (parameter) => `, json_array_elements_text(${parameter}::json)`,
  );
  const ask = admission && admissionItems(admission, () => `$${++last}`);
  const timeout = optional(bounded, (parameter) => lockTimeout(parameter));
  const isNew = kept ? `NOT EXISTS (${keptKeyOf(tables, 'e')})` : '';
  const created = admission === 'asks' ? IS_CREATED : '';
  const conditions = [timeout, created, isNew].filter((one) => one !== '');
  const limit = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const waits = admission === undefined ? '' : ' AND NOT e.waits';
  const dueAt = dueAtOf(tables);
  const names = `${tagged ? ', tags' : ''}${awaited ? ', has_waiters' : ''}`;
  return `WITH ${admission === undefined ? 'e' : 'given'} AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      ${START_COLUMNS}${tagsOf}${waitersOf}${limitsOf}${startBeforeOf}${tracesOf}${ask?.from ?? ''}
    )${ask ? ' WITH ORDINALITY' : ''} AS e(${startNames(ask && 'wanted')}${names}${limited ? ', limit_keys' : ''}${expiring ? ', start_before, start_before_ms' : ''}${traced ? ', trace_context' : ''}${ask ? `${ask.names}, ord` : ''})
  ), ${admission === 'asks' ? askClauses(tables, timeout, kept) : admission === 'waits' ? WAIT_CLAUSES : ''}execution AS (
    INSERT INTO ${tables.execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                                     timeout_ms, deadline_at, started_at, run_at, idempotency_key${names}${traced ? ', trace_context' : ''}${ask ? ', admission_key, admitted, unsettled' : ''})
    SELECT id, workflow, definition_id, CASE WHEN claims > 0 THEN 'Running' ELSE 'Pending' END, priority,
           input::json, leaves, timeout_ms,
           CASE WHEN claims > 0 THEN ${tables.clock.transaction} + timeout_ms * interval '1 millisecond'${expiring ? ` ELSE ${START_BEFORE(tables)}` : ''} END,
           CASE WHEN claims > 0 THEN ${tables.clock.transaction} END,
           CASE WHEN e.run_at IS NOT NULL OR e.delay_ms IS NOT NULL${ask ? ' OR e.admission_key IS NOT NULL' : ''}
                THEN ${dueAt} END,
           idempotency_key${tagged ? ', tags::jsonb' : ''}${awaited ? ', has_waiters' : ''}${traced ? ', trace_context' : ''}${
             ask
               ? `, admission_key, admission_key IS NOT NULL AND NOT waits,
           ${unsettledBy('admission_key')}`
               : ''
           }
    FROM e${limit}
    ${keyed ? 'ON CONFLICT DO NOTHING' : ''}
    RETURNING id${ask ? ', admission_key, admitted' : ''}
  ), ${leaseClause(tables, 17)}, task AS (
    INSERT INTO ${tables.task} (execution_id, task_no, definition_id, status, pending_dependencies, claim_token,
                                owner, priority, run_at, started_at${limited ? ', limit_key' : ''})
    SELECT e.id, k - e.first_task, e.definition_id,
           CASE WHEN r.root < 0 THEN 'NotStarted' WHEN r.root < e.claims THEN 'Running' ELSE 'Ready' END,
           ($14::integer[])[k],
           CASE WHEN r.root >= 0 AND r.root < e.claims THEN ${FIRST_TOKEN} ELSE 0 END,
           CASE WHEN r.root >= 0 AND r.root < e.claims THEN $17::uuid END,
           ${levelOf('e.priority + ($16::integer[])[k]')},
           CASE WHEN r.root >= e.claims${waits}
                THEN ${dueAt} END,
           CASE WHEN r.root >= 0 AND r.root < e.claims THEN ${tables.clock.transaction} END${
             limited
               ? `,
           ${LIMIT_KEY}`
               : ''
           }
    ${TASKS_OF_STARTS}
    ${keyed ? 'WHERE (e.id IN (SELECT id FROM execution)) IS TRUE' : ''}
  ), ${claimedRootsClause(tables, keyed, ask && ' WHERE admission_key IS NULL OR admitted')}${admission === 'asks' ? `, ${startSlotClauses(tables)}` : ''}
  SELECT ${(ask ? ADMISSION_STARTED : STARTED).selectSome({ missingDefinition: 'u.id' })} ${fromMissingDefinitions(tables, '$25')}
  ${admission ? `UNION ALL ${admissionRows(admission)}` : keyed ? `UNION ALL SELECT ${STARTED.selectSome({ created: 'id' })} FROM execution` : ''}`;
}

/** Each variant once, because prepared statements are counted by statement. */
const statements = new Map<string, Statement<StartedRow>>();

/** For starts without an idempotency key, which cannot conflict. With `keyed`, the statement returns the created ids. */
function variantOf(variant: StartVariant): Statement<StartedRow> {
  const { keyed, bounded = false, tagged = false, awaited = false } = variant;
  const { limited = false, expiring = false, kept = false, traced = false } = variant;
  const admission = variant.admission === undefined ? '' : `_${variant.admission}`;
  const name = `start${keyed ? '_keyed' : ''}${tagged ? '_tagged' : ''}${awaited ? '_awaited' : ''}${limited ? '_limited' : ''}${expiring ? '_expiring' : ''}${traced ? '_traced' : ''}_executions${admission}${kept ? '_kept' : ''}${bounded ? '_within' : ''}`;
  const known = statements.get(name);
  if (known !== undefined) return known;
  const made: Statement<StartedRow> = {
    name,
    columns: variant.admission === undefined ? STARTED : ADMISSION_STARTED,
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
    keepsKeys = false,
    admission = 'asks',
  }: {
    readonly keyed: boolean;
    readonly lockTimeoutMs?: number | undefined;
    /** Whether the tenant keeps keys of deleted executions. Default: false. */
    readonly keepsKeys?: boolean;
    /** What becomes of executions with an admission. Default: `asks`. */
    readonly admission?: StartAdmission;
  },
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
  const traced = items.some(({ traceContext }) => traceContext !== null);
  if (traced) values.push(JSON.stringify(items.map(({ traceContext }) => traceContext)));
  const hasAdmission = items.some((item) => item.admission !== null);
  if (hasAdmission) values.push(...admissionValues(admission, items));
  if (bounded) values.push(lockTimeoutMs);
  const kept = keepsKeys && items.some(({ idempotencyKey }) => idempotencyKey !== null);
  const variant = { keyed, bounded, tagged, awaited, limited, expiring, traced, kept };
  return [variantOf(hasAdmission ? { ...variant, admission } : variant), values];
}

export function startReplyOf(rows: readonly StartedRow[], keyed: boolean): StartReply {
  const created = rows.flatMap(({ created: id }) => id ?? []);
  return {
    created: keyed ? new Set(created) : 'all',
    definitionsAreStored: rows.every(({ missingDefinition }) => missingDefinition === null),
    ...(rows.some(({ waits }) => waits !== undefined)
      ? admissionReplyOf(rows as AdmissionStartedRow[])
      : {}),
  };
}
