import pg from 'pg';
import type { DueTimes, HeldLease, TenantTables } from './store.js';
import { runUnprepared } from './statement-pool.js';
import { decodeRenewals, renewLeases } from './statements/leases.js';
import { CHANNEL, decodeDueTimes, NOTIFY, readDueTimes } from './statements/wake-ups.js';

/** The class of the advisory locks that say "this instance lives". Any constant that nobody else uses. */
const LIVENESS_LOCK_CLASS = 1_129_072_451;

/** Schemas to one statement: enough to make round trips rare, few enough to plan in a millisecond or two. */
const SCHEMAS_PER_STATEMENT = 50;

/** Promotion and crash-restart drop every lock without changing the start time, so the epoch has three parts. */
const READ_EPOCH = `SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' ||
  CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||
  coalesce((SELECT extract(epoch FROM stats_reset)::text FROM pg_stat_bgwriter), '')`;

export interface ControlConnectionSettings {
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
  /** The lower half of the advisory lock's key: this instance. */
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
export class ControlConnection {
  private constructor(
    private readonly client: pg.Client,
    /** What a missing lock can be compared with: the server's life in which this one was taken. */
    readonly epoch: string,
  ) {}

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
      await client.query('SELECT pg_advisory_lock($1::integer, $2::integer)', [
        LIVENESS_LOCK_CLASS,
        settings.lockKey,
      ]);
      await client.query(`LISTEN ${CHANNEL}`);
      const [row] = await runUnprepared(client, READ_EPOCH, []);
      return new ControlConnection(client, row?.[0] ?? '');
    } catch (error) {
      lost = true;
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  async notify(payloads: readonly string[]): Promise<void> {
    await runUnprepared(this.client, NOTIFY, [CHANNEL, payloads]);
  }

  /** By index: whether the lease was still there. */
  async renew(leases: readonly HeldLease[], leaseDurationMs: number): Promise<boolean[]> {
    const renewed: boolean[] = [];
    for (const part of inParts(leases)) {
      const rows = await runUnprepared(this.client, renewLeases(part.map(({ tables }) => tables)), [
        this.epoch,
        leaseDurationMs,
        ...part.map(({ instanceId }) => instanceId),
      ]);
      renewed.push(...decodeRenewals(rows));
    }
    return renewed;
  }

  async dueTimes(tenants: readonly TenantTables[]): Promise<DueTimes[]> {
    const times: DueTimes[] = [];
    for (const part of inParts(tenants)) {
      times.push(...decodeDueTimes(await runUnprepared(this.client, readDueTimes(part), [])));
    }
    return times;
  }

  /** A round trip, to see that the session answers. */
  async ping(): Promise<void> {
    await this.client.query('SELECT 1');
  }

  async close(): Promise<void> {
    this.client.removeAllListeners('end');
    this.client.removeAllListeners('notification');
    await this.client.end().catch(() => undefined);
  }
}

function* inParts<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += SCHEMAS_PER_STATEMENT) {
    yield items.slice(i, i + SCHEMAS_PER_STATEMENT);
  }
}
