import { readRows } from '../../store/postgres/connections/own-types.js';
import { inWords, type DatabaseCheck } from '../check.js';

/** How old a transaction must be, in minutes. */
const OLD_MINUTES = 10;

/**
 * Open and prepared transactions that keep dead rows from being removed.
 *
 * @param minutes - how old a transaction must be
 */
export const oldTransactionsOf = (minutes = OLD_MINUTES): DatabaseCheck => ({
  scope: 'database',
  id: 'old-transactions',
  severity: 'warning',
  title: 'An old transaction keeps dead rows',
  find: async ({ client }) => {
    const rows = await readRows<{ name: string; age: number; prepared: boolean }>(
      client,
      `SELECT coalesce(nullif(a.application_name, ''), 'without a name') || ', process ' || a.pid AS name, false AS prepared,
              (extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000)::double precision AS age
         FROM pg_catalog.pg_stat_activity a
        WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend'
          AND a.xact_start < pg_catalog.clock_timestamp() - $1::integer * interval '1 min'
       UNION ALL
       SELECT p.gid, true, (extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared) * 1000)::double precision
         FROM pg_catalog.pg_prepared_xacts p
        WHERE p.database = pg_catalog.current_database()
          AND p.prepared < pg_catalog.clock_timestamp() - $1::integer * interval '1 min'
        ORDER BY 3 DESC LIMIT 20`,
      [minutes],
    );
    return rows.map(({ name, age, prepared }) => ({
      detail: prepared
        ? `The prepared transaction "${name}" is ${inWords(age)} old.`
        : `A transaction of a connection (${name}) is open for ${inWords(age)}.`,
      facts: { name, prepared, ageMs: Math.round(age) },
    }));
  },
  advice: ({ facts }) =>
    facts['prepared'] === true
      ? 'Finish it with COMMIT PREPARED or ROLLBACK PREPARED.'
      : 'Find out what the connection waits for, and end it with pg_terminate_backend() if it is forgotten. idle_in_transaction_session_timeout does so by itself.',
});
