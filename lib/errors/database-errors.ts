import { CloacinaError } from './cloacina-error.js';
import { describePlace, type DatabasePlace } from './connection-errors.js';
import { messageWithoutSecrets, readProperty } from './without-secrets.js';

/** SQLSTATE of a statement that a standby, or a session that is read-only, refuses. */
function isReadOnly(cause: unknown): boolean {
  return readProperty(cause, 'code') === '25006';
}

/**
 * The database could not be reached in time, others held the same rows or key all the while, or too much waits for it
 * already. What was asked for was not done and may be repeated, unless `mayBeWritten` says otherwise.
 */
export class DatabaseUnavailableError extends CloacinaError {
  readonly tenant: string | undefined;
  /** How long was waited for the database, in milliseconds. */
  readonly waitedMs: number;
  /** Whether the database answered, and a lock was waited for. */
  readonly reached: boolean;
  /**
   * Whether a start may be stored all the same: its connection was lost after it was sent, and the database did not
   * come back for long. The message has the id to look for with `get()`.
   */
  readonly mayBeWritten: boolean;

  constructor(
    facts: {
      readonly tenant?: string;
      readonly waitedMs: number;
      /** Where it is, for the message. */
      readonly place?: DatabasePlace | undefined;
      /** It was reached, and refused because others held the same rows. */
      readonly reached?: boolean;
      readonly mayBeWritten?: boolean;
      /** The message, where another fits better. */
      readonly explanation?: string;
    },
    options?: ErrorOptions,
  ) {
    const where = facts.place === undefined ? '' : ` ${describePlace(facts.place)}`;
    const of = facts.tenant === undefined ? '' : ` of tenant ${JSON.stringify(facts.tenant)}`;
    const whose = `${where}${of}`;
    const why = options?.cause === undefined ? '' : `: ${messageWithoutSecrets(options.cause)}`;
    super(
      'DATABASE_UNAVAILABLE',
      facts.explanation !== undefined
        ? facts.explanation
        : isReadOnly(options?.cause)
          ? `The database${whose} took no writes for ${facts.waitedMs} ms${why}. It is a standby, or ` +
            'default_transaction_read_only is on for the server, the database or the login: connect to the primary, or ' +
            'ALTER ROLE … RESET default_transaction_read_only; startTimeout sets the limit of the wait.'
          : facts.reached === true
            ? `Timed out after ${facts.waitedMs} ms of waiting for row locks in the database${whose}${why}. Find the session that ` +
              'holds them in pg_locks; startTimeout sets the limit of the wait.'
            : `The database${whose} could not be reached for ${facts.waitedMs} ms${why}. Check that it is up and that databaseUrl ` +
              'is right; startTimeout sets the limit of the wait.',
      options,
    );
    this.tenant = facts.tenant;
    this.waitedMs = facts.waitedMs;
    this.reached = facts.reached === true;
    this.mayBeWritten = facts.mayBeWritten === true;
  }
}

/**
 * The database refused a statement: a constraint or trigger on the library's tables, a full disk, a value that it can't
 * hold. Nothing was written. Only the server's message is kept, not its `detail`, in which the row is shown.
 */
export class DatabaseRefusedError extends CloacinaError {
  readonly tenant: string | undefined;
  /** The server's code, such as `23514`: see "PostgreSQL Error Codes" in its documentation. */
  readonly sqlState: string;

  constructor(
    facts: { readonly tenant?: string; readonly sqlState: string },
    options?: ErrorOptions,
  ) {
    const whose = facts.tenant === undefined ? '' : ` of tenant ${JSON.stringify(facts.tenant)}`;
    const why = options?.cause === undefined ? '' : `: ${messageWithoutSecrets(options.cause)}`;
    super(
      'DATABASE_REFUSED',
      `The database${whose} refused a statement with SQLSTATE ${facts.sqlState}${why}. Nothing was written; the ` +
        "server's log has the details.",
      options,
    );
    this.tenant = facts.tenant;
    this.sqlState = facts.sqlState;
  }
}

/**
 * Code that runs in a transaction asked for a second connection, and all that the pool has for user code were held by
 * such code; or none came free in time. To wait on would be to wait for itself.
 */
export class ConnectionsExhaustedError extends CloacinaError {
  readonly schema: string;
  /** How many connections of the pool user code has. */
  readonly connections: number;
  /** How long was waited for another one, in milliseconds. */
  readonly waitedMs: number;

