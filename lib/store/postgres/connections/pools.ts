import pg from 'pg';
import { CleanPool } from './clean-pool.js';
import { ClosingClient } from './closing-client.js';
import { ANSWER_TIMEOUT_MS } from './destroy-socket.js';
import { FairConnectionPool } from './fair-connection-pool.js';
import type { Clock } from '../../../runtime/clock.js';

/** How the pools of one login are made. */
export interface PoolSettings {
  readonly clock: Pick<Clock, 'now'>;
  readonly connection: pg.ClientConfig;
  /** Connections in all. */
  readonly poolSize: number;
  readonly applicationName: string;
}

/**
 * The connections of one login: those for statements and those for everything else, which never borrow from each other,
 * so that handlers which hold all of theirs can't stop the library from recording what it knows.
 */
export interface LoginPools {
  /** The library's hot statements: pools of one connection each, so that a tenant's go where they are prepared. */
  readonly statements: readonly pg.Pool[];
  /** Data sources, transactions with user code, and what is rare. */
  readonly general: pg.Pool;
  /** Who is next to use one of these, for a statement. */
  readonly turns: { readonly statements: FairConnectionPool; readonly general: FairConnectionPool };
  /** Whether connections stay open while nothing uses them. Until told otherwise they do; see {@link BRIEFLY}. */
  keep(connections: boolean): void;
  /** For a tenant that asks for more connections than those before it: the largest wish wins. */
  grow(poolSize: number): void;
  end(): Promise<void>;
}

/**
 * The library's statements qualify their tables; so functions, operators and types are PostgreSQL's own, whatever stands
 * in a schema of the login's path. Temporary objects, which would come first, come last.
 */
export const FIXED_PATH = 'search_path=pg_catalog,pg_temp';

/**
 * Settings of the connections for hot statements. These find their rows by primary key, one after the other in the
 * order of the batch. A planner that looks at a table while it is small or freshly emptied prefers to read all of
 * it, and keeps that plan while the table grows; so it is told that only the keys are worth using, and plans once.
 *
 * A statement that waits two seconds for a row fails and is sent again in halves, so that one locked row delays
 * itself and not a whole batch.
 */
const STATEMENT_SETTINGS = [
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'plan_cache_mode=force_generic_plan',
  'jit=off',
  'lock_timeout=2000',
  FIXED_PATH,
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/** Maximum number of hot statements at a time: more would only share the same cores of the server. */
const MAX_STATEMENT_CONNECTIONS = 4;

/**
 * Idle connections of an application that boots. When its boot fails in another module, Nest tells nothing: no hook is
 * called, and the application object may never have existed. So until the bootstrap the library keeps nothing that it
 * isn't using: idle connections don't hold up the end of the process, and are closed after a second.
 */
const BRIEFLY = { allowExitOnIdle: true, idleTimeoutMillis: 1_000 };
const FOR_LONG = { allowExitOnIdle: false, idleTimeoutMillis: 30_000 };

const READ_COMMITTED = '-c default_transaction_isolation=read\\ committed';

export function createPools(settings: PoolSettings): LoginPools {
  const shared: pg.PoolConfig = {
    ...settings.connection,
    application_name: settings.applicationName,
    connectionTimeoutMillis: 10_000,
    // A network that swallows all is noticed by the system within half a minute, where nothing waits to be sent.
    keepAlive: true,
    keepAliveInitialDelayMillis: 20_000,
    // Connections age: a backend's cache grows by some 120 kB with each schema that it touches, and forgets none.
    maxLifetimeSeconds: 900,
    ...FOR_LONG,
  };
  const own = settings.connection.options ?? '';
  const statements: pg.Pool[] = [];
  let kept = true;
  const apply = (pool: pg.Pool, index?: number): void => {
    // Two stay open: a tenant that begins to work after a quiet minute doesn't wait for a connection to be made.
    const min = kept && index !== undefined && index < 2 ? 1 : 0;
    Object.assign(pool.options, kept ? FOR_LONG : BRIEFLY, { min });
  };
  const growStatements = (size: number): void => {
    while (statements.length < size) {
      const pool = quietPool({
        ...shared,
        max: 1,
        // The network has swallowed the statement or its answer. It is sent again.
        query_timeout: ANSWER_TIMEOUT_MS,
        options: `${own} ${READ_COMMITTED} ${STATEMENT_SETTINGS}`.trim(),
      });
      apply(pool, statements.length);
      statements.push(pool);
    }
  };
  growStatements(statementShare(settings.poolSize));
  const general = quietPool(
    {
      ...shared,
      max: generalShare(settings.poolSize),
      options: `${own} ${READ_COMMITTED}`.trim(),
    },
    CleanPool,
  );
  return {
    statements,
    general,
    turns: {
      statements: new FairConnectionPool(statements, settings.clock),
      general: new FairConnectionPool([general], settings.clock),
    },
    keep: (connections) => {
      kept = connections;
      for (const [index, pool] of statements.entries()) apply(pool, index);
      apply(general);
    },
    grow: (poolSize) => {
      growStatements(statementShare(poolSize));
      general.options.max = Math.max(general.options.max, generalShare(poolSize));
    },
    end: async () => {
      await Promise.all([...statements, general].map((pool) => pool.end()));
    },
  };
}

/** A pool whose connections may break without ending the process. */
export function quietPool(config: pg.PoolConfig, Pool: typeof pg.Pool = pg.Pool): pg.Pool {
  const pool = new Pool({ Client: ClosingClient, ...config });
  // A pool reports an idle connection that broke; it has dropped it already, and the next query opens a new one.
  pool.on('error', () => undefined);
  // One that is checked out has no listener, and Node would end the process when it breaks between two statements.
  // Who has it learns of it by the next statement.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

function statementShare(poolSize: number): number {
  return Math.max(1, Math.min(MAX_STATEMENT_CONNECTIONS, Math.floor(poolSize / 2)));
}

function generalShare(poolSize: number): number {
  return Math.max(1, poolSize - statementShare(poolSize));
}
