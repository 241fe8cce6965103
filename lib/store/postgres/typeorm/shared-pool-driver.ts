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

/** Connections of a pool that user code can't take, so that the library's own statements never wait for a handler. */
const RESERVED_CONNECTIONS = 2;

type Release = (error?: Error | boolean) => void;
type ConnectCallback = (error: unknown, client?: pg.PoolClient, release?: Release) => void;

/** What TypeORM takes for the `pg` module when it is given as its `driver` option: it uses nothing but the Pool. */
export interface SharedPoolDriver {
  readonly Pool: new () => object;
}

/** Whose data source it is. */
export interface PoolUser extends PathOwner {
  /** Under which its users work. Default: the login's own rights. */
  readonly role?: TenantRole | undefined;
}

/**
 * An object like the `pg` module whose `Pool` hands out clients of a pool that exists already. So each tenant has a
 * TypeORM data source of its own, with its own entities and schema, and a thousand of them share ten connections.
 *
 * All data sources on one pool share one limit; a user that finds it reached waits for its tenant's turn. A connection that another tenant's
 * user code had is cleaned before it is handed out, and each has the tenant's `search_path`.
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

      /** Every data source adds a listener for errors; the shared pool has the one below and needs no more. */
      on(): this {
        return this;
      }

      /** A data source that is destroyed leaves the pool to the others. */
      end(callback: () => void): void {
        callback();
      }
    },
  };
}

/** Beside the driver: otherwise TypeORM looks through all folders for `pg-native`, for each data source anew. */
export const NO_NATIVE_DRIVER: object = {};

const limits = new WeakMap<pg.Pool, ConnectionLimit>();

/** All data sources on one pool share one limit of connections. */
function limitOf(pool: pg.Pool): ConnectionLimit {
  let limit = limits.get(pool);
  if (limit === undefined) {
    // An idle connection that breaks is dropped by the pool, and the next user gets a new one. Without a listener,
    // Node would end the process over it.
    pool.on('error', () => undefined);
    limit = new ConnectionLimit(() => Math.max(1, pool.options.max - RESERVED_CONNECTIONS));
    limits.set(pool, limit);
  }
  return limit;
}

/** Callbacks and no promises, because that is what TypeORM and the pool both speak. */
function checkOut(
  pool: pg.Pool,
  user: PoolUser,
  { leave, place }: { readonly leave: () => void; readonly place: Place },
  callback: ConnectCallback,
): void {
  // Not the pool's own method, which cleans for the library what user code has had: here it may be the same tenant's.
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

/** At once where the same tenant had the connection last. */
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
    // A pooler lends its sessions to all its clients: what is set there, others may get, and what is left can't be found.
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

/** What the server says that it has done tells more than the texts that were sent. */
function watchCommands(pool: pg.Pool, client: pg.ClientBase): void {
  if (watched.has(client)) return;
  watched.add(client);
  // Between two users the client has no listener, and Node would end the process over a connection that breaks.
  client.on('error', () => undefined);
  connectionOf(client)?.on('commandComplete', (message: unknown) => {
    const tag: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, 'text') : undefined;
    if (typeof tag !== 'string') return;
    if (tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL') forgetAllPrepared(client);
    else if (/ (EXTENSION|SCHEMA)$/.test(tag)) forgetFacts(pool);
  });
}

/** How long a statement may still run on a connection that is given back before the connection is closed. */
const RELEASE_GRACE_MS = 100;

/**
 * TypeORM's release() doesn't roll back, and its destroy() releases what is still at work. The next user, maybe of
 * another tenant, would go on in that transaction: such a connection is closed, which rolls back.
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
  // A statement has just failed, mostly, and the server's last word on it is on its way. No other code listens now for
  // errors of the connection, which would end the process.
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
 * What user code is known to have left in the session (a setting, an advisory lock, a temporary table) is undone at
 * once. What it left unseen, by a function for instance, is undone before another tenant gets the connection.
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
