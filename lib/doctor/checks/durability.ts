import { readRows } from '../../store/postgres/connections/own-types.js';
import type { DatabaseCheck } from '../check.js';

/** A server that may lose or corrupt everything when its machine crashes. */
export const durability: DatabaseCheck = {
  scope: 'database',
  id: 'durability',
  severity: 'error',
  title: 'A crash of the machine may destroy the database',
  find: async ({ client }) => {
    const rows = await readRows<{ name: string }>(
      client,
      `SELECT s.name FROM pg_catalog.pg_settings s
        WHERE s.name IN ('fsync', 'full_page_writes') AND s.setting = 'off' ORDER BY s.name`,
    );
    if (rows.length === 0) return [];
    const names = rows.map(({ name }) => name);
    return [{ detail: `${names.join(' and ')} of the server: off.`, facts: { settings: names } }];
  },
  advice: () =>
    'Turn both on in postgresql.conf, and reload the server. Off is only right for a server whose data may be lost, such as that of tests.',
};
