import {
  boolean,
  columns,
  epochMs,
  instant,
  integer,
  json,
  integers,
  orNull,
  strings,
  text,
  uuid,
} from './columns.js';
import { listedClaims } from './claim-batch.js';
import { LIVING_LOCKS } from './liveness-locks.js';
import type { BulkStatement, Statement, TenantTables } from './statement.js';
import {
  ANNOUNCED_FOR_MS,
  MAX_PROCESSES,
  type ClaimOwnerRow,
  type ServingRow,
  type ServingState,
  type TenantProcesses,
} from '../../port/index.js';

const COUNTS = columns({ counts: integers });
type CountsRow = ReturnType<typeof COUNTS.decode>[number];

/** Number of parameters before those of the tenants, and for each tenant. */
const OF_PROCESS = 4;
const OF_TENANT = 4;

/**
 * Min age of an announcement that is deleted because its process is dead. A process that has just reconnected may have a lock
 * that the statement has not seen, but then it has announced itself anew.
 */
const KEPT = "interval '1 minute'";

/** The locks of living processes, and the names of connections. A reference reads each of them once. */
const SIGNS_OF_LIFE = `living AS MATERIALIZED (SELECT l.session FROM (${LIVING_LOCKS}) l),
  connected AS MATERIALIZED (SELECT a.application_name AS name FROM pg_catalog.pg_stat_get_activity(NULL) a
    WHERE a.application_name LIKE 'cloacina:%')`;

/** A condition, with {@link SIGNS_OF_LIFE}: the lock is held. */
function isHeld(lockSession: string): string {
  return `${lockSession} IN (SELECT session FROM living)`;
}

/** The same: a connection has the name of the process. A process that has lost its control connection has others. */
function isConnected(process: string): string {
  return `'cloacina:' || ${process} IN (SELECT name FROM connected)`;
}

/** The same, on an announcement `p`: its process lives. Without a lock, only the age of the announcement shows it. */
function lives({ clock }: TenantTables): string {
  return `CASE WHEN p.lock_session IS NULL THEN p.seen_at > ${clock.now} - interval '${ANNOUNCED_FOR_MS} milliseconds'
      ELSE ${isHeld('p.lock_session')} OR ${isConnected('p.process_id')} END`;
}

/**
 * Stores what this process serves in several tenants at once. Parameters: process, name, lock session, format, then for each
 * tenant state, slots, definitions and limits. Announcements of dead processes are deleted: processes that are killed again and
 * again leave no more than those of the last minute. Rows that another process deletes at the same time are skipped, because two
 * statements would lock them in different orders.
 */
export const announceProcess: BulkStatement<CountsRow> = {
  columns: COUNTS,
  textFor: (tenants) => {
    const parts = tenants.map((tables, i) => {
      const own = OF_PROCESS + OF_TENANT * i;
      return `a${i} AS (
      INSERT INTO ${tables.process} AS p (process_id, name, lock_session, definition_format, state, slots, definitions,
        limits, since, seen_at)
      VALUES ($1::uuid, $2::text, $3::text, $4::integer, $${own + 1}::text, $${own + 2}::integer, $${own + 3}::bigint[], $${own + 4}::json,
              ${tables.clock.now}, ${tables.clock.now})
      ON CONFLICT (process_id) DO UPDATE SET name = excluded.name, lock_session = excluded.lock_session,
        definition_format = excluded.definition_format, state = excluded.state, slots = excluded.slots,
        definitions = excluded.definitions, limits = excluded.limits, seen_at = excluded.seen_at
      RETURNING 1
    ), o${i} AS (
      DELETE FROM ${tables.process} WHERE process_id IN (
        SELECT p.process_id FROM ${tables.process} p
        WHERE p.seen_at < ${tables.clock.now} - ${KEPT} AND p.process_id <> $1::uuid AND NOT (${lives(tables)})
        FOR UPDATE SKIP LOCKED)
    )`;
    });
    return counted([SIGNS_OF_LIFE, ...parts], 'a', tenants.length);
  },
};

/** Deletes the announcements of this process in several tenants at once. */
export const withdrawProcess: BulkStatement<CountsRow> = {
  columns: COUNTS,
  textFor: (tenants) =>
    counted(
      tenants.map(
        ({ process }, i) =>
          `w${i} AS (DELETE FROM ${process} WHERE process_id = $1::uuid RETURNING 1)`,
      ),
      'w',
      tenants.length,
    ),
};

