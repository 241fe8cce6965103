import { CloacinaError } from './cloacina-error.js';
import { describePlace, type DatabasePlace } from './connection-errors.js';
import { messageWithoutSecrets, readProperty } from './without-secrets.js';

/** Whether a standby or a read-only session refused a statement (SQLSTATE 25006). */
function isReadOnly(cause: unknown): boolean {
  return readProperty(cause, 'code') === '25006';
}

/**
 * The database was unreachable for too long, other transactions held the rows or the key for too long, or too many
 * starts wait for the database already. Nothing was written and the call can be repeated, unless `mayBeWritten` is
 * true.
 */
export class DatabaseUnavailableError extends CloacinaError {
  /** The tenant's name, if the call was for a tenant. */
  readonly tenant: string | undefined;
  /** How long the call waited for the database, in milliseconds. */
  readonly waitedMs: number;
  /** Whether the database was reached, and the call waited for a lock. */
  readonly reached: boolean;
  /**
   * Whether the start may be stored. True if its connection was lost after it was sent, and the database did not answer
   * again in time. The message contains the id, to look for it with `get()`.
   */
  readonly mayBeWritten: boolean;

  constructor(
    facts: {
      readonly tenant?: string;
      readonly waitedMs: number;
      /** The database, for the message. */
      readonly place?: DatabasePlace | undefined;
      readonly reached?: boolean;
      /** Whether the call made one attempt and did not wait for the database: no option sets how long it waits. */
      readonly isOneAttempt?: boolean;
      readonly mayBeWritten?: boolean;
      /** Replaces the message. */
      readonly explanation?: string;
    },
    options?: ErrorOptions,
  ) {
    const where = facts.place === undefined ? '' : ` ${describePlace(facts.place)}`;
    const of = facts.tenant === undefined ? '' : ` of tenant ${JSON.stringify(facts.tenant)}`;
    const whose = `${where}${of}`;
    const why = options?.cause === undefined ? '' : `: ${messageWithoutSecrets(options.cause)}`;
    const isOne = facts.isOneAttempt === true;
    const duration = isOne ? '' : ` for ${facts.waitedMs} ms`;
    const limit = isOne ? '.' : '; startTimeout sets the limit of the wait.';
    super(
      'DATABASE_UNAVAILABLE',
      facts.explanation !== undefined
        ? facts.explanation
        : isReadOnly(options?.cause)
          ? `The database${whose} took no writes${duration}${why}. It is a standby, or ` +
            'default_transaction_read_only is on for the server, the database or the login: connect to the primary, or ' +
            `ALTER ROLE … RESET default_transaction_read_only${limit}`
          : facts.reached === true
            ? `Timed out after ${facts.waitedMs} ms of waiting for row locks in the database${whose}${why}. Find the session that ` +
              `holds them in pg_locks${limit}`
            : `The database${whose} could not be reached${duration}${why}. Check that it is up and that databaseUrl is right${limit}`,
      options,
    );
    this.tenant = facts.tenant;
    this.waitedMs = facts.waitedMs;
    this.reached = facts.reached === true;
    this.mayBeWritten = facts.mayBeWritten === true;
  }
}

/**
 * The database refused a statement: because of a constraint or trigger on the library's tables, a full disk, or a value
 * that it cannot store. Nothing was written. The error contains the server's message, but not its `detail`, which shows
 * the row.
 */
export class DatabaseRefusedError extends CloacinaError {
  /** The tenant's name, if the statement was for a tenant. */
  readonly tenant: string | undefined;
  /** The SQLSTATE, such as `23514`; see "PostgreSQL Error Codes" in PostgreSQL's documentation. */
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
 * Code in a transaction asked for a second connection, and got none. Either transactions that ask for a second
 * connection hold all connections for user code, so waiting would never end. Or no connection became free in time.
 */
export class ConnectionsExhaustedError extends CloacinaError {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The number of connections that the pool has for user code. */
  readonly connections: number;
  /** How long the code waited for the second connection, in milliseconds. */
  readonly waitedMs: number;

  constructor(facts: {
    readonly schema: string;
    readonly connections: number;
    readonly waitedMs: number;
  }) {
    const what =
      facts.waitedMs === 0
        ? `and transactions that wait for a second one hold all ${facts.connections} connections for user code`
        : `and none of the ${facts.connections} connections for user code became free for ${facts.waitedMs} ms`;
    super(
      'CONNECTIONS_EXHAUSTED',
      `A transaction of schema ${JSON.stringify(facts.schema)} asked for a second connection, ${what}. Use the ` +
        "transaction's own manager (context.manager in a transactional task) instead of the data source, or raise " +
        'poolSize.',
    );
    this.schema = facts.schema;
    this.connections = facts.connections;
    this.waitedMs = facts.waitedMs;
  }
}

/** The tenant's schema no longer contains the library's tables, which it contained at boot. Nothing was written. */
export class TablesMissingError extends CloacinaError {
  /** The schema of the tenant. */
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
 * The stored definition of an execution is missing, or has a form that this release cannot read, because a newer
 * release wrote it. A process that cannot read a definition leaves its executions to other processes.
 */
export class UnreadableDefinitionError extends CloacinaError {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The id of the definition, as in the row of the execution. */
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
 * A migration failed. Its transaction was rolled back, so the schema is unchanged, unless the message says something
 * else. With `migrate: false` it means that the schema is not current: `pending` lists the missing migrations.
 */
export class MigrationError extends CloacinaError {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The name of the failed migration. Undefined if the failure was outside of a migration. */
  readonly migration: string | undefined;
  /** The migrations that the schema lacks, if the option `migrate` is false. */
  readonly pending: readonly string[];

  /**
   * @param facts - `advice` says what to do, as a sentence. With `pending`, no migration ran: the boot only checked the
   *   schema
   */
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
          (facts.advice ?? 'The schema is unchanged; fix the cause and boot again.'),
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

/** The database login lacks a right that the library needs. The message contains the statement that grants it. */
export class PermissionError extends CloacinaError {
  /** The schema that the right is for. Undefined for other rights. */
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
