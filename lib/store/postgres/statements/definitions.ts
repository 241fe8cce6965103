import { LISTED } from './claim-batch.js';
import { CLAIMABLE } from './claimable-tasks.js';
import { limitedDefinitions } from './limited-definitions.js';
import { bigint, columns, instant, integer, orNull, parsed, text } from './columns.js';
import { taskOf, type BulkStatement, type Statement, type TenantTables } from './statement.js';
import { PAUSE_OF_ROW } from './workflow-pauses.js';
import type {
  DefinitionContent,
  KnownDefinitions,
  StoredDefinitionRow,
  WorkflowPause,
} from '../../port/index.js';

const DEFINITION_COLUMNS = { id: bigint, hash: text, name: text } as const;

/** Expressions for {@link DEFINITION_COLUMNS} on a definition's row. */
const DEFINITION_OF_ROW = { id: 'd.id', hash: 'd.hash', name: 'd.name' } as const;

const DEFINITION = columns(DEFINITION_COLUMNS);
const CONTENT = columns({ ...DEFINITION_COLUMNS, definition: parsed<unknown>(null) });
const CONTENT_OF_ROW = CONTENT.select({ ...DEFINITION_OF_ROW, definition: 'd.definition' });

const KNOWN = columns({
  tenant: integer,
  kind: integer,
  ...DEFINITION_COLUMNS,
  reason: orNull(text),
  pausedAt: orNull(instant),
});
type KnownRow = ReturnType<typeof KNOWN.decode>[number];
const NEWEST = 1;
const ACTIVE = 2;
const PAUSED = 3;

function knownOf(tenant: number, kind: number): string {
  return KNOWN.selectSome({ tenant: String(tenant), kind: String(kind), ...DEFINITION_OF_ROW });
}

function pausedOf(tenant: number): string {
  const { workflow: name, ...pause } = PAUSE_OF_ROW;
  return KNOWN.selectSome({ tenant: String(tenant), kind: String(PAUSED), name, ...pause });
}

/**
 * Reads the definitions of these names ($1) in many tenants: the newest of each name, and those that unfinished executions
 * are pinned to. Also the workflows that are paused, because a boot must not claim their tasks. Other stored definitions are
 * not read: with a commit hash as `version`, each deploy stores another one.
 *
 * An unfinished execution has a waiting task (found by a loose scan over the index of claims, one entry per definition) or
 * a Running one, or it is Paused. One that only waits to be woken is found once it has been.
 */
export const readKnownDefinitions: BulkStatement<KnownRow> = {
  columns: KNOWN,
  textFor: (tenants) =>
    tenants
      .map(
        (tables, i) => `SELECT ${knownOf(i, NEWEST)}
      FROM unnest($1::text[]) n(name) CROSS JOIN LATERAL (
        SELECT s.id, s.hash, s.name FROM ${tables.definition} s WHERE s.name = n.name
        ORDER BY s.name, s.registered_at DESC LIMIT 1) d
    UNION ALL (${activeDefinitions(tables, i)})
    UNION ALL SELECT ${pausedOf(i)} FROM ${tables.pausedWorkflow} p`,
      )
      .join(' UNION ALL '),
};

function activeDefinitions(tables: TenantTables, tenant: number): string {
  return `WITH RECURSIVE ${waitingDefinitions(tables)}
    SELECT ${knownOf(tenant, ACTIVE)}
    FROM (
      SELECT id FROM waiting
      UNION SELECT id FROM limited
      UNION ${claimedDefinitions(tables)}
      UNION SELECT x.definition_id FROM ${tables.execution} x WHERE x.status = 'Paused'
    ) a JOIN ${tables.definition} d ON d.id = a.id
    WHERE d.name = ANY ($1::text[])`;
}

/** The definitions of Running tasks, by the lists of all claims: a boot must not read the tasks that have ended. */
function claimedDefinitions(tables: TenantTables): string {
  return `SELECT t.definition_id FROM ${tables.claimBatch} b
        CROSS JOIN LATERAL ${LISTED} c(execution_id, task_no, item_no)
        CROSS JOIN LATERAL (
          SELECT t.definition_id FROM ${tables.task} t WHERE ${taskOf('c')} AND t.status = 'Running' OFFSET 0) t`;
}

/**
 * The definitions of tasks that wait to be claimed, now or later: `waiting`, and of those with a limit `limited`. Reads one
 * index entry for each.
 */
