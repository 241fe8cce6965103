import pg from 'pg';
import { ConnectionLimit, type Place } from '../connections/connection-limit.js';
import {
  askFacts,
  forgetFacts,
  knownFacts,
  pathOf,
  type PathOwner,
  type PoolFacts,
} from '../connections/search-path.js';
import { forgetAllPrepared } from '../connections/prepared-statements.js';
import { clean, hasLeftovers, prepareFor } from '../connections/session-state.js';
import {
  forgetUser,
  userConnection,
  type ConnectionUser,
  type TenantRole,
} from '../connections/user-connection.js';
import {
  connectionOf,
  isSettled,
  transactionStatus,
  watchTransactions,
  whenSettled,
} from '../connections/transaction-status.js';

/** Connections of a pool that user code can't use, so that the library's own statements never wait for a handler. */
const RESERVED_CONNECTIONS = 2;

type Release = (error?: Error | boolean) => void;
type ConnectCallback = (error: unknown, client?: pg.PoolClient, release?: Release) => void;

/** A replacement for the `pg` module in TypeORM's `driver` option. TypeORM uses only its Pool. */
export interface SharedPoolDriver {
  readonly Pool: new () => object;
}

/** The tenant of a data source. */
export interface PoolUser extends PathOwner {
  /** The role of the data source's users. Default: the login's own rights. */
  readonly role?: TenantRole | undefined;
}

/**
 * A replacement for the `pg` module whose `Pool` provides clients of an existing pool. So each tenant has a TypeORM data
 * source with its own entities and schema, and a thousand of them share ten connections.
 *
 * All data sources on one pool share one limit. When it is reached, tenants get connections in turn. A connection that user
 * code of another tenant used is cleaned first, and every connection gets the tenant's `search_path`.
 */
export function sharedPoolDriver(pool: pg.Pool, user: PoolUser): SharedPoolDriver {
  const limit = limitOf(pool);
  return {
    Pool: class SharedPool {
      connect(callback: ConnectCallback): void {
        limit.enter(
          user.schema,
          (leave, place) => checkOut(pool, user, { leave, place }, callback),
          (refusal) => callback(refusal),
        );
      }

      /** Ignores the error listener of each data source; the shared pool has the one below. */
      on(): this {
        return this;
      }

      /** Keeps the pool open for the other data sources. */
      end(callback: () => void): void {
        callback();
      }
    },
  };
}

/** Prevents TypeORM from searching all folders for `pg-native`, again for each data source. */
export const NO_NATIVE_DRIVER: object = {};

const limits = new WeakMap<pg.Pool, ConnectionLimit>();

/** All data sources on one pool share one limit of connections. */
function limitOf(pool: pg.Pool): ConnectionLimit {
  let limit = limits.get(pool);
  if (limit === undefined) {
    // The pool drops a broken idle connection, and the next user gets a new one. Without a listener, Node would end the
    // process.
    pool.on('error', () => undefined);
    limit = new ConnectionLimit(() => Math.max(1, pool.options.max - RESERVED_CONNECTIONS));
    limits.set(pool, limit);
  }
  return limit;
}

/** Uses callbacks instead of promises, because TypeORM and the pool both use them. */
function checkOut(
  pool: pg.Pool,
  user: PoolUser,
  { leave, place }: { readonly leave: () => void; readonly place: Place },
  callback: ConnectCallback,
): void {
  // Not the pool's own connect(), which cleans the connection for the library. The last user may be the same tenant.
  pg.Pool.prototype.connect.call(pool, (error, client, release) => {
    if (client === undefined) {
      leave();
      callback(error ?? new Error('The pool gave no connection.'));
      return;
    }
    watchTransactions(client);
    watchCommands(pool, client);
    const handOut = (forUser: PreparedUser): void =>
      callback(undefined, userConnection(client, { ...forUser, place }), (reason) => {
        forgetUser(client);
        giveBack(client, reason, (unusable) => {
          try {
            release(unusable);
          } finally {
            leave();
          }
        });
      });
    prepare(pool, client, user, (failure, forUser) => {
      if (forUser !== undefined) {
        handOut(forUser);
        return;
      }
      release(failure);
      leave();
      callback(failure);
    });
  });
}

