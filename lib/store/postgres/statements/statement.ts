import type { TaskKey, TenantHandle } from '../../port/index.js';
import { plainArray } from './encoding.js';
import { LimitUse } from '../limit-use.js';
import { TableUse } from '../table-use.js';
import { columns, type Columns } from './columns.js';
import { SERVER_CLOCK, type SqlClock } from './sql-clock.js';

/** The tables of one tenant, qualified and quoted for SQL. */
export interface TenantTables extends TenantHandle {
  /** The schema's name as a string literal, for look-ups in the catalog. */
  readonly schemaLiteral: string;
  readonly definition: string;
  readonly execution: string;
  readonly task: string;
  readonly step: string;
  readonly signal: string;
  readonly subscription: string;
  readonly eventStart: string;
  readonly progress: string;
  readonly limit: string;
  readonly limitSlot: string;
  readonly schedule: string;
  readonly scheduleFiring: string;
  readonly state: string;
  readonly pausedWorkflow: string;
  readonly action: string;
  readonly retention: string;
  readonly keptKey: string;
  readonly event: string;
  readonly recoveryEvent: string;
  readonly lease: string;
  readonly process: string;
  readonly claimBatch: string;
  /** Whether sweeps read the signals and events. */
  readonly messages: TableUse;
  /** Whether sweeps read the schedules. */
  readonly schedules: TableUse;
  /** What the process knows of limits, and whether sweeps read the tasks that have one. */
  readonly limits: LimitUse;
  /** The clock of the statements. */
  readonly clock: SqlClock;
}

/** The adapter's own type of a handle, which it created itself. */
export function tablesOf(handle: TenantHandle): TenantTables {
  return handle as TenantTables;
}

/** A statement: its name (for prepared statements), its text for a schema, and its result columns. */
export interface Statement<R = unknown> {
  readonly name: string;
  readonly columns: Columns<R>;
  readonly text: (tables: TenantTables) => string;
}

/** A statement for many tenants. Its text depends on their number, so it is not prepared. */
export interface BulkStatement<R = unknown> {
  readonly columns: Columns<R>;
  readonly textFor: (tenants: readonly TenantTables[]) => string;
}

/** For statements without a result. */
export const NO_COLUMNS = columns({});

/** Runs statements on the library's pool, or on the connection of a caller's transaction. */
export interface StatementRunner {
  run<R>(statement: Statement<R>, values: readonly unknown[]): Promise<R[]>;
}

/**
 * A join condition of task `t` with the key in `row` that only allows a look-up by primary key. With a plain `=`, a plan
 * made for a nearly empty table may scan the whole primary key in order and search the batch for each row, and it stays in
 * use while the table grows. `ANY` offers no order to scan in.
 *
 * All three columns of the key come from the row of the batch. If one were a constant, a plan made for a table without
 * statistics may look up the other two and filter: through all items of a task for each of its items.
 */
export function taskOf(row: string): string {
  return (
    `t.execution_id = ANY (ARRAY[${row}.execution_id]) AND t.task_no = ${row}.task_no ` +
    `AND t.item_no = ${row}.item_no`
  );
}

/**
 * The order in which statements lock rows of tasks, as in `byLockOrder` of the port: items of a task before its own row,
 * because the outcome of an item counts down its task.
 *
 * @param row - the alias of the table, with a dot, or empty
 */
export function lockOrder(row: string): string {
  return `${row}execution_id, ${row}task_no, ${row}item_no DESC`;
}

/** The keys of tasks as three parameters: executions, task numbers, item numbers. */
export function taskKeyValues(tasks: readonly TaskKey[]): unknown[] {
  return [
    plainArray(tasks.map(({ executionId }) => executionId)),
    plainArray(tasks.map(({ taskNo }) => taskNo)),
    plainArray(tasks.map(({ itemNo }) => itemNo)),
  ];
}

/** The condition of {@link taskOf} for execution `x`. */
export function executionOf(id: string): string {
  return `x.id = ANY (ARRAY[${id}])`;
}

/**
 * The token of the next claim of task `t`. It has 53 bits, so it is exact in JavaScript: 20 bits count the claims (modulo a
 * million), 32 bits are random, and the last bit is 0 while the claim is valid. Every way out of Running adds 1.
 *
 * The random bits protect against a database that goes back in time (a failover to a lagging replica, a restored backup).
 * Such a database repeats its numbers, so with the count alone, an outcome of a claim from the lost history could be
 * recorded for a new claim.
 */
export const NEXT_TOKEN =
  '(((((t.claim_token >> 33) + 1) & 1048575) << 33) + 2 * floor(random() * 4294967296)::bigint)';

/** @param schema - the quoted name of the schema */
export function tenantTables(schema: string, clock = SERVER_CLOCK): TenantTables {
  return {
    schema: schema.slice(1, -1).replaceAll('""', '"'),
    schemaLiteral: `'${schema.replaceAll("'", "''")}'`,
    definition: `${schema}.cloacina_workflow_definition`,
    execution: `${schema}.cloacina_workflow_execution`,
    task: `${schema}.cloacina_task_execution`,
    step: `${schema}.cloacina_task_step`,
    signal: `${schema}.cloacina_signal`,
    subscription: `${schema}.cloacina_event_subscription`,
    eventStart: `${schema}.cloacina_event_start`,
    progress: `${schema}.cloacina_task_progress`,
    limit: `${schema}.cloacina_limit`,
    limitSlot: `${schema}.cloacina_limit_slot`,
    schedule: `${schema}.cloacina_schedule`,
    scheduleFiring: `${schema}.cloacina_schedule_firing`,
    state: `${schema}.cloacina_state`,
    pausedWorkflow: `${schema}.cloacina_paused_workflow`,
    action: `${schema}.cloacina_action`,
    retention: `${schema}.cloacina_retention`,
    keptKey: `${schema}.cloacina_kept_key`,
    event: `${schema}.cloacina_execution_event`,
    recoveryEvent: `${schema}.cloacina_recovery_event`,
    lease: `${schema}.cloacina_runner_lease`,
    process: `${schema}.cloacina_process`,
    claimBatch: `${schema}.cloacina_claim_batch`,
    messages: new TableUse(),
    schedules: new TableUse(),
    limits: new LimitUse(),
    clock,
  };
}
