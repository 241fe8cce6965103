import { Logger } from '@nestjs/common';
import pg from 'pg';
import { PermissionError } from '../../errors/index.js';
import { readRows } from './connections/own-types.js';

export const READ_ONLY = '25006';

/** The login itself must not write. Unlike a standby, which may be promoted, this does not pass by itself. */
export class ReadOnlyLogin extends Error {
  readonly code = READ_ONLY;

  constructor(private readonly facts: { readonly action: string; readonly grant: string }) {
    super(`the login may not ${facts.action}; allow it with: ${facts.grant}`);
  }

  /** For a boot, which need not wait for a change. */
  asPermissionError(schema?: string): PermissionError {
    return new PermissionError(schema === undefined ? this.facts : { ...this.facts, schema }, {
      cause: this,
    });
  }
}

interface Facts {
  readonly is_standby: boolean;
  readonly source: string;
  readonly login: string;
  readonly database: string;
}

/** Sources of a setting, in terms of pg_settings, that a new connection does not change. */
const OF_THE_LOGIN = new Set(['user', 'database', 'database user', 'client']);

/** Minimum interval between warnings about one login, in milliseconds. */
const WARN_EVERY_MS = 60_000;
const warned = new Map<string, number>();

/**
 * Explains why a reachable server accepts no writes, as an error with the same code: the server is a standby, or
 * `default_transaction_read_only` is on for the server, the database or the login. Returns the error itself if the reason
 * can't be read, such as in a failed transaction.
 */
export async function explainReadOnly(
  client: Pick<pg.ClientBase | pg.Pool, 'query'>,
  error: unknown,
): Promise<unknown> {
  const facts = await readFacts(client).catch(() => undefined);
  if (facts === undefined) return error;
  const explained = explain(facts);
  if (explained === undefined) return error;
  const key = `${facts.login} ${facts.database}`;
  if (performance.now() - (warned.get(key) ?? -Infinity) > WARN_EVERY_MS) {
    warned.set(key, performance.now());
    new Logger('Cloacina').warn(
      `Database "${facts.database}" accepts no writes from login "${facts.login}": ${explained.message}`,
    );
  }
  return explained;
}

async function readFacts(
  client: Pick<pg.ClientBase | pg.Pool, 'query'>,
): Promise<Facts | undefined> {
  const rows = await readRows<Facts>(
    client,
    `SELECT pg_is_in_recovery() AS is_standby, s.source, session_user AS login, current_database() AS database
       FROM pg_catalog.pg_settings s WHERE s.name = 'default_transaction_read_only' AND s.setting = 'on'
      UNION ALL
     SELECT true, '', session_user, current_database() WHERE pg_is_in_recovery() LIMIT 1`,
  );
  return rows[0];
}

function explain({ is_standby, source, login, database }: Facts): Error | undefined {
  if (is_standby) {
    return coded(
      'the server is a standby; connect to the primary, or wait for the promotion of this server',
    );
  }
  const role = pg.escapeIdentifier(login);
  const base = pg.escapeIdentifier(database);
  if (!OF_THE_LOGIN.has(source)) {
    return coded(
      'default_transaction_read_only is on for the whole server; turn it off there, or wait until it is off',
    );
  }
  if (source === 'client') {
    return coded(
      "the connection's own options set default_transaction_read_only; remove it from databaseUrl or PGOPTIONS",
    );
  }
  const [where, whose] = {
    user: ['role', `ROLE ${role}`],
    database: ['database', `DATABASE ${base}`],
    'database user': ['role in this database', `ROLE ${role} IN DATABASE ${base}`],
  }[source as 'user' | 'database' | 'database user'];
  return new ReadOnlyLogin({
    action: `write: default_transaction_read_only is on for the ${where}`,
    grant: `ALTER ${whose} RESET default_transaction_read_only`,
  });
}

function coded(message: string): Error {
  return Object.assign(new Error(message), { code: READ_ONLY });
}
