import pg from 'pg';
import { TenantStatements } from '../../../lib/store/statement-pool.js';
import {
  claimTasks,
  claimValues,
  decodeClaims,
  type ClaimedTask,
} from '../../../lib/store/statements/claim-tasks.js';
import {
  completeTasks,
  completionValues,
  decodeCompletion,
  sortOutcomes,
  type CompletionResult,
  type Outcome,
} from '../../../lib/store/statements/complete-tasks.js';
import type { Claimant } from '../../../lib/store/statements/lease-clause.js';
import {
  startExecutions,
  startKeyedExecutions,
  startValues,
  type StartItem,
} from '../../../lib/store/statements/start-executions.js';
import type { RawRow, Statement, TenantTables } from '../../../lib/store/statements/statement.js';
import { newClaimant, startOf, type TestWorkflow } from './workflows.js';

/** One connection, and the process that would be behind it. A test says when its transactions begin and end. */
export class Session {
  readonly claimant: Claimant = newClaimant();
  private readonly statements: TenantStatements;

  private constructor(
    tables: TenantTables,
    readonly client: pg.Client,
    /** The server's process. */
    readonly pid: number,
  ) {
    this.statements = new TenantStatements(tables, 'session', 'session');
  }

  static async open(tables: TenantTables, config: pg.ClientConfig): Promise<Session> {
    const client = new pg.Client({ ...config, application_name: 'store session' });
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return new Session(tables, client, rows[0]?.pid ?? 0);
  }

  run(statement: Statement, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.statements.on(this.client).run(statement, values);
  }

  /** `statement` may be a variant of {@link completeTasks}. */
  async complete(
    outcomes: readonly Outcome[],
    statement: Statement = completeTasks,
  ): Promise<CompletionResult> {
    const values = completionValues(sortOutcomes(outcomes), this.claimant, false);
    return decodeCompletion(await this.run(statement, values), outcomes.length);
  }

  async claim(
    definitions: readonly number[],
    limit: number,
    { unknown = [], statement = claimTasks }: ClaimOptions = {},
  ): Promise<ClaimedTask[]> {
    const values = claimValues(definitions, unknown, limit, this.claimant, false);
    return decodeClaims(await this.run(statement, values));
  }

  async start(items: readonly StartItem[]): Promise<void> {
    await this.run(startExecutions, startValues(items, this.claimant, false));
  }

  /** Starts an execution with, unless told, all its roots claimed; returns its id. */
  async startOne(of: TestWorkflow, options?: Partial<StartItem>): Promise<string> {
    const item = startOf(of, options);
    await this.start([item]);
    return item.id;
  }

  async startMany(
    of: TestWorkflow,
    count: number,
    options?: Partial<StartItem>,
  ): Promise<string[]> {
    const items = Array.from({ length: count }, () => startOf(of, options));
    await this.start(items);
    return items.map(({ id }) => id);
  }

  /** The ids that were created now. */
  async startKeyed(items: readonly StartItem[]): Promise<string[]> {
    const rows = await this.run(startKeyedExecutions, startValues(items, this.claimant, false));
    return rows.map((row) => row[0] ?? '');
  }

  async begin(): Promise<void> {
    await this.client.query('BEGIN');
  }

  async commit(): Promise<void> {
    await this.client.query('COMMIT');
  }

  async rollback(): Promise<void> {
    await this.client.query('ROLLBACK');
  }

  close(): Promise<void> {
    return this.client.end();
  }
}

interface ClaimOptions {
  readonly unknown?: readonly (readonly [definition: number, task: number])[];
  readonly statement?: Statement;
}

/** The statement with a part of its text replaced: for showing what goes wrong without it. */
export function variant(
  statement: Statement,
  ...replacements: readonly (readonly [part: string, by: string])[]
): Statement {
  return {
    name: `${statement.name}_variant`,
    text: (tables) =>
      replacements.reduce((text, [part, by]) => {
        if (!text.includes(part)) throw new Error(`${statement.name} has no "${part}".`);
        return text.replaceAll(part, by);
      }, statement.text(tables)),
  };
}
