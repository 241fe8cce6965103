import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { ClaimBatches } from './claim-batches.js';
import type { Clocks } from './clocks.js';
import type { LoginPools } from './connections/pools.js';
import { asLogin } from './connections/user-connection.js';
import { ProgressReads } from './progress-reads.js';
import { tenantTables, type StatementRunner, type TenantTables } from './statements/statement.js';
import { TenantStatements } from './tenant-statements.js';
import type { UserTransaction } from '../port/index.js';
import type { Permit } from '../../runtime/permit.js';

export interface PostgresStoreSettings {
  readonly schema: string;
  /** The schema, quoted as an SQL identifier. */
  readonly quotedSchema: string;
  readonly pools: LoginPools;
  readonly dataSource: DataSource;
  readonly clocks: Clocks;
  /** Whether idempotency keys of deleted executions are kept, so that starts look for them. Default: false. */
  readonly keepsKeys?: boolean;
  /** Called when the tenant may have moved to another server: its schema refused a statement, or is gone. */
  readonly onMove?: () => void;
}

/** What the roles of a tenant's store share: its tables, the ways to its connections, and the state of the store. */
export class TenantDatabase {
  readonly schema: string;
  readonly tables: TenantTables;
  readonly dataSource: DataSource;
  /** For statements of the engine, which find their rows by key. */
  readonly hot: StatementRunner;
  /** For rare statements and those that read many rows. */
  readonly cold: StatementRunner;
  readonly batches = new ClaimBatches();
  readonly progressReads: ProgressReads;
  readonly keepsKeys: boolean;
  private readonly statements: TenantStatements;
  private current: {
    readonly pools: LoginPools;
    readonly hot: StatementRunner;
    readonly cold: StatementRunner;
  };

  constructor({
    schema,
    quotedSchema,
    pools,
    dataSource,
    clocks,
    keepsKeys = false,
    onMove,
  }: PostgresStoreSettings) {
    const key = createHash('sha256').update(schema).digest('hex').slice(0, 16);
    this.schema = schema;
    this.tables = tenantTables(quotedSchema, clocks.database);
    this.keepsKeys = keepsKeys;
    this.dataSource = dataSource;
    this.statements = new TenantStatements(this.tables, key, schema, clocks.process, onMove);
    this.current = this.onPools(pools);
    this.hot = { run: (statement, values) => this.current.hot.run(statement, values) };
    this.cold = { run: (statement, values) => this.current.cold.run(statement, values) };
    this.progressReads = new ProgressReads(clocks.process);
  }

  /** The connections of the tenant's login on the tenant's server. */
  get pools(): LoginPools {
    return this.current.pools;
  }

  /** Sends all further statements to another server, where the schema is the same. */
  moveTo(pools: LoginPools): void {
    this.current = this.onPools(pools);
  }

  private onPools(pools: LoginPools): TenantDatabase['current'] {
    const { statements } = this;
    const { turns } = pools;
    return {
      pools,
      hot: statements.inTurn(turns.statements),
      cold: statements.inTurn(turns.general),
    };
  }

  /** Waits for a connection for the next hot statement. */
  permit(): Promise<Permit> {
    return this.pools.turns.statements.permit(this.statements);
  }

  /** Runs statements on a connection. */
  on(client: pg.ClientBase): StatementRunner {
    return this.statements.on(client);
  }

  /** Runs statements on the connection of a caller's transaction. */
  async within(transaction: UserTransaction): Promise<StatementRunner> {
    const { queryRunner } = transaction as EntityManager;
    const client: pg.ClientBase | undefined = await queryRunner?.connect();
    if (client === undefined) throw new TypeError('The manager does not belong to a transaction.');
    return {
      run: (statement, values) =>
        asLogin(client, (connection) => this.on(connection).run(statement, values)),
    };
  }
}
