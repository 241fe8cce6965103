import type pg from 'pg';
import { isPooled } from './pooler.js';
import { sqlState, SqlState } from '../sql-state.js';
import { transactionStatus, watchTransactions } from './transaction-status.js';

/**
 * Maximum number of statements that a connection keeps prepared. Each takes some 70 kB of the server's memory, for each
 * tenant. Without a limit, a thousand tenants would take hundreds of megabytes per connection.
 */
const MAX_PREPARED = 200;
/** Number of statements to drop at once, so that the round trip for it is rare. */
const DROPPED_TOGETHER = 20;

/** Prefix of the names of the library's statements. */
const PREPARED_PREFIX = 'cloacina_';

/** The texts of the statements that a connection has prepared, by name, least recently used first. */
class PreparedStatements {
  private readonly texts = new Map<string, string>();
  /** Names of statements whose plan on the server is no longer valid. */
  private stale: string[] = [];
  /** Whether user code drops statements on this connection. Then none is prepared within its transactions. */
  private isUnreliable = false;

  /** Returns the text, and the names of other statements to drop. */
  use(name: string, text: () => string): { readonly text: string; readonly dropped: string[] } {
    const known = this.texts.get(name);
    const used = known ?? text();
    this.texts.delete(name);
    this.texts.set(name, used);
    const dropped = this.stale;
    this.stale = [];
    if (this.texts.size > MAX_PREPARED) {
      dropped.push(...[...this.texts.keys()].slice(0, DROPPED_TOGETHER));
    }
    for (const other of dropped) if (other !== name) this.texts.delete(other);
    return { text: used, dropped };
  }

  /** Call it after a failure, when the server may not have the statement. */
  forget(name: string): void {
    this.texts.delete(name);
  }

  /** Call it when the server has the statement but can no longer use it. */
  drop(name: string): void {
    this.texts.delete(name);
    this.stale.push(name);
  }

  /** Call it when the server has dropped all statements. */
  forgetAll(): void {
    this.texts.clear();
    this.stale = [];
  }

  /** Notes that user code drops prepared statements on this connection. */
  distrust(): void {
    this.isUnreliable = true;
  }

  isUsable(client: pg.ClientBase): boolean {
    return !this.isUnreliable || transactionStatus(client) === 'I';
  }
}

/**
 * `pooled`: a statement prepared through a pooler stays on one of its connections, and the next use may get another.
 */
const byConnection = new WeakMap<pg.ClientBase, PreparedStatements | 'pooled'>();

/** Connections whose transaction failed because of a prepared statement of the library. */
const lostPlans = new WeakSet<pg.ClientBase>();

/**
 * Whether the connection's transaction failed through no fault of its user, because a prepared statement was unusable.
 */
export function hasLostPlan(client: pg.ClientBase): boolean {
  return lostPlans.has(client);
}

/** Call it when a transaction begins. */
export function forgetLostPlan(client: pg.ClientBase): void {
  lostPlans.delete(client);
}

/**
 * Runs a statement, and keeps it prepared on the connection. Beyond the maximum, the least recently used ones are dropped.
 *
 * If the server has lost the statement (26000) or can no longer use it (0A000, after a table was altered), it was not
 * executed. Outside of a transaction it is sent once more. Within a transaction it fails, and is prepared again next time.
 */
export async function runPrepared<R extends unknown[]>(
  client: pg.ClientBase,
  name: string,
  text: () => string,
  config: Omit<pg.QueryArrayConfig, 'name' | 'text'>,
): Promise<pg.QueryArrayResult<R>> {
  let prepared = byConnection.get(client);
  if (prepared === undefined) {
    watchTransactions(client);
    prepared = (await isPooled(client)) ? 'pooled' : new PreparedStatements();
    byConnection.set(client, prepared);
  }
  if (prepared === 'pooled' || !prepared.isUsable(client)) {
    return client.query<R>({ ...config, text: text() });
  }
  const statements = prepared;
  const run = async (): Promise<pg.QueryArrayResult<R>> => {
    const use = statements.use(name, text);
    if (use.dropped.length > 0) {
      await client.query(use.dropped.map((other) => `DEALLOCATE ${other}`).join(';'));
      for (const other of use.dropped) forgetIn(client, other);
    }
    return client.query<R>({ ...config, name, text: use.text });
  };
  try {
    return await run();
  } catch (error) {
    const isAlone = transactionStatus(client) === 'I';
    if (!isPlanLost(error)) {
      if (!isParsedIn(client, name)) statements.forget(name);
      throw error;
    }
    if (sqlState(error) === SqlState.undefinedStatement) {
      statements.forget(name);
      forgetIn(client, name);
      // In the next such transaction it would be lost again.
      if (!isAlone) statements.distrust();
    } else {
      statements.drop(name);
    }
    if (!isAlone) {
      lostPlans.add(client);
      throw error;
    }
    return await run();
  }
}

/** Whether a prepared statement was unusable, so nothing was executed. */
function isPlanLost(error: unknown): boolean {
  const code = sqlState(error);
  return code === SqlState.undefinedStatement || code === SqlState.featureNotSupported;
}

/**
 * Makes the library and the driver forget all prepared statements of a connection, because the server has dropped them.
 */
export function forgetAllPrepared(client: pg.ClientBase): void {
  const prepared = byConnection.get(client);
  if (prepared !== undefined && prepared !== 'pooled') prepared.forgetAll();
  const known = parsedIn(client);
  for (const name of Object.keys(known ?? {})) Reflect.deleteProperty(known ?? {}, name);
}

/** Whether user code has prepared statements on the connection through the driver. */
export function hasForeignPrepared(client: pg.ClientBase): boolean {
  return Object.keys(parsedIn(client) ?? {}).some((name) => !name.startsWith(PREPARED_PREFIX));
}

/** Whether the server has prepared the statement, so that only its execution failed. */
function isParsedIn(client: pg.ClientBase, name: string): boolean {
  return Object.hasOwn(parsedIn(client) ?? {}, name);
}

/** Makes the driver forget a statement that the server has dropped, because it would use it again by name. */
function forgetIn(client: pg.ClientBase, name: string): void {
  const known = parsedIn(client);
  if (known !== undefined) Reflect.deleteProperty(known, name);
}

function parsedIn(client: pg.ClientBase): object | undefined {
  const connection: unknown = Reflect.get(client, 'connection');
  const known: unknown =
    typeof connection === 'object' && connection !== null
      ? Reflect.get(connection, 'parsedStatements')
      : undefined;
  return typeof known === 'object' && known !== null ? known : undefined;
}
