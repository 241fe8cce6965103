import type { TenantHandle } from '../../port/index.js';
import { columns, type Columns } from './columns.js';
import { SERVER_CLOCK, type SqlClock } from './sql-clock.js';

/** The tables of one tenant, schema-qualified and quoted, ready to stand in a statement's text. */
export interface TenantTables extends TenantHandle {
  /** The schema's name as a string literal, to look it up by. */
  readonly schemaLiteral: string;
  readonly definition: string;
  readonly execution: string;
  readonly task: string;
  readonly event: string;
  readonly recoveryEvent: string;
  readonly lease: string;
  /** The time by which the statements go. */
  readonly clock: SqlClock;
}

/** What the adapter gave out as a tenant's handle. */
export function tablesOf(handle: TenantHandle): TenantTables {
  return handle as TenantTables;
}

/** One statement: its name (for the server's prepared statements), its text for a schema, what its rows are. */
export interface Statement<R = unknown> {
  readonly name: string;
  readonly columns: Columns<R>;
  readonly text: (tables: TenantTables) => string;
}

/** One statement for many tenants. The text depends on how many, so it is not prepared. */
export interface BulkStatement<R = unknown> {
  readonly columns: Columns<R>;
  readonly textFor: (tenants: readonly TenantTables[]) => string;
}

/** For statements that answer with nothing. */
export const NO_COLUMNS = columns({});

/** Where a statement runs: the library's pool, or the connection of a caller's transaction. */
export interface StatementRunner {
  run<R>(statement: Statement<R>, values: readonly unknown[]): Promise<R[]>;
}

/**
 * The task `t` whose key `row` has, as a condition that only the primary key can serve. With a plain `=` a plan that is
 * made while the table is next to empty may walk through all of the primary key, because of its order, and look into
 * the batch for each row; and it keeps doing so while the table grows. `ANY` promises no order to walk in.
 */
export function taskOf(row: string): string {
  return `t.execution_id = ANY (ARRAY[${row}.execution_id]) AND t.task_no = ${row}.task_no`;
}

/** The same for the execution `x`. */
export function executionOf(id: string): string {
  return `x.id = ANY (ARRAY[${id}])`;
}

/**
 * The token of the next claim of task `t`, of 53 bits, so that it is an exact number in JavaScript: twenty that count the
 * claims (and begin anew after a million), 32 random ones, and a 0 for "held". Every way out of Running adds 1 to it.
 *
 * The random bits are there for a database that goes back in time (a failover to a replica that was behind, a restored
 * backup). What it counts then it has counted before, so a mere number would let the outcome of a claim from the lost
 * history be recorded for a claim of this one.
 */
export const NEXT_TOKEN =
  '(((((t.claim_token >> 33) + 1) & 1048575) << 33) + 2 * floor(random() * 4294967296)::bigint)';

/** @param schema - quoted */
export function tenantTables(schema: string, clock = SERVER_CLOCK): TenantTables {
  return {
    schema: schema.slice(1, -1).replaceAll('""', '"'),
    schemaLiteral: `'${schema.replaceAll("'", "''")}'`,
    definition: `${schema}.cloacina_workflow_definition`,
    execution: `${schema}.cloacina_workflow_execution`,
    task: `${schema}.cloacina_task_execution`,
    event: `${schema}.cloacina_execution_event`,
    recoveryEvent: `${schema}.cloacina_recovery_event`,
    lease: `${schema}.cloacina_runner_lease`,
    clock,
  };
}
