import type pg from 'pg';
import { readRows } from '../store/postgres/connections/own-types.js';
import { classifyFailure } from '../store/postgres/classify-failure.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../store/postgres/migrations/index.js';
import { quoteIdentifier } from '../tenants/quote-identifier.js';
import type { Examination, TenantCheck } from './check.js';
import { unfinishedMove } from './checks/unfinished-move.js';
import type { DoctorFinding, SkippedCheck } from './doctor-types.js';
import type { ExpectedShapes } from './expected-shape.js';
import type { FoundSchema } from './find-schemas.js';
import { makeCheck, readOnly, type CheckOutcome } from './make-check.js';

/** Tables whose rows are read. */
const READ = [
  'workflow_definition',
  'workflow_execution',
  'task_execution',
  'claim_batch',
  'runner_lease',
  'schedule',
  'tenant',
  'paused_workflow',
  'migrations',
].map((name) => `cloacina_${name}`);

/** Says whether the tenant lives in the schema. */
const STATE_TABLE = 'cloacina_tenant';

/** Makes the checks of one tenant, one after the other. */
export async function examineTenant(
  examination: Examination,
  { schema, ownLogin, isReadable }: FoundSchema,
  checks: readonly TenantCheck[],
  shapes: ExpectedShapes,
): Promise<CheckOutcome> {
  const findings: DoctorFinding[] = [];
  const skipped: SkippedCheck[] = [];
  const skip = (check: string, reason: string): unknown => skipped.push({ check, schema, reason });
  if (ownLogin !== null) {
    const reason = `The tenant has a login of its own, "${ownLogin}". Examine it with the URL of that login.`;
    for (const { id } of checks) skip(id, reason);
    return { findings, skipped };
  }
  const { client } = examination;
  const prefix = `${quoteIdentifier(schema)}.cloacina_`;
  const table = (name: string): string => prefix + name;
  const { applied, strange } = isReadable
    ? await readOnly(client, async () => {
        const names = await strangeTables(client, schema);
        const readsHistory = !names.includes(CLOACINA_MIGRATIONS_TABLE);
        return {
          applied: readsHistory ? await appliedMigrations(client, schema) : undefined,
          strange: names,
        };
      })
    : { applied: undefined, strange: [] };
  const made =
    isReadable && !strange.includes(STATE_TABLE) && (await livesElsewhere(client, table('tenant')))
      ? checks.filter(({ id }) => id === unfinishedMove.id)
      : checks;
  for (const check of made) {
    if (!isReadable && check.reads !== 'catalog') {
      skip(check.id, `The login may not read schema "${schema}".`);
    } else if (applied === undefined && check.reads === 'history') {
      skip(check.id, `The history of migrations of schema "${schema}" cannot be read.`);
    } else if (check.reads === 'rows' && strange.length > 0) {
      skip(
        check.id,
        `${strange.join(', ')} of schema "${schema}" is not the library's table; see schema-drift.`,
      );
    } else {
      const tenant = {
        ...examination,
        schema,
        table,
        applied: applied ?? [],
        expectedShape: () => shapes.of(applied ?? []),
      };
      const outcome = await makeCheck(check, client, schema, () => check.find(tenant));
      findings.push(...outcome.findings);
      skipped.push(...outcome.skipped);
    }
  }
  return { findings, skipped };
}

/**
 * Whether the schema is the source of a move, or a copy that is not complete. Nothing works on its rows, so late schedules and due
 * tasks there are no faults. False if the state can't be read.
 */
async function livesElsewhere(client: pg.Client, table: string): Promise<boolean> {
  try {
    const rows = await readOnly(client, () =>
      readRows(client, `SELECT FROM ${table} t WHERE t.state IN ('moved', 'arriving')`),
    );
    return rows.length > 0;
  } catch (error) {
    if (classifyFailure(error).kind === 'connection') throw error;
    return false;
  }
}

async function appliedMigrations(client: pg.Client, schema: string): Promise<string[]> {
  const rows = await readRows<{ name: string }>(
    client,
    `SELECT name::text FROM ${quoteIdentifier(schema)}.${CLOACINA_MIGRATIONS_TABLE} ORDER BY id`,
  );
  return rows.map(({ name }) => name);
}

/**
 * Names that are not plain tables with PostgreSQL's own types. Reading a view, or the cast of a type, would run code of its
 * owner with the rights of this login.
 */
async function strangeTables(client: pg.Client, schema: string): Promise<string[]> {
  const rows = await readRows<{ name: string }>(
    client,
    `SELECT c.relname::text AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname = ANY ($2::text[])
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                           AND t.typnamespace <> 'pg_catalog'::regnamespace)`,
    [schema, READ],
  );
  const plain = new Set(rows.map(({ name }) => name));
  return READ.filter((name) => !plain.has(name));
}
