import { isSession } from '../../store/postgres/connections/pooler.js';
import type { DatabaseCheck } from '../check.js';

/** A pooler in transaction mode between this process and the server. */
export const poolerMode: DatabaseCheck = {
  scope: 'database',
  id: 'pooler-mode',
  severity: 'warning',
  title: 'The connection leads to a pooler in transaction mode',
  // It listens for a notification, which begins with the end of a transaction.
  inTransaction: false,
  find: async ({ client, config }) =>
    (await isSession(client, config))
      ? []
      : [
          {
            detail:
              'Notifications and locks of a session do not pass. Lost processes are noticed only when their leases expire, and other processes find new work at their next look.',
            facts: { host: config.host ?? null, port: config.port ?? null },
          },
        ],
  advice: () =>
    'Give the processes a direct way to the server with the option controlUrl, beside databaseUrl. Migrations also need one.',
};
