import pg from 'pg';
import { CleanPool } from './clean-pool.js';
import { ClosingClient } from './closing-client.js';
import { ANSWER_TIMEOUT_MS } from './destroy-socket.js';
import { FairConnectionPool } from './fair-connection-pool.js';
import type { Clock } from '../../../runtime/clock.js';

/** Settings of the pools of one login. */
export interface PoolSettings {
  readonly clock: Pick<Clock, 'now'>;
  readonly connection: pg.ClientConfig;
  /** Maximum number of connections. */
  readonly poolSize: number;
  readonly applicationName: string;
}

/**
 * The connections of one login, in two groups that never borrow from each other: for hot statements, and for all else. So
 * handlers that use all of their connections can't prevent the library from recording outcomes.
 */
export interface LoginPools {
  /**
   * For hot statements: pools of one connection each, so that a tenant's statements reuse the connection that prepared
   * them.
   */
  readonly statements: readonly pg.Pool[];
  /** For data sources, transactions with user code, and rare statements. */
  readonly general: pg.Pool;
  /** Fair access to the pools, one statement at a time. */
  readonly turns: { readonly statements: FairConnectionPool; readonly general: FairConnectionPool };
  /** How many connections they may open together now. */
  readonly size: number;
  /** Sets whether idle connections stay open, which is the default. If false, they close soon, see {@link BRIEFLY}. */
  keep(connections: boolean): void;
  /** Raises the size for a tenant that asks for more connections than earlier tenants. The largest value applies. */
  grow(poolSize: number): void;
  /** Limits the size to a share of the server's connections, at least {@link MIN_SIZE}. Connections beyond it close. */
  share(connections: number): void;
  end(): Promise<void>;
}

/**
 * A path for the library's statements. They qualify their tables, so the path only resolves functions, operators and
 * types: to PostgreSQL's own, whatever other schemas contain. Temporary objects come last instead of first.
 */
export const FIXED_PATH = 'search_path=pg_catalog,pg_temp';

/**
 * Settings of the connections for hot statements.
 *
 * These statements find rows by primary key, in the order of the batch. A planner that sees a table while it is small or
 * freshly emptied prefers a sequential scan, and keeps that plan while the table grows. So other plans are disabled, and
 * each statement is planned once. A bitmap scan reads all entries of a range and sorts them: of a limit's key with a hundred
 * thousand waiting items, a claim of twenty read all on a table without statistics.
 *
 * A statement that waits two seconds for a row lock fails. Its batch is then sent again in halves, so one locked row does
 * not delay the others.
 */
