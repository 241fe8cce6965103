import pg from 'pg';
import {
  takeTransactionEnd,
  transactionStatus,
  watchTransactions,
  whenSettled,
} from './transaction-status.js';

/**
 * The role under which everything runs that goes over a tenant's data source. It takes effect once it is there: the
 * data source is made, and the schema migrated, before the role can have been granted anything.
 */
export class TenantRole {
  private quoted: string | undefined;

  /** `SET LOCAL ROLE …`; undefined as long as there is none. */
  get assume(): string | undefined {
    return this.quoted === undefined ? undefined : `SET LOCAL ROLE ${this.quoted}`;
  }

  take(name: string): void {
    this.quoted = pg.escapeIdentifier(name);
  }
}

/** Back to the login: not NONE, for a login may have a role of its own by default. */
export const ASSUME_LOGIN = 'SET LOCAL ROLE TO DEFAULT';

/** Of a wrapped connection, the one beneath it. */
const beneath = new WeakMap<pg.ClientBase, pg.ClientBase>();
/** Of a connection that is checked out under a role, what goes over it. */
const bound = new WeakMap<pg.ClientBase, RoleQueries>();

/**
 * The connection, as user code gets it: each transaction on it runs under the role, and each statement outside of one
 * too. The role is local to the transaction, never the session's, so nothing of it is left on the connection for the
 * next user, nor on the server behind a transaction pooler.
 *
 * It guards against mistakes. Who means to can say RESET ROLE, or end the transaction within a text of several
 * statements.
 */
export function underRole(client: pg.PoolClient, role: TenantRole): pg.PoolClient {
  watchTransactions(client);
  const queries = new RoleQueries(client, role);
  const query = (...args: readonly unknown[]): unknown => queries.query(args);
  const wrapped = new Proxy(client, {
    get: (target, property) => {
      if (property === 'query') return query;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  beneath.set(wrapped, client);
  bound.set(client, queries);
  return wrapped;
}

/** The connection itself, on which nothing is changed for anyone. */
export function loginConnection(client: pg.ClientBase): pg.ClientBase {
  return beneath.get(client) ?? client;
}

/** The connection is given back. */
export function forgetRole(client: pg.ClientBase): void {
  bound.delete(client);
}

/**
 * Runs the library's own statements in a transaction of user code: with the login's rights, and with nothing of the
 * user's in between.
 */
export function asLogin<T>(
  client: pg.ClientBase,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const connection = loginConnection(client);
  return bound.get(connection)?.asLogin(() => work(connection)) ?? work(connection);
}

type Callback = (error: unknown, result?: unknown) => void;

/** Puts the role around what is sent. One statement after the other: what is sent depends on how the last one ended. */
class RoleQueries {
  private last: Promise<unknown> = Promise.resolve();

  /** The driver has many signatures: what came in by one of them goes on by it. */
  private readonly sender: (...args: unknown[]) => unknown;

  constructor(
    private readonly client: pg.ClientBase,
    private readonly role: TenantRole,
  ) {
    this.sender = Reflect.get(client, 'query');
  }

  query(args: readonly unknown[]): unknown {
    if (this.role.assume === undefined) return this.send(args);
    const [first] = args;
    if (isSubmittable(first)) return this.stream(first, this.role.assume);
    const callback = args.at(-1);
    if (typeof callback !== 'function') return this.inTurn(() => this.run(args));
    const tell = callback as Callback;
    this.inTurn(() => this.run(args.slice(0, -1))).then(
      (result) => tell(null, result),
      (error: unknown) => tell(error),
    );
    return undefined;
  }

  /**
   * A failure needs no way back: it has ended the transaction, or is rolled back to a savepoint, and the role with it.
   */
  asLogin<T>(work: () => Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      const { assume } = this.role;
      if (assume === undefined) return work();
      await this.send([ASSUME_LOGIN]);
      const result = await work();
      await this.send([assume]);
      return result;
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }

  private async run(args: readonly unknown[]): Promise<unknown> {
    await settled(this.client);
    const { assume } = this.role;
    if (assume === undefined) return this.send(args);
    takeTransactionEnd(this.client);
    // In a transaction the role is set already: it was begun below.
    if (transactionStatus(this.client) !== 'I') {
      return this.keepingRole(assume, await this.send(args));
    }
    const [text, values] = args;
    if (typeof text === 'string' && (!Array.isArray(values) || values.length === 0)) {
      // Texts of one message are one transaction; one that begins with START TRANSACTION goes on as that.
      return this.keepingRole(assume, withoutFirst(await this.send([`${assume}; ${text}`])));
    }
    try {
      await this.send([`BEGIN; ${assume}`]);
      const result = await this.send(args);
      await this.send(['COMMIT']);
      return result;
    } catch (error) {
      await settled(this.client);
      if (transactionStatus(this.client) !== 'I') await this.rollBack();
      throw error;
    }
  }

  /** A transaction that ended and was followed by the next one in the same message (`AND CHAIN`) took the role with it. */
  private async keepingRole<T>(assume: string, result: T): Promise<T> {
    const hasEnded = takeTransactionEnd(this.client);
    if (hasEnded && transactionStatus(this.client) === 'T') await this.send([assume]);
    return result;
  }

  /** A cursor or stream, which is answered as it is read. Begun in a transaction that failed, it fails. */
  private stream(submittable: object, assume: string): object {
    const run = async (): Promise<void> => {
      await settled(this.client);
      const alone = transactionStatus(this.client) === 'I';
      if (alone) await Promise.resolve(this.send([`BEGIN; ${assume}`])).catch(() => undefined);
      await settled(this.client);
      takeTransactionEnd(this.client);
      this.send([submittable]);
      await settled(this.client);
      if (alone) await this.send(['COMMIT']);
      else await this.keepingRole(assume, undefined);
    };
    this.inTurn(run).catch(() => undefined);
    return submittable;
  }

  private async rollBack(): Promise<void> {
    await Promise.resolve(this.send(['ROLLBACK'])).catch(() => undefined);
  }

  private send(args: readonly unknown[]): unknown {
    return Reflect.apply(this.sender, this.client, args);
  }
}

function isSubmittable(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'submit') === 'function'
  );
}

function settled(client: pg.ClientBase): Promise<void> {
  return new Promise((resolve) => whenSettled(client, resolve));
}

/** The driver answers a text of one statement with a result, and one of several with an array. */
function withoutFirst(results: unknown): unknown {
  if (!Array.isArray(results)) return results;
  const rest: unknown[] = results.slice(1);
  return rest.length === 1 ? rest[0] : rest;
}
