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
 * The role under which all statements of a tenant's data source run. It has no effect until {@link take}: the data source
 * is created, and the schema migrated, before the role can get its rights.
 */
export class TenantRole {
  private quoted: string | undefined;

  /** `SET LOCAL ROLE …`; undefined before {@link take}. */
  get assume(): string | undefined {
    return this.quoted === undefined ? undefined : `SET LOCAL ROLE ${this.quoted}`;
  }

  take(name: string): void {
    this.quoted = pg.escapeIdentifier(name);
  }
}

/** Returns to the login. DEFAULT instead of NONE, because a login may have a default role. */
export const ASSUME_LOGIN = 'SET LOCAL ROLE TO DEFAULT';

/** The user of a connection that is checked out. */
export interface ConnectionUser {
  readonly role: TenantRole | undefined;
  /** The value of `search_path`, quoted. */
  readonly path: string;
  /** Whether a pooler answers in place of the server, so settings are valid within a transaction only. */
  readonly isPooled: boolean;
  readonly place: Place;
}

/** The underlying connection of each wrapped connection. */
const beneath = new WeakMap<pg.ClientBase, pg.ClientBase>();
/** The query handler of each connection that is checked out. */
const bound = new WeakMap<pg.ClientBase, UserQueries>();

/**
 * Wraps a connection for user code. Some settings must not stay in the session: the tenant's role and, behind a pooler,
 * its `search_path`. They are set locally in each transaction, and a statement outside of a transaction gets one of its
 * own. So neither the next user of the connection nor a server connection behind a transaction pooler keeps them.
 *
 * This protects against mistakes, not against malice: code can execute RESET ROLE, or end the transaction within a text of
 * several statements.
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

/** The underlying connection, on which statements are sent unchanged. */
export function loginConnection(client: pg.ClientBase): pg.ClientBase {
  return beneath.get(client) ?? client;
}

/** Call it when the connection is returned. */
export function forgetUser(client: pg.ClientBase): void {
  bound.delete(client);
}

/** The quoted `search_path` of the connection's user. Undefined if the connection is not in use by a tenant. */
export function userPath(client: pg.ClientBase): string | undefined {
  return bound.get(loginConnection(client))?.user.path;
}

/** The connection's place in the limit of user code. Undefined if the connection is not in use by a tenant. */
export function placeOf(client: pg.ClientBase): Place | undefined {
  return bound.get(loginConnection(client))?.user.place;
}

/**
 * Adds statements to the message of the next START TRANSACTION, which saves a round trip.
 *
 * @returns false if the connection is not a tenant's; the caller then has to send the statements
 */
export function beginNextWith(client: pg.ClientBase, statements: string): boolean {
  const queries = bound.get(loginConnection(client));
  if (queries === undefined) return false;
  queries.opening = statements;
  return true;
}

/**
 * Runs statements of the library in a transaction of user code: with the login's rights, and without statements of user
 * code in between.
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

/** Statements that the server rejects within a transaction, and therefore behind other statements in a message. */
const ALONE =
  /^\s*(?:vacuum\b|reindex\b|cluster\b|alter\s+system\b|(?:create|drop)\s+database\b|discard\s+all\b|(?:create|drop)\s+(?:unique\s+)?index\s+concurrently\b)/i;

/**
 * Adds the required statements to what user code sends. If any are required, statements are sent one at a time, because
 * each message depends on how the previous one ended.
 */
class UserQueries {
  /** Sent with the next START TRANSACTION. */
  opening: string | undefined;
  private last: Promise<unknown> = Promise.resolve();

  /** The client's own query(). The driver has many signatures, so arguments are passed on as they came. */
  private readonly sender: (...args: unknown[]) => unknown;

  constructor(
    private readonly client: pg.ClientBase,
    readonly user: ConnectionUser,
  ) {
    this.sender = Reflect.get(client, 'query');
  }

  /** Statements at the beginning of each transaction, and before each statement outside of one. */
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
   * Runs `work` with the login's rights. A failure need not restore the role: it has failed the transaction, or a rollback
   * to a savepoint restores the role.
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
    // A transaction has its settings already, from its own START TRANSACTION.
    if (transactionStatus(this.client) !== 'I') return this.keepingPrefix(await this.send(args));
    const before = prefix.join('; ');
    const [text, values] = args;
    // Such a statement runs without the prefix, so behind a pooler its names must be qualified. Under a role it fails.
    if (this.user.role === undefined && typeof text === 'string' && ALONE.test(text)) {
      return this.send(args);
    }
    if (typeof text === 'string' && (!Array.isArray(values) || values.length === 0)) {
      // One message is one transaction. A text that begins with START TRANSACTION turns it into one that continues.
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
   * Sets the prefix again if the message ended a transaction and began the next one (`AND CHAIN`), which lost its local
   * settings.
   */
  private async keepingPrefix<T>(result: T): Promise<T> {
    const hasEnded = takeTransactionEnd(this.client);
    if (hasEnded && transactionStatus(this.client) === 'T') {
      await this.send([this.prefix.join('; ')]);
    }
    return result;
  }

  /** Sends a cursor or stream, whose answer arrives as it is read. In a failed transaction it fails. */
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

/** Notes the text of a query object, cursor or stream. */
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

/** Removes the results of the prefix. The driver returns one result for one statement, and an array for several. */
function withoutFirst(results: unknown, count: number): unknown {
  if (!Array.isArray(results)) return results;
  const rest: unknown[] = results.slice(count);
  return rest.length === 1 ? rest[0] : rest;
}
