import pg from 'pg';
import {
  CloacinaError,
  DatabaseUnavailableError,
  MigrationError,
  PermissionError,
} from '../../errors/index.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { placeOf } from '../../store/postgres/connections/connection-config.js';
import { asConnectionError } from '../../store/postgres/connections/connection-obstacle.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { explainReadOnly, READ_ONLY, ReadOnlyLogin } from '../../store/postgres/read-only.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { readRows } from '../../store/postgres/connections/own-types.js';

/** The step that failed. */
export interface FailedStep {
  readonly pool: pg.Pool;
  readonly tenant: string;
  readonly schema: string;
  /** Start of the step, by performance.now(). */
  readonly began: number;
  /** The migration that was being applied or reverted. */
  readonly migration?: string | undefined;
  /** What to do, if the failed step has changed the schema. */
  readonly advice?: string | undefined;
}

/**
 * Turns the failure into one of the library's errors. They contain the driver's code and message but not its `detail`.
 */
export async function explainFailure(failure: unknown, step: FailedStep): Promise<CloacinaError> {
  if (failure instanceof CloacinaError) return failure;
  const { schema, migration } = step;
  if (sqlState(failure) === READ_ONLY) {
    const explained = await explainReadOnly(step.pool, failure);
    if (explained instanceof ReadOnlyLogin) return explained.asPermissionError(schema);
  }
  const place = placeOf(step.pool.options);
  const refused = asConnectionError(failure, place, step.tenant);
  if (refused !== undefined) return refused;
  // An interrupted migration was rolled back, or its commit succeeded after all. The next run finds out.
  if (isAway(failure)) {
    const waitedMs = Math.round(performance.now() - step.began);
    return new DatabaseUnavailableError(
      { tenant: step.tenant, waitedMs, place },
      { cause: failure },
    );
  }
  if (sqlState(failure) === SqlState.insufficientPrivilege) {
    // If this query fails too, the MigrationError below still reports the first failure.
    const missing = await findMissingGrant(step).catch(() => undefined);
    if (missing !== undefined)
      return new PermissionError({ ...missing, schema }, { cause: failure });
  }
  const facts = {
    schema,
    ...(migration === undefined ? {} : { migration }),
    ...(step.advice === undefined ? {} : { advice: step.advice }),
  };
  return new MigrationError(facts, { cause: failure });
}

interface Rights {
  readonly role: string;
  readonly database: string;
  readonly schema_exists: boolean;
  readonly may_create_schema: boolean;
  readonly may_use: boolean | null;
  readonly may_create: boolean | null;
  readonly may_read: boolean | null;
  readonly owner: string | null;
  readonly is_owner: boolean | null;
}

/** Finds the right that the login lacks. The server's error says only which operation was denied. */
async function findMissingGrant({
  pool,
  schema,
}: FailedStep): Promise<{ action: string; grant: string } | undefined> {
  const rows = await readRows<Rights>(
    pool,
    `SELECT current_user AS role, current_database() AS database, n.oid IS NOT NULL AS schema_exists,
            has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
            has_schema_privilege(n.oid, 'USAGE') AS may_use, has_schema_privilege(n.oid, 'CREATE') AS may_create,
            has_table_privilege(c.oid, 'SELECT') AS may_read,
            pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS is_owner
       FROM (VALUES ($1::text)) AS wanted (name)
       LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name
       LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2`,
    [schema, CLOACINA_MIGRATIONS_TABLE],
  );
  const rights = rows[0];
  return rights === undefined ? undefined : missingGrant(schema, rights);
}

function missingGrant(
  schema: string,
  rights: Rights,
): { action: string; grant: string } | undefined {
  const quoted = pg.escapeIdentifier(schema);
  const role = pg.escapeIdentifier(rights.role);
  if (!rights.schema_exists) {
    if (rights.may_create_schema) return undefined;
    const grant = `GRANT CREATE ON DATABASE ${pg.escapeIdentifier(rights.database)} TO ${role}`;
    return { action: `create the schema ${quoted}`, grant };
  }
  const lacking = [
    ...(rights.may_use === false ? ['USAGE'] : []),
    // CREATE does not help in a schema that another login has migrated.
    ...(rights.may_create === false && rights.is_owner !== false ? ['CREATE'] : []),
  ];
  if (lacking.length > 0) {
    const grant = `GRANT ${lacking.join(', ')} ON SCHEMA ${quoted} TO ${role}`;
    return { action: `use and migrate the schema ${quoted}`, grant };
  }
  if (rights.owner !== null && rights.is_owner === false) {
    const owner = pg.escapeIdentifier(rights.owner);
    if (rights.may_read === false) {
      const table = `${quoted}.${CLOACINA_MIGRATIONS_TABLE}`;
      return { action: `read ${table}`, grant: `GRANT SELECT ON ${table} TO ${role}` };
    }
    const action = `migrate the schema ${quoted}, whose tables belong to ${owner}`;
    return { action, grant: `GRANT ${owner} TO ${role}` };
  }
  return undefined;
}
