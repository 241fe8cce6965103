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
import type { Clock } from '../../runtime/clock.js';

/** Runs of one statement in one tenant before it is prepared: that costs memory on the server, and planning a millisecond. */
const PREPARE_AFTER_RUNS = 5;
/** Runs that are further apart don't count: a tenant that is at work now and then is served as well without. */
const MAX_PAUSE_MS = 5_000;

/** Values arrive as the text that the server sent; each statement decodes what it reads. */
const RAW_TYPES = { getTypeParser: () => (value: string) => value };

/** How often a statement has run of late. */
interface Use {
  runs: number;
  lastAt: number;
}

/**
 * The statements of one tenant, prepared on the server while the tenant is busy. Of a tenant that is not, nothing is
 * kept but how often each has run.
 */
export class TenantStatements {
  private readonly uses = new Map<object, Use>();

  constructor(
    readonly tables: TenantTables,
    /** Tells the tenants' prepared statements apart on a shared connection. */
    private readonly key: string,
    private readonly schema: string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** A runner on a connection. */
  on(client: pg.ClientBase): StatementRunner {
    return { run: (statement, values) => this.run(client, statement, values) };
  }

  /** A runner on a pool's connections. */
  inTurn(turns: FairConnectionPool): StatementRunner {
    return {
      run: (statement, values) =>
        turns.withConnection(this, (client) => this.run(client, statement, values)),
    };
  }

  private async run<R>(
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
      throw this.explained(error, client);
    }
  }

  /** The tables were moved or dropped under a process that serves them, or a right was taken: says what to do. */
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

/** A statement for many tenants, or for all of them. */
export async function runBulk<R>(
  client: Pick<pg.Pool, 'query'> | pg.ClientBase,
  statement: BulkStatement<R>,
  tenants: readonly TenantTables[],
  values: readonly unknown[],
): Promise<R[]> {
  return statement.columns.decode(await runUnprepared(client, statement.textFor(tenants), values));
}

/** A statement whose text differs from run to run (it depends on how many tenants there are): never prepared. */
export async function runUnprepared(
  client: Pick<pg.Pool, 'query'> | pg.ClientBase,
  text: string,
  values: readonly unknown[],
): Promise<readonly RawRow[]> {
  const result = await client.query<(string | null)[]>({
    text,
    values: [...values],
    rowMode: 'array',
    types: RAW_TYPES,
  });
  return result.rows;
}