  constructor(facts: {
    readonly schema: string;
    readonly connections: number;
    readonly waitedMs: number;
  }) {
    const what =
      facts.waitedMs === 0
        ? `and all ${facts.connections} connections that handlers may have are held by transactions that wait for another one`
        : `and none of the ${facts.connections} connections that handlers may have came free for ${facts.waitedMs} ms`;
    super(
      'CONNECTIONS_EXHAUSTED',
      `A second connection was asked for within a transaction of schema ${JSON.stringify(facts.schema)}, ${what}. Use the ` +
        "transaction's own manager (context.manager in a transactional task) in place of the data source, or raise " +
        'poolSize.',
    );
    this.schema = facts.schema;
    this.connections = facts.connections;
    this.waitedMs = facts.waitedMs;
  }
}

/** The tenant's schema hasn't the library's tables any more, though it had at boot. Nothing was written. */
export class TablesMissingError extends CloacinaError {
  readonly schema: string;

  constructor(schema: string, options?: ErrorOptions) {
    const why = options?.cause === undefined ? '' : ` (${messageWithoutSecrets(options.cause)})`;
    super(
      'TABLES_MISSING',
      `Schema ${JSON.stringify(schema)} no longer contains the library's tables${why}; nothing was written. If they were moved, ` +
        'serve the tenant with its new schema. If they were dropped, boot again, which creates them anew.',
      options,
    );
    this.schema = schema;
  }
}

/**
 * An execution's stored definition is missing, or not in a form that this release reads (a newer one may have written
 * it). Processes that can't read a definition leave its executions to others.
 */
export class UnreadableDefinitionError extends CloacinaError {
  readonly schema: string;
  /** The definition's id, as the execution's row has it. */
  readonly definitionId: string;

  constructor(facts: { readonly id: string; readonly schema: string; readonly reason: string }) {
    super(
      'UNREADABLE_DEFINITION',
      `Workflow definition ${facts.id} in schema ${JSON.stringify(facts.schema)} cannot be used: ${facts.reason.replace(/\.$/, '')}. ` +
        'Run the release that stored it, or a newer one, until its executions have ended.',
    );
    this.schema = facts.schema;
    this.definitionId = facts.id;
  }
}

/**
 * A migration failed. Its transaction was rolled back, so the schema is as it was before the run, unless the message says
 * something else. Or, with `migrate: false`, the schema is not current: `pending` lists what it lacks.
 */
export class MigrationError extends CloacinaError {
  readonly schema: string;
  /** The migration that failed; undefined when the failure was not in one. */
  readonly migration: string | undefined;
  /** Migrations that were not applied, because the option `migrate` is false. */
  readonly pending: readonly string[];

  /** @param facts - `advice` is what to do, as a sentence; with `pending` nothing failed, the schema is only checked */
  constructor(
    facts: {
      readonly schema: string;
      readonly migration?: string;
      readonly advice?: string;
      readonly pending?: readonly string[];
      readonly isMissing?: boolean;
    },
    options?: ErrorOptions,
  ) {
    const which =
      facts.migration === undefined
        ? 'The migrations'
        : `Migration ${JSON.stringify(facts.migration)}`;
    const why = options?.cause === undefined ? '' : `: ${messageWithoutSecrets(options.cause)}`;
    super(
      'MIGRATION',
      notCurrent(facts) ??
        `${which} of schema ${JSON.stringify(facts.schema)} failed${why}. ` +
          (facts.advice ?? 'The schema is as it was before; put the cause right and boot again.'),
      options,
    );
    this.schema = facts.schema;
    this.migration = facts.migration;
    this.pending = Object.freeze([...(facts.pending ?? [])]);
  }
}

function notCurrent(facts: {
  readonly schema: string;
  readonly pending?: readonly string[];
  readonly isMissing?: boolean;
}): string | undefined {
  if (facts.pending === undefined) return undefined;
  const lacks = facts.isMissing === true ? 'does not exist' : 'is not current';
  return (
    `Schema ${JSON.stringify(facts.schema)} ${lacks}, and the option "migrate" is false. Pending: ` +
    `${facts.pending.join(', ')}. Run CloacinaMigrator.run() with a login that may migrate, then boot again.`
  );
}

/** The login that the application uses may not do what the library needs. */
export class PermissionError extends CloacinaError {
  readonly schema: string | undefined;

  /**
   * @param facts.action - what was refused: `create the schema "tenant_acme"`
   * @param facts.grant - the statement that would allow it: `GRANT CREATE ON DATABASE … TO …`
   */
  constructor(
    facts: { readonly action: string; readonly grant?: string; readonly schema?: string },
    options?: ErrorOptions,
  ) {
    const why = options?.cause === undefined ? '' : ` (${messageWithoutSecrets(options.cause)})`;
    const fix =
      facts.grant === undefined ? 'Use a login that may.' : `Allow it with: ${facts.grant};`;
    super('PERMISSION', `The database login may not ${facts.action}${why}. ${fix}`, options);
    this.schema = facts.schema;
  }
}
