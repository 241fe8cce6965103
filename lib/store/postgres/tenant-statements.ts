import pg from 'pg';
import { PermissionError, TablesMissingError } from '../../errors/index.js';
import { ANSWER_TIMEOUT_MS } from './connections/destroy-socket.js';
import type { FairConnectionPool } from './connections/fair-connection-pool.js';
import { explainReadOnly, READ_ONLY } from './read-only.js';
import { runPrepared } from './connections/prepared-statements.js';
import { isMissingTable, sqlState, SqlState } from './sql-state.js';
import type { RawRow } from './statements/columns.js';
import type {
  BulkStatement,
  Statement,
  StatementRunner,
  TenantTables,
} from './statements/statement.js';
import { untraced } from '../../runtime/untraced.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Number of runs of a statement in a tenant before it is prepared. Preparing costs server memory and planning a
 * millisecond.
 */
const PREPARE_AFTER_RUNS = 5;
/**
 * Pause after which the runs are counted from zero, in milliseconds: an occasionally active tenant needs no prepared
 * statements.
 */
const MAX_PAUSE_MS = 5_000;

/** Returns values as the text that the server sent. Each statement decodes the columns that it uses. */
const RAW_TYPES = { getTypeParser: () => (value: string) => value };

/** How often a statement has run recently. */
interface Use {
  runs: number;
  lastAt: number;
}

/**
 * Runs the statements of one tenant. They are prepared on the server while the tenant is busy. For other tenants only the
 * numbers of runs are kept.
 */
export class TenantStatements {
  private readonly uses = new Map<object, Use>();

  constructor(
    readonly tables: TenantTables,
    /** Distinguishes the tenants' prepared statements on a shared connection. */
    private readonly key: string,
    private readonly schema: string,
    private readonly clock: Pick<Clock, 'now'>,
    /** Called when the tenant may have moved to another server: its schema refused a statement, or is gone. */
    private readonly onMove: () => void = () => undefined,
  ) {}

  /** Runs statements on a connection. */
  on(client: pg.ClientBase): StatementRunner {
    return { run: (statement, values) => this.run(client, statement, values) };
  }

  /** Runs statements on a pool's connections. */
  inTurn(turns: FairConnectionPool): StatementRunner {
    return {
      run: (statement, values) =>
        untraced(() =>
          turns.withConnection(this, (client) => this.runOn(client, statement, values)),
        ),
    };
  }

  private run<R>(
    client: pg.ClientBase,
    statement: Statement<R>,
    values: readonly unknown[],
  ): Promise<R[]> {
    return untraced(() => this.runOn(client, statement, values));
  }

  private async runOn<R>(
    client: pg.ClientBase,
    statement: Statement<R>,
    values: readonly unknown[],
  ): Promise<R[]> {
    const text = (): string => statement.text(this.tables);
    const config = {
      values: [...values],
      rowMode: 'array' as const,
      types: RAW_TYPES,
      query_timeout: ANSWER_TIMEOUT_MS,
    };
    try {
      const result = this.isBusy(statement)
        ? await runPrepared<(string | null)[]>(
            client,
            `cloacina_${this.key}_${statement.name}`,
            text,
            config,
          )
        : await client.query<(string | null)[]>({ ...config, text: text() });
      return statement.columns.decode(result.rows);
    } catch (error) {
      if (sqlState(error) === READ_ONLY) throw await explainReadOnly(client, error);
      // The source of an ended move may be dropped.
      if (sqlState(error) === SqlState.tenantMoves || isMissingTable(error)) this.onMove();
      throw this.explained(error, client);
    }
  }

  /** Explains errors after tables were moved or dropped, or a right was revoked, while the tenant is served. */
  private explained(error: unknown, client: pg.ClientBase): unknown {
    const { schema } = this;
    if (isMissingTable(error)) return new TablesMissingError(schema, { cause: error });
    if (sqlState(error) !== SqlState.insufficientPrivilege) return error;
    const place = pg.escapeIdentifier(schema);
    const login = pg.escapeIdentifier((client instanceof pg.Client && client.user) || 'login');
    return new PermissionError(
      {
        schema,
        action: `use the library's tables in schema ${JSON.stringify(schema)}`,
        grant:
          `GRANT USAGE ON SCHEMA ${place} TO ${login}; ` +
          `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${place} TO ${login}`,
      },
      { cause: error },
    );
  }

  private isBusy(statement: object): boolean {
    const now = this.clock.now();
    let use = this.uses.get(statement);
    if (use === undefined) this.uses.set(statement, (use = { runs: 0, lastAt: now }));
    else if (now - use.lastAt > MAX_PAUSE_MS) use.runs = 0;
    use.lastAt = now;
    return use.runs++ >= PREPARE_AFTER_RUNS;
  }
}

/** Runs a statement for many tenants, or for all of them. */
export async function runBulk<R>(
  client: Pick<pg.Pool, 'query'> | pg.ClientBase,
  statement: BulkStatement<R>,
  tenants: readonly TenantTables[],
  values: readonly unknown[],
): Promise<R[]> {
  return statement.columns.decode(await runUnprepared(client, statement.textFor(tenants), values));
}

/**
 * Runs a statement whose text depends on the number of tenants, so it is never prepared.
 *
 * @param answer - how long the server may take, in milliseconds; empty for a connection with a limit of its own
 */
export async function runUnprepared(
  client: Pick<pg.Pool, 'query'> | pg.ClientBase,
  text: string,
  values: readonly unknown[],
  answer: { readonly query_timeout?: number } = { query_timeout: ANSWER_TIMEOUT_MS },
): Promise<readonly RawRow[]> {
  const result = await untraced(() =>
    client.query<(string | null)[]>({
      text,
      values: [...values],
      rowMode: 'array',
      types: RAW_TYPES,
      ...answer,
    }),
  );
  return result.rows;
}
