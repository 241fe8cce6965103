import { nextBatch, nextNo } from './claim-numbers.js';
import pg from 'pg';
import { TenantStatements } from '../../../lib/store/postgres/tenant-statements.js';
import {
  claimsOf,
  claimTasks,
  claimValues,
} from '../../../lib/store/postgres/statements/claim-tasks.js';
import { completeTasks } from '../../../lib/store/postgres/statements/complete-tasks.js';
import { completionValues } from '../../../lib/store/postgres/statements/completion-values.js';
import { completionOf } from '../../../lib/store/postgres/statements/completion-result.js';
import {
  startExecutions,
  startStatement,
  startReplyOf,
} from '../../../lib/store/postgres/statements/start-executions.js';
import { startValues } from '../../../lib/store/postgres/statements/start-values.js';
import type { Statement, TenantTables } from '../../../lib/store/postgres/statements/statement.js';
import { noteClaim } from '../../conformance/last-token.js';
import { newClaimant, startOf, type TestWorkflow } from '../../conformance/workflows.js';
import {
  type Claimant,
  type ClaimedTask,
  type CompletionResult,
  type Outcome,
  type StartItem,
  byLockOrder,
} from '../../../lib/store/port/index.js';
import { systemClock } from '../../../lib/runtime/clock.js';

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
    this.statements = new TenantStatements(tables, 'session', 'session', systemClock);
  }

  static async open(tables: TenantTables, config: pg.ClientConfig): Promise<Session> {
    const client = new pg.Client({ ...config, application_name: 'store session' });
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return new Session(tables, client, rows[0]?.pid ?? 0);
  }

  run<R>(statement: Statement<R>, values: readonly unknown[]): Promise<R[]> {
    return this.statements.on(this.client).run(statement, values);
  }

  /** `statement` may be a variant of {@link completeTasks}. */
  async complete(
    outcomes: readonly Outcome[],
    statement: typeof completeTasks = completeTasks,
  ): Promise<CompletionResult> {
    const sorted = [...outcomes].sort(byLockOrder);
    const values = completionValues(sorted, this.claimant, false, nextBatch());
    const result = completionOf(await this.run(statement, values), outcomes.length);
    for (const { outcome, taskNo, token, claimed } of result.readied) {
      if (claimed) noteClaim(sorted[outcome]!.executionId, taskNo, token);
    }
    return result;
  }

  async claim(
    definitions: readonly string[],
    limit: number,
    { unknown = [], statement = claimTasks }: ClaimOptions = {},
  ): Promise<ClaimedTask[]> {
    const values = claimValues(definitions, unknown, limit, this.claimant, false, nextNo());
    const claims = claimsOf(await this.run(statement, values));
    for (const { executionId, taskNo, token } of claims) noteClaim(executionId, taskNo, token);
    return claims;
  }

  async start(items: readonly StartItem[]): Promise<void> {
    await this.run(startExecutions, startValues(items, this.claimant, false, nextNo()));
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
    const lease = { claimant: this.claimant, write: false };
    const rows = await this.run(...startStatement(items, lease, nextNo(), { keyed: true }));
    const { created } = startReplyOf(rows, true);
    return created === 'all' ? [] : [...created];
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
  readonly unknown?: readonly (readonly [definition: string, task: number])[];
  readonly statement?: typeof claimTasks;
}

/** The statement with a part of its text replaced: for showing what goes wrong without it. */
export function variant<R>(
  statement: Statement<R>,
  ...replacements: readonly (readonly [part: string, by: string])[]
): Statement<R> {
  return {
    name: `${statement.name}_variant`,
    columns: statement.columns,
    text: (tables) =>
      replacements.reduce((text, [part, by]) => {
        if (!text.includes(part)) throw new Error(`${statement.name} has no "${part}".`);
        return text.replaceAll(part, by);
      }, statement.text(tables)),
  };
}