type PreparedUser = Omit<ConnectionUser, 'place'>;

/** Prepares the connection for a tenant, without a round trip if the same tenant used it last. */
function prepare(
  pool: pg.Pool,
  client: pg.PoolClient,
  user: PoolUser,
  finish: (error: Error | undefined, user: PreparedUser | undefined) => void,
): void {
  const withFacts = (error: Error | undefined, facts: PoolFacts | undefined): void => {
    if (facts === undefined) {
      finish(error, undefined);
      return;
    }
    const { isPooled } = facts;
    const forUser = { role: user.role, path: pathOf(user, facts), isPooled };
    // A pooler lends its sessions to all clients: settings could reach other clients, and leftovers can't be found.
    if (isPooled) finish(undefined, forUser);
    else {
      prepareFor(client, user.schema, forUser.path, (failure) =>
        finish(failure, failure === undefined ? forUser : undefined),
      );
    }
  };
  const facts = knownFacts(pool);
  if (facts === undefined) askFacts(pool, client, withFacts);
  else withFacts(undefined, facts);
}

const watched = new WeakSet<pg.ClientBase>();

/** Watches the command tags of the server, which are more reliable than the texts that were sent. */
function watchCommands(pool: pg.Pool, client: pg.ClientBase): void {
  if (watched.has(client)) return;
  watched.add(client);
  // Between two users the client has no listener, and Node would end the process if the connection breaks.
  client.on('error', () => undefined);
  connectionOf(client)?.on('commandComplete', (message: unknown) => {
    const tag: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, 'text') : undefined;
    if (typeof tag !== 'string') return;
    if (tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL') forgetAllPrepared(client);
    else if (/ (EXTENSION|SCHEMA)$/.test(tag)) forgetFacts(pool);
  });
}

/** How long a statement may still run on a returned connection before the connection is closed, in milliseconds. */
const RELEASE_GRACE_MS = 100;

/**
 * Returns a connection to the pool. TypeORM's release() doesn't roll back, and its destroy() releases connections in use.
 * A connection in a transaction is therefore closed, which rolls back. Otherwise the next user, perhaps of another tenant,
 * would continue in that transaction.
 */
function giveBack(
  client: pg.PoolClient,
  reason: Error | boolean | undefined,
  release: (unusable: Error | boolean) => void,
): void {
  if (reason !== undefined && reason !== false) {
    release(reason);
    return;
  }
  if (isSettled(client)) {
    leaveClean(client, transactionStatus(client) !== 'I', release);
    return;
  }
  // Usually a statement has just failed, and the server's final status is on its way. No other code listens for errors of
  // the connection now, and without a listener they would end the process.
  const failures: Error[] = [];
  const fail = (failure: Error): void => void failures.push(failure);
  client.on('error', fail);
  let stop: (() => void) | undefined;
  const finish = (): void => {
    clearTimeout(timer);
    stop?.();
    client.off('error', fail);
    const unusable = failures[0] ?? (!isSettled(client) || transactionStatus(client) !== 'I');
    leaveClean(client, unusable, release);
  };
  const timer = setTimeout(finish, RELEASE_GRACE_MS);
  stop = whenSettled(client, finish);
}

/**
 * Undoes what user code is known to have left in the session (a setting, an advisory lock, a temporary table) at once.
 * Unseen leftovers, such as those of a function, are undone before another tenant gets the connection.
 */
function leaveClean(
  client: pg.PoolClient,
  unusable: Error | boolean,
  release: (unusable: Error | boolean) => void,
): void {
  if (unusable !== false || !hasLeftovers(client)) {
    release(unusable);
    return;
  }
  clean(client, (error) => release(error ?? false));
}
