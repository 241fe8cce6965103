import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { readRows } from './own-types.js';

/** Used only to probe whether LISTEN works. */
const PROBE_CHANNEL = 'cloacina_probe';
/** How long a notification may take from one connection to another, in milliseconds. */
const PROBE_TIMEOUT_MS = 1_000;

/**
 * Whether a pooler answers in place of the server. A pooler gives each connection a process number of its own, and in
 * transaction mode a different server process each time.
 */
export async function isPooled(client: pg.ClientBase): Promise<boolean> {
  const rows = await readRows<{ pid: number }>(client, 'SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid !== Reflect.get(client, 'processID');
}

/**
 * Whether the connection has a session of its own, which keeps locks and LISTEN. A pooler in session mode provides one. The
 * test is a notification from another connection, which no connection receives in transaction mode.
 */
export async function isSession(client: pg.Client, config: pg.ClientConfig): Promise<boolean> {
  if (!(await isPooled(client))) return true;
  const payload = randomUUID();
  const timeout = new AbortController();
  let heard = false;
  const hear = (message: pg.Notification): void => {
    if (message.payload !== payload) return;
    heard = true;
    timeout.abort();
  };
  client.on('notification', hear);
  await client.query(`LISTEN ${PROBE_CHANNEL}`);
  const other = new pg.Client({ ...config, connectionTimeoutMillis: 5_000 });
  other.on('error', () => undefined);
  try {
    await other.connect();
    await other.query('SELECT pg_notify($1, $2)', [PROBE_CHANNEL, payload]);
    if (!heard) {
      await delay(PROBE_TIMEOUT_MS, undefined, { signal: timeout.signal }).catch(() => undefined);
    }
  } finally {
    await other.end().catch(() => undefined);
    client.off('notification', hear);
    await client.query(`UNLISTEN ${PROBE_CHANNEL}`);
  }
  return heard;
}
