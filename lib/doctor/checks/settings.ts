import { readRows } from '../../store/postgres/connections/own-types.js';
import type { DatabaseCheck } from '../check.js';

interface Setting {
  readonly name: string;
  readonly value: string;
  readonly source: string;
}

/** A timeout shorter than this cancels statements of the library that are right, in ms. */
const SHORTEST_TIMEOUT_MS = 5_000;

/** What a value does, or undefined if it does no harm. */
const HARM: Readonly<Record<string, (value: string) => string | undefined>> = {
  autovacuum: (value) => (value === 'off' ? 'dead rows are never removed' : undefined),
  track_counts: (value) =>
    value === 'off' ? 'autovacuum does not know which tables need it' : undefined,
  synchronous_commit: (value) =>
    value === 'off'
      ? 'a crash of the server loses the last outcomes, and their tasks run again'
      : undefined,
  default_transaction_read_only: (value) =>
    value === 'on' ? 'nothing can be started or recorded' : undefined,
  statement_timeout: (value) => harmOfTimeout(value, 'statements'),
  transaction_timeout: (value) => harmOfTimeout(value, 'transactions'),
  idle_in_transaction_session_timeout: (value) => harmOfTimeout(value, 'transactional tasks'),
};

function harmOfTimeout(value: string, what: string): string | undefined {
  const ms = Number(value);
  return ms > 0 && ms < SHORTEST_TIMEOUT_MS
    ? `the server cancels ${what} after ${ms} ms`
    : undefined;
}

/** Settings of the server, of the database or of the login that hurt. */
export const settings: DatabaseCheck = {
  scope: 'database',
  id: 'settings',
  severity: 'warning',
  title: 'A setting of the server is harmful',
  // The values that the connection has, and not those of a transaction of this check.
  inTransaction: false,
  find: async ({ client }) => {
    const rows = await readRows<Setting>(
      client,
      `SELECT s.name, s.setting AS value, s.source FROM pg_catalog.pg_settings s WHERE s.name = ANY ($1::text[]) ORDER BY s.name`,
      [Object.keys(HARM)],
    );
    return rows.flatMap(({ name, value, source }) => {
      const harm = HARM[name]?.(value);
      if (harm === undefined) return [];
      return [
        {
          detail: `${name} is ${value} (set by: ${source}): ${harm}.`,
          facts: { setting: name, value, source },
        },
      ];
    });
  },
  advice: ({ facts }) =>
    `Reset ${String(facts['setting'])} where it is set: ${PLACES[String(facts['source'])] ?? 'in the configuration of the server'}.`,
};

const PLACES: Readonly<Record<string, string>> = {
  database: 'ALTER DATABASE … RESET',
  user: 'ALTER ROLE … RESET',
  'database user': 'ALTER ROLE … IN DATABASE … RESET',
  client: 'in the connection options, the URL or PGOPTIONS',
};