/** @param count - of the parts that are counted: `name` with the numbers from 0 */
function counted(parts: readonly string[], name: string, count: number): string {
  const counts = Array.from(
    { length: count },
    (_, i) => `(SELECT count(*)::integer FROM ${name}${i})`,
  );
  return `WITH ${parts.join(', ')} SELECT ${COUNTS.select({ counts: `ARRAY[${counts.join(', ')}]` })}`;
}

/** The columns of both kinds of rows. A row of an owner has an `instanceId`. */
const PROCESS = columns({
  instanceId: orNull(uuid),
  processId: uuid,
  name: text,
  state: text,
  slots: integer,
  format: integer,
  isAway: boolean,
  since: instant,
  workflows: strings,
  limits: json,
  servesIt: boolean,
  taskNames: strings,
  claimed: integer,
  lost: orNull(text),
});
type ProcessRow = ReturnType<typeof PROCESS.decode>[number];

/** Max number of workflows of a process that are named. */
const MAX_WORKFLOWS = 100;

/**
 * The processes that serve the tenant and live, and the owners of claims. A process lives while it holds its lock, or has a
 * connection, or, without a lock, while its announcement is fresh.
 */
export const readProcesses: Statement<ProcessRow> = {
  name: 'read_processes',
  columns: PROCESS,
  text: (tables) => `WITH ${SIGNS_OF_LIFE}
  SELECT * FROM (
    SELECT ${PROCESS.selectSome(servingOf(tables))}
    FROM ${tables.process} p
    WHERE ${lives(tables)}
    ORDER BY p.since, p.process_id LIMIT ${MAX_PROCESSES}
  ) serving
  UNION ALL
  SELECT ${PROCESS.selectSome({
    instanceId: 'l.instance_id',
    processId: 'l.process_id',
    name: "coalesce(l.name, '')",
    claimed: `(SELECT count(DISTINCT (t.execution_id, t.task_no, t.item_no))::integer FROM ${listedClaims(tables, 'l.instance_id')})`,
    lost: `CASE WHEN l.expires_at <= ${tables.clock.now} THEN 'leaseOver'
      WHEN l.lock_session IS NOT NULL AND NOT (${isHeld('l.lock_session')} OR ${isConnected('l.process_id')}) THEN 'lockGone' END`,
  })}
  FROM ${tables.lease} l`,
};

function servingOf(tables: TenantTables): Partial<Record<keyof ProcessRow, string>> {
  const own = `${tables.definition} d WHERE d.id = ANY (p.definitions)`;
  return {
    processId: 'p.process_id',
    name: 'p.name',
    state: 'p.state',
    slots: 'p.slots',
    format: 'p.definition_format',
    isAway: `p.lock_session IS NOT NULL AND NOT ${isHeld('p.lock_session')}`,
    since: epochMs('p.since'),
    workflows: `(SELECT json_agg(n.name) FROM (SELECT d.name FROM ${own} ORDER BY d.name LIMIT ${MAX_WORKFLOWS}) n)`,
    limits: 'p.limits',
    servesIt: `EXISTS (SELECT FROM ${own} AND d.name = $1::text)`,
    taskNames: `(SELECT array_to_json(d.task_names) FROM ${own} AND d.name = $1::text LIMIT 1)`,
  };
}

export function processesOf(rows: readonly ProcessRow[]): TenantProcesses {
  const serving: ServingRow[] = [];
  const owners: ClaimOwnerRow[] = [];
  for (const { instanceId, processId, name, ...row } of rows) {
    if (instanceId !== null) {
      owners.push({
        instanceId,
        processId,
        name,
        claimed: row.claimed,
        lost: row.lost as ClaimOwnerRow['lost'],
      });
      continue;
    }
    const { state, slots, format, isAway, since, workflows, limits, servesIt, taskNames } = row;
    serving.push({
      processId,
      name,
      state: state as ServingState,
      slots,
      format,
      isAway,
      since,
      workflows,
      limits,
      taskNames: servesIt ? taskNames : null,
    });
  }
  return { serving, owners };
}
