import type pg from 'pg';
import { ConnectionLimit } from './connection-limit.js';
import { forgetRole, underRole, type TenantRole } from './role-connection.js';
import {
  isSettled,
  transactionStatus,
  watchTransactions,
  whenSettled,
} from './transaction-status.js';

/** Connections of a pool that user code can't take, so that the library's own statements never wait for a handler. */
const RESERVED_CONNECTIONS = 2;

type Release = (error?: Error | boolean) => void;
type ConnectCallback = (error: unknown, client?: pg.PoolClient, release?: Release) => void;

/** What TypeORM takes for the `pg` module when it is given as its `driver` option: it uses nothing but the Pool. */
export interface SharedPoolDriver {
  readonly Pool: new () => object;
}

/**
 * An object like the `pg` module whose `Pool` hands out clients of a pool that exists already. So each tenant has a
 * TypeORM data source of its own, with its own entities and schema, and a thousand of them share ten connections.
 *
 * All data sources on one pool share one limit; who finds it reached waits.
 */
function createSharedPoolDriver(
  pool: pg.Pool,
  limit: ConnectionLimit,
  role: TenantRole | undefined,
): SharedPoolDriver {
  return {
    Pool: class SharedPool {
      connect(callback: ConnectCallback): void {
        limit.enter((leave) => checkOut(pool, role, leave, callback));
      }

      /** Every data source adds a listener for errors; the shared pool has the one above and needs no more. */
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

/** Callbacks and no promises, because that is what TypeORM and the pool both speak. */
function checkOut(
  pool: pg.Pool,
  role: TenantRole | undefined,
  leave: () => void,
  callback: ConnectCallback,
): void {
  pool.connect((error, client, release) => {
    if (client === undefined) {
      leave();
      callback(error ?? new Error('The pool gave no connection.'));
      return;
    }
    watchTransactions(client);
    callback(undefined, role === undefined ? client : underRole(client, role), (reason) => {
      forgetRole(client);
      giveBack(client, reason, (unusable) => {
        try {
          release(unusable);
        } finally {
          leave();
        }
      });
    });
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
    release(transactionStatus(client) !== 'I');
    return;
  }
  // A statement has just failed, mostly, and the server's last word on it is on its way. Nobody else listens now for
  // errors of the connection, which would end the process.
  const failures: Error[] = [];
  const fail = (failure: Error): void => void failures.push(failure);
  client.on('error', fail);
  let stop: (() => void) | undefined;
  const finish = (): void => {
    clearTimeout(timer);
    stop?.();
    client.off('error', fail);
    release(failures[0] ?? (!isSettled(client) || transactionStatus(client) !== 'I'));
  };
  const timer = setTimeout(finish, RELEASE_GRACE_MS);
  stop = whenSettled(client, finish);
}

interface DriverParts {
  readonly limit: ConnectionLimit;
  /** For data sources whose users have the login's rights. */
  readonly plain: SharedPoolDriver;
}

/** Beside the driver: otherwise TypeORM looks through all folders for `pg-native`, for each data source anew. */
export const NO_NATIVE_DRIVER: object = {};

const parts = new WeakMap<pg.Pool, DriverParts>();

/**
 * The driver of the pool. All on one pool share one limit of connections.
 *
 * @param role - under which users of the data source work. Default: the login's own rights
 */
export function sharedPoolDriver(pool: pg.Pool, role?: TenantRole): SharedPoolDriver {
  let known = parts.get(pool);
  if (known === undefined) {
    // An idle connection that breaks is dropped by the pool, and the next user gets a new one. Without a listener,
    // Node would end the process over it.
    pool.on('error', () => undefined);
    const limit = new ConnectionLimit(() => Math.max(1, pool.options.max - RESERVED_CONNECTIONS));
    known = { limit, plain: createSharedPoolDriver(pool, limit, undefined) };
    parts.set(pool, known);
  }
  return role === undefined ? known.plain : createSharedPoolDriver(pool, known.limit, role);
}
