import type pg from 'pg';
import { isPooled } from './pooler.js';
import { sqlState, SqlState } from '../sql-state.js';
import { transactionStatus, watchTransactions } from './transaction-status.js';

/**
 * Statements that one connection keeps prepared at most. Each costs the server some 70 kB, for each tenant anew: with
 * all of a thousand tenants it would be hundreds of megabytes a connection.
 */
const MAX_PREPARED = 200;
/** What is made room for at a time, so that a round trip for it is rare. */
const DROPPED_TOGETHER = 20;

/** The names of the library's own statements begin with it. */
const PREPARED_PREFIX = 'cloacina_';

/** The statements that one connection has prepared, by name, with their texts; the least recently used first. */
class PreparedStatements {
  private readonly texts = new Map<string, string>();
  /** Those that the server has with a plan that no longer fits. */
  private stale: string[] = [];
  /** User code drops statements behind the library's back here, so none is prepared within its transactions. */
  private isUnreliable = false;

  /** The text, and the names of others that have to go for it. */
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

  /** It failed, so the server may not have it. */
  forget(name: string): void {
    this.texts.delete(name);
  }

  /** The server has it, and can't use it any more. */
  drop(name: string): void {
    this.texts.delete(name);
    this.stale.push(name);
  }

  /** The server has none of them any more. */
  forgetAll(): void {
    this.texts.clear();
    this.stale = [];
  }

  distrust(): void {
    this.isUnreliable = true;
  }

  isUsable(client: pg.ClientBase): boolean {
    return !this.isUnreliable || transactionStatus(client) === 'I';
  }
}

/** `pooled`: what is prepared would be on one of the pooler's connections, and the next statement on another. */
const byConnection = new WeakMap<pg.ClientBase, PreparedStatements | 'pooled'>();

/** Connections whose transaction failed because of a prepared statement of the library's. */
const lostPlans = new WeakSet<pg.ClientBase>();

/** Whether the connection's transaction failed by no fault of its user: a prepared statement could not be used. */
export function hasLostPlan(client: pg.ClientBase): boolean {
  return lostPlans.has(client);
}

/** A transaction begins. */
export function forgetLostPlan(client: pg.ClientBase): void {
  lostPlans.delete(client);
}

/**
 * Runs a statement that the connection keeps prepared, within its bound: others that were not used for the longest
 * time are dropped for it.
 *
 * A statement that the server has lost (26000) or can't use any more (0A000, after a table was altered) was not
 * executed. Outside of a transaction it is sent once more; within one it fails, and is prepared anew the next time.
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
      // Prepared again in the next such transaction, it would be lost again.
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

/** Whether a prepared statement could not be used, so that nothing was executed. */
function isPlanLost(error: unknown): boolean {
  const code = sqlState(error);
  return code === SqlState.undefinedStatement || code === SqlState.featureNotSupported;
}

/** The server has dropped all that the connection had prepared: the driver must not go on to use it. */
export function forgetAllPrepared(client: pg.ClientBase): void {
  const prepared = byConnection.get(client);
  if (prepared !== undefined && prepared !== 'pooled') prepared.forgetAll();
  const known = parsedIn(client);
  for (const name of Object.keys(known ?? {})) Reflect.deleteProperty(known ?? {}, name);
}

/** Whether the connection has statements that user code has prepared through the driver. */
export function hasForeignPrepared(client: pg.ClientBase): boolean {
  return Object.keys(parsedIn(client) ?? {}).some((name) => !name.startsWith(PREPARED_PREFIX));
}

/** Whether the server has it: the statement failed after that. */
function isParsedIn(client: pg.ClientBase, name: string): boolean {
  return Object.hasOwn(parsedIn(client) ?? {}, name);
}

/** The driver knows by name what it has prepared, and would go on to use what the server has dropped. */
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
