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

/** How long the announcement of a dead process stays. */
const KEPT = "interval '1 day'";

/**
 * Stores what this process serves in several tenants at once. Parameters: process, name, lock session, format, then for each
 * tenant state, slots, definitions and limits. Old announcements of dead processes are deleted; rows that another process deletes at
 * the same time are skipped, because two statements would lock them in different orders.
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
        WHERE p.seen_at < ${tables.clock.now} - ${KEPT} AND p.process_id <> $1::uuid FOR UPDATE SKIP LOCKED)
    )`;
    });
    return counted(parts, 'a');
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
    ),
};

function counted(parts: readonly string[], name: string): string {
  const counts = parts.map((_, i) => `(SELECT count(*)::integer FROM ${name}${i})`);
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
  text: (tables) => `WITH living AS MATERIALIZED (SELECT l.session FROM (${LIVING_LOCKS}) l)
  SELECT * FROM (
    SELECT ${PROCESS.selectSome(servingOf(tables))}
    FROM ${tables.process} p
      CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM living l WHERE l.session = p.lock_session) AS locks) l
    WHERE CASE WHEN p.lock_session IS NULL
      THEN p.seen_at > ${tables.clock.now} - interval '${ANNOUNCED_FOR_MS} milliseconds'
      ELSE l.locks OR ${hasConnection('p.process_id')} END
    ORDER BY p.since, p.process_id LIMIT ${MAX_PROCESSES}
  ) serving
  UNION ALL
  SELECT ${PROCESS.selectSome({
    instanceId: 'l.instance_id',
    processId: 'l.process_id',
    name: "coalesce(l.name, '')",
    claimed: `(SELECT count(DISTINCT (t.execution_id, t.task_no, t.item_no))::integer FROM ${listedClaims(tables, 'l.instance_id')})`,
    lost: `CASE WHEN l.expires_at <= ${tables.clock.now} THEN 'leaseOver'
      WHEN l.lock_session IS NOT NULL AND NOT EXISTS (SELECT FROM living i WHERE i.session = l.lock_session)
        AND NOT ${hasConnection('l.process_id')} THEN 'lockGone' END`,
  })}
  FROM ${tables.lease} l`,
};

/** A condition: a connection has the name of the process. One that has lost its control connection has others. */
function hasConnection(process: string): string {
  return `EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.application_name = 'cloacina:' || ${process})`;
}

function servingOf(tables: TenantTables): Partial<Record<keyof ProcessRow, string>> {
  const own = `${tables.definition} d WHERE d.id = ANY (p.definitions)`;
  return {
    processId: 'p.process_id',
    name: 'p.name',
    state: 'p.state',
    slots: 'p.slots',
    format: 'p.definition_format',
    isAway: 'p.lock_session IS NOT NULL AND NOT l.locks',
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
