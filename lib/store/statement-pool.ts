import pg from 'pg';
import type { RawRow, Statement, StatementRunner, TenantTables } from './statements/statement.js';

/** Runs of one statement in one tenant before it is prepared: each costs the server memory for each schema. */
const PREPARE_AFTER_RUNS = 20;

/** Values arrive as the text that the server sent; each statement decodes what it reads. */
const RAW_TYPES = { getTypeParser: () => (value: string) => value };

interface Prepared {
  readonly text: string;
  readonly name: string;
  runs: number;
}

/** The statements of one tenant: their texts made once, prepared on the server once they are in use. */
export class TenantStatements {
  private readonly prepared = new Map<Statement, Prepared>();

  constructor(
    readonly tables: TenantTables,
    /** Tells the tenants' prepared statements apart on a shared connection. */
    private readonly key: string,
  ) {}

  query(statement: Statement, values: readonly unknown[]): pg.QueryArrayConfig {
    let known = this.prepared.get(statement);
    if (known === undefined) {
      known = {
        text: statement.text(this.tables),
        name: `cloacina_${this.key}_${statement.name}`,
        runs: 0,
      };
      this.prepared.set(statement, known);
    }
    const name = known.runs++ >= PREPARE_AFTER_RUNS ? known.name : undefined;
    return {
      ...(name === undefined ? {} : { name }),
      text: known.text,
      values: [...values],
      rowMode: 'array',
      types: RAW_TYPES,
    };
  }

  /** A runner on a pool or on a connection. */
  on(client: Pick<pg.Pool, 'query'> | pg.ClientBase): StatementRunner {
    return {
      run: async (statement, values): Promise<readonly RawRow[]> => {
        const result = await client.query<(string | null)[]>(this.query(statement, values));
        return result.rows;
      },
    };
  }
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