function waitingDefinitions(tables: TenantTables): string {
  const next = (after: string): string => `(SELECT t.definition_id FROM ${tables.task} t
      WHERE ${after} ${CLAIMABLE} ORDER BY t.definition_id LIMIT 1)`;
  return `waiting(id) AS (
      SELECT ${next('')}
      UNION ALL
      SELECT ${next('t.definition_id > w.id AND')} FROM waiting w WHERE w.id IS NOT NULL
    ), ${limitedDefinitions(tables)}`;
}

/** The definitions of waiting tasks. Used when a claim found no task of a definition that this process knows. */
export const readWaitingDefinitions: Statement<StoredDefinitionRow> = {
  name: 'read_waiting_definitions',
  columns: DEFINITION,
  text: (tables) => `WITH RECURSIVE ${waitingDefinitions(tables)}
  SELECT ${DEFINITION.select(DEFINITION_OF_ROW)}
  FROM (SELECT id FROM waiting UNION SELECT id FROM limited) w JOIN ${tables.definition} d ON d.id = w.id
  WHERE d.name = ANY ($1::text[])`,
};

const REGISTERED = columns({ tenant: integer, id: bigint });
type RegisteredRow = ReturnType<typeof REGISTERED.decode>[number];

/**
 * Registers definitions with many tenants. A definition that is stored already becomes the newest of its name again, such
 * as after a rollback of the application. The schemas come in a fixed order, so of two processes that boot at once one
 * waits for the other without a deadlock.
 *
 * The subscriptions of the workflows to events become those of these definitions.
 *
 * Returns the ids that were written, by tenant. If an id is missing, a definition with another hash has it.
 */
export const registerDefinitions: BulkStatement<RegisteredRow> = {
  columns: REGISTERED,
  textFor: (tenants) => {
    const inserts = tenants.map(
      (tables, i) => `u${i} AS (
      DELETE FROM ${tables.subscription} b USING new n WHERE b.workflow = n.name AND b.event_name <> ALL (n.starts_on)),
    b${i} AS (
      INSERT INTO ${tables.subscription} (event_name, workflow)
      SELECT DISTINCT e, n.name FROM new n CROSS JOIN unnest(n.starts_on) e ORDER BY 1, 2 ON CONFLICT DO NOTHING),
    r${i} AS (
      INSERT INTO ${tables.definition} AS d (id, hash, name, version, description, definition, task_names)
      SELECT n.id, n.hash, n.name, n.version, n.description, n.definition, n.task_names FROM new n
      ON CONFLICT (id) DO UPDATE SET registered_at = ${tables.clock.now} WHERE d.hash = excluded.hash
      RETURNING d.id)`,
    );
    const written = tenants.map(
      (_, i) => `SELECT ${REGISTERED.select({ tenant: String(i), id: 'id' })} FROM r${i}`,
    );
    return `WITH new AS MATERIALIZED (
      SELECT id, hash, name, version, description, definition::json,
             ARRAY(SELECT task ->> 'name'
                   FROM json_array_elements(definition::json -> 'tasks') WITH ORDINALITY AS t(task, no) ORDER BY no) AS task_names,
             ARRAY(SELECT json_array_elements_text(definition::json -> 'startsOn')) AS starts_on
      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        AS n (id, hash, name, version, description, definition) ORDER BY id),
    ${inserts.join(', ')}
    ${written.join(' UNION ALL ')}`;
  },
};

export const readDefinition: Statement<DefinitionContent> = {
  name: 'read_definition',
  columns: CONTENT,
  text: (tables) => `SELECT ${CONTENT_OF_ROW} FROM ${tables.definition} d WHERE d.id = $1::bigint`,
};

export const readNewestDefinition: Statement<DefinitionContent> = {
  name: 'read_newest_definition',
  columns: CONTENT,
  text: (tables) => `SELECT ${CONTENT_OF_ROW} FROM ${tables.definition} d
  WHERE d.name = $1::text ORDER BY d.registered_at DESC LIMIT 1`,
};

/** Groups the rows by the tenant's index. */
export function knownDefinitions(rows: readonly KnownRow[], tenants: number): KnownDefinitions[] {
  const found = Array.from({ length: tenants }, () => ({
    newest: [] as StoredDefinitionRow[],
    active: [] as StoredDefinitionRow[],
    paused: [] as WorkflowPause[],
  }));
  for (const { tenant, kind, reason, pausedAt, ...definition } of rows) {
    const known = found[tenant];
    if (kind === PAUSED && pausedAt !== null) {
      known?.paused.push({ workflow: definition.name, reason, pausedAt });
    } else (kind === NEWEST ? known?.newest : known?.active)?.push(definition);
  }
  return found;
}
