import pg from 'pg';
import type { Place } from './connection-limit.js';
import { noteText } from './session-state.js';
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

/** For whom a connection is checked out. */
export interface ConnectionUser {
  readonly role: TenantRole | undefined;
  /** The value of `search_path`, quoted. */
  readonly path: string;
  /** A pooler answers for the server: settings hold within a transaction only. */
  readonly isPooled: boolean;
  readonly place: Place;
}

/** Of a wrapped connection, the one beneath it. */
const beneath = new WeakMap<pg.ClientBase, pg.ClientBase>();
/** Of a connection that is checked out, what goes over it. */
const bound = new WeakMap<pg.ClientBase, UserQueries>();

/**
 * The connection, as user code gets it. What must not be the session's is put around what is sent: a role of the
 * tenant's and, behind a pooler, its `search_path` are local to each transaction, and each statement outside of one is
 * put into one for them. So nothing of them is left on the connection for the next user, nor on the server behind a
 * transaction pooler.
 *
 * It guards against mistakes. Code that means to can say RESET ROLE, or end the transaction within a text of several
 * statements.
 */
export function userConnection(client: pg.PoolClient, user: ConnectionUser): pg.PoolClient {
  watchTransactions(client);
  const queries = new UserQueries(client, user);
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
export function forgetUser(client: pg.ClientBase): void {
  bound.delete(client);
}

/** The `search_path` of the connection's user, quoted. Undefined for a connection that isn't a tenant's. */
export function userPath(client: pg.ClientBase): string | undefined {
  return bound.get(loginConnection(client))?.user.path;
}

/** The connection as one of those that user code may have. Undefined for a connection that isn't a tenant's. */
export function placeOf(client: pg.ClientBase): Place | undefined {
  return bound.get(loginConnection(client))?.user.place;
}

/**
 * Has the next START TRANSACTION carry these statements, which would be a round trip by themselves.
 *
 * @returns false where it can't; then they have to be sent
 */
export function beginNextWith(client: pg.ClientBase, statements: string): boolean {
  const queries = bound.get(loginConnection(client));
  if (queries === undefined) return false;
  queries.opening = statements;
  return true;
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

const NOTHING: readonly string[] = [];

/** What the server refuses within a transaction, and so with anything before it in its message. */
const ALONE =
  /^\s*(?:vacuum\b|reindex\b|cluster\b|alter\s+system\b|(?:create|drop)\s+database\b|discard\s+all\b|(?:create|drop)\s+(?:unique\s+)?index\s+concurrently\b)/i;

/**
 * Puts before what is sent the statements that it needs. Where there are any, one statement goes after the other: what
 * is sent depends on how the last one ended.
 */
class UserQueries {
  /** Goes with the next START TRANSACTION. */
  opening: string | undefined;
  private last: Promise<unknown> = Promise.resolve();

  /** The driver has many signatures: what came in by one of them goes on by it. */
  private readonly sender: (...args: unknown[]) => unknown;

  constructor(
    private readonly client: pg.ClientBase,
    readonly user: ConnectionUser,
  ) {
    this.sender = Reflect.get(client, 'query');
  }

  /** What begins each transaction, and stands before each statement outside of one. */
  private get prefix(): readonly string[] {
    const { role, isPooled, path } = this.user;
    const assume = role?.assume;
    if (!isPooled && assume === undefined) return NOTHING;
    return [
      // Another client of the pooler may have left a role on its server connection.
      ...(isPooled && assume === undefined ? [ASSUME_LOGIN] : []),
      ...(isPooled ? [`SET LOCAL search_path TO ${path}`] : []),
      ...(assume === undefined ? [] : [assume]),
    ];
  }

  query(given: readonly unknown[]): unknown {
    let args = given;
    const [first] = args;
    if (typeof first === 'string') noteText(this.client, first);
    else if (typeof first === 'object' && first !== null) noteObject(this.client, first);
    if (this.opening !== undefined && first === 'START TRANSACTION') {
      args = [`START TRANSACTION; ${this.opening}`];
      this.opening = undefined;
    }
    if (this.prefix.length === 0) return this.send(args);
    if (isSubmittable(first)) return this.stream(first);
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
      const assume = this.user.role?.assume;
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
    const { prefix } = this;
    if (prefix.length === 0) return this.send(args);
    takeTransactionEnd(this.client);
    // In a transaction all is set already: it was begun below.
    if (transactionStatus(this.client) !== 'I') return this.keepingPrefix(await this.send(args));
    const before = prefix.join('; ');
    const [text, values] = args;
    // Behind a pooler, its names have to be qualified. Under a role it is refused.
    if (this.user.role === undefined && typeof text === 'string' && ALONE.test(text)) {
      return this.send(args);
    }
    if (typeof text === 'string' && (!Array.isArray(values) || values.length === 0)) {
      // Texts of one message are one transaction; one that begins with START TRANSACTION goes on as that.
      const results = await this.send([`${before}; ${text}`]);
      return this.keepingPrefix(withoutFirst(results, prefix.length));
    }
    try {
      await this.send([`BEGIN; ${before}`]);
      const result = await this.send(args);
      await this.send(['COMMIT']);
      return result;
    } catch (error) {
      await settled(this.client);
      if (transactionStatus(this.client) !== 'I') await this.rollBack();
      throw error;
    }
  }

  /**
   * A transaction that ended and was followed by the next one in the same message (`AND CHAIN`) took with it what was
   * set for it.
   */
  private async keepingPrefix<T>(result: T): Promise<T> {
    const hasEnded = takeTransactionEnd(this.client);
    if (hasEnded && transactionStatus(this.client) === 'T') {
      await this.send([this.prefix.join('; ')]);
    }
    return result;
  }

  /** A cursor or stream, which is answered as it is read. Begun in a transaction that failed, it fails. */
  private stream(submittable: object): object {
    const run = async (): Promise<void> => {
      await settled(this.client);
      const alone = transactionStatus(this.client) === 'I';
      if (alone) {
        const begin = ['BEGIN', ...this.prefix].join('; ');
        await Promise.resolve(this.send([begin])).catch(() => undefined);
      }
      await settled(this.client);
      takeTransactionEnd(this.client);
      this.send([submittable]);
      await settled(this.client);
      if (alone) await this.send(['COMMIT']);
      else await this.keepingPrefix(undefined);
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

/** A query as an object, or a cursor or stream. */
function noteObject(client: pg.ClientBase, query: object): void {
  const text: unknown = Reflect.get(query, 'text');
  if (typeof text === 'string') noteText(client, text);
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
function withoutFirst(results: unknown, count: number): unknown {
  if (!Array.isArray(results)) return results;
  const rest: unknown[] = results.slice(count);
  return rest.length === 1 ? rest[0] : rest;
}
