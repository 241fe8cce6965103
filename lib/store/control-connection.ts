import pg from 'pg';
import { LIVENESS_LOCK_CLASS, SessionStatements } from './session-statements.js';
import { runUnprepared } from './statement-pool.js';
import { CHANNEL } from './statements/wake-ups.js';

/**
 * The life of the server that a lock belongs to. Promotion and crash-restart drop every lock without changing the
 * start time, so it has three parts; and how long it has lasted, in milliseconds, as far as the server knows.
 */
const READ_EPOCH = `SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' ||
    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||
    coalesce(extract(epoch FROM b.stats_reset)::text, ''),
  (extract(epoch FROM clock_timestamp() - greatest(pg_postmaster_start_time(), b.stats_reset)) * 1000)::bigint
FROM pg_stat_bgwriter b`;

export interface ControlConnectionSettings {
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
  /** The lower half of the advisory lock's key: this process. */
  readonly lockKey: number;
  readonly onPayload: (payload: string) => void;
  /** Called once, when the session has ended for whatever reason. */
  readonly onLost: (error: Error | undefined) => void;
}

/**
 * The one session of a process beside its pools: it listens for wake-ups of all tenants, renews the leases, and
 * holds the advisory lock whose absence tells the others that this process is gone.
 *
 * It is opened once and not mended: when it is lost, its owner opens another.
 */
export class ControlConnection extends SessionStatements {
  private readonly openedAt = performance.now();

  private constructor(
    private readonly session: pg.Client,
    /** What a missing lock can be compared with: the server's life in which this one was taken. */
    readonly epoch: string,
    private readonly epochAgeAtOpen: number,
  ) {
    super(session);
  }

  static async open(settings: ControlConnectionSettings): Promise<ControlConnection> {
    const client = new pg.Client({
      ...settings.connection,
      application_name: settings.applicationName,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: 10_000,
    });
    let lost = false;
    const onLost = (error?: Error): void => {
      if (lost) return;
      lost = true;
      settings.onLost(error);
    };
    client.on('error', onLost);
    client.on('end', () => onLost());
    client.on('notification', ({ payload }) => settings.onPayload(payload ?? ''));
    try {
      await client.connect();
      // This process's former session may be dying still, with its lock: that is waited for, up to the query's timeout.
      await client.query('SELECT pg_advisory_lock($1::integer, $2::integer)', [
        LIVENESS_LOCK_CLASS,
        settings.lockKey,
      ]);
      await client.query(`LISTEN ${CHANNEL}`);
      const [row] = await runUnprepared(client, READ_EPOCH, []);
      return new ControlConnection(client, row?.[0] ?? '', Number(row?.[1] ?? 0));
    } catch (error) {
      lost = true;
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  /** How long this life of the server has lasted, in milliseconds. */
  get epochAgeMs(): number {
    return this.epochAgeAtOpen + this.ageMs;
  }

  /** How long this session has been open, in milliseconds. */
  get ageMs(): number {
    return performance.now() - this.openedAt;
  }

  async close(): Promise<void> {
    this.session.removeAllListeners('end');
    this.session.removeAllListeners('notification');
    await this.session.end().catch(() => undefined);
  }
}