const STATEMENT_SETTINGS = [
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'enable_bitmapscan=off',
  'plan_cache_mode=force_generic_plan',
  'jit=off',
  'lock_timeout=2000',
  FIXED_PATH,
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/** Minimum number of connections: one for hot statements, one for user code, and one more for the library. */
const MIN_SIZE = 3;

/** Maximum number of hot statements at a time: more would only share the same cores of the server. */
const MAX_STATEMENT_CONNECTIONS = 4;

/**
 * Pool settings during the boot. If the boot fails in another module, Nest calls no hook, and the application object may
 * never exist. So until the bootstrap idle connections don't keep the process alive, and are closed after a second.
 */
const BRIEFLY = { allowExitOnIdle: true, idleTimeoutMillis: 1_000 };
const FOR_LONG = { allowExitOnIdle: false, idleTimeoutMillis: 30_000 };

const READ_COMMITTED = '-c default_transaction_isolation=read\\ committed';

export function createPools(settings: PoolSettings): LoginPools {
  const shared: pg.PoolConfig = {
    ...settings.connection,
    application_name: settings.applicationName,
    connectionTimeoutMillis: 10_000,
    // Detects a dead network within half a minute while no statement is pending.
    keepAlive: true,
    keepAliveInitialDelayMillis: 20_000,
    // Limits the age of connections: a backend's cache grows by some 120 kB per schema that it uses, and never shrinks.
    maxLifetimeSeconds: 900,
    ...FOR_LONG,
  };
  const own = settings.connection.options ?? '';
  const statements: pg.Pool[] = [];
  let kept = true;
  const apply = (pool: pg.Pool, index?: number): void => {
    // Keeps two connections open, so that a tenant which becomes active after a minute doesn't wait for a new one.
    const min = kept && index !== undefined && index < 2 ? 1 : 0;
    Object.assign(pool.options, kept ? FOR_LONG : BRIEFLY, { min });
  };
  const growStatements = (size: number): void => {
    while (statements.length < size) {
      const pool = quietPool({
        ...shared,
        max: 1,
        // After this time the network has probably dropped the statement or its answer, and it is sent again.
        query_timeout: ANSWER_TIMEOUT_MS,
        options: `${own} ${READ_COMMITTED} ${STATEMENT_SETTINGS}`.trim(),
      });
      apply(pool, statements.length);
      statements.push(pool);
    }
  };
  let wanted = settings.poolSize;
  let share = Infinity;
  growStatements(statementShare(wanted));
  const general = quietPool(
    {
      ...shared,
      max: generalShare(wanted),
      options: `${own} ${READ_COMMITTED}`.trim(),
    },
    CleanPool,
  );
  const sizeOf = (): number => Math.max(MIN_SIZE, Math.min(wanted, share));
  const resize = (): void => {
    const size = sizeOf();
    growStatements(statementShare(size));
    for (const [index, pool] of statements.entries()) {
      apply(pool, index);
      limitPool(pool, index < statementShare(size) ? 1 : 0);
    }
    limitPool(general, generalShare(size));
  };
  return {
    statements,
    general,
    turns: {
      statements: new FairConnectionPool(statements, settings.clock),
      general: new FairConnectionPool([general], settings.clock),
    },
    get size() {
      return sizeOf();
    },
    keep: (connections) => {
      kept = connections;
      for (const [index, pool] of statements.entries()) apply(pool, index);
      apply(general);
    },
    grow: (poolSize) => {
      wanted = Math.max(wanted, poolSize);
      resize();
    },
    share: (connections) => {
      share = connections;
      resize();
    },
    end: async () => {
      await Promise.all([...statements, general].map((pool) => pool.end()));
    },
  };
}

/** A pool whose broken connections don't end the process. */
export function quietPool(config: pg.PoolConfig, Pool: typeof pg.Pool = pg.Pool): pg.Pool {
  const pool = new Pool({ Client: ClosingClient, ...config });
  // Emitted for a broken idle connection. The pool has dropped it already, and the next query opens a new one.
  pool.on('error', () => undefined);
  // A connection in use has no listener, and Node would end the process if it breaks between two statements. Its user
  // gets the error from the next statement.
  pool.on('connect', (client) => client.on('error', () => undefined));
  // A pool that was made smaller closes the connections that are given back. The pool emits the event before it looks at
  // `maxUses`.
  pool.on('release', () => {
    pool.options.maxUses = pool.totalCount > pool.options.max ? 1 : Infinity;
  });
  return pool;
}

/**
 * Changes the maximum size of a pool. Connections beyond it close: idle ones now, others when they are given back. Until
 * then the pool opens no others.
 */
function limitPool(pool: pg.Pool, max: number): void {
  pool.options.max = max;
  pool.options.min = Math.min(pool.options.min ?? 0, max);
  for (let over = Math.min(pool.idleCount, pool.totalCount - max); over > 0; over--) {
    pool.connect().then(
      (client) => client.release(true),
      () => undefined,
    );
  }
}

function statementShare(poolSize: number): number {
  return Math.max(1, Math.min(MAX_STATEMENT_CONNECTIONS, Math.floor(poolSize / 2)));
}

function generalShare(poolSize: number): number {
  return Math.max(1, poolSize - statementShare(poolSize));
}
