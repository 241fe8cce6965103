import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { isError } from '../errors/index.js';
import { cut } from './cut.js';
import { isSession } from './pooler.js';
import { processLock, LIVENESS_LOCK_CLASS, SessionStatements } from './session-statements.js';
import { runUnprepared } from './statement-pool.js';
import type { RawRow } from './statements/statement.js';
import { CHANNEL } from './statements/wake-ups.js';

/**
 * The life of the server that a lock belongs to. Promotion and crash-restart drop every lock without changing the
 * start time, and a restored backup or a replica that took the server's place has its own: so it has four parts; and how long it has lasted, in milliseconds, as far as the server knows.
 */
const EPOCH = `extract(epoch FROM pg_postmaster_start_time())::text || '/' ||
    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||
    coalesce(extract(epoch FROM b.stats_reset)::text, '') || '/' || (SELECT s.system_identifier FROM pg_control_system() s),
  (extract(epoch FROM clock_timestamp() - greatest(pg_postmaster_start_time(), b.stats_reset)) * 1000)::bigint`;
const READ_EPOCH = `SELECT ${EPOCH} FROM pg_stat_bgwriter b`;

/**
 * The lock and the epoch, if the server itself answers: a pooler gives the connection another process number, and must
 * not be left with the lock.
 */
const OPEN_DIRECTLY = `SELECT CASE WHEN pg_backend_pid() = $3::integer
    THEN pg_try_advisory_lock($1::integer, $2::integer)::integer END, ${EPOCH} FROM pg_stat_bgwriter b`;

function timelineOf(epoch: string | null): string | undefined {
  return epoch?.split('/')[1];
}

/** How long the lock is tried for while a session of before still has it, in milliseconds. */
const LOCK_PATIENCE_MS = 5_000;
const LOCK_RETRY_MS = 20;
/** How long the goodbye may take, in milliseconds. */
const CLOSE_PATIENCE_MS = 1_000;

/**
 * A schema that somebody has locked (a migration, say) must not hold up the others: their statements go without it.
 */
const LOCK_TIMEOUT = '-c lock_timeout=500';

/** What the driver says of a statement that was not answered in time. */
const NOT_ANSWERED = 'Query read timeout';

export interface ControlConnectionSettings {
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
  /** The lower half of the advisory lock's key: this process. */
  readonly lockKey: number;
  /** After so long without an answer the session is taken for lost, in milliseconds. */
  readonly answerTimeoutMs: number;
  readonly onPayload: (payload: string) => void;
  /** Called once, when the session has ended for whatever reason. */
  readonly onLost: (error: Error | undefined) => void;
}

/** The connection leads to a pooler, which keeps no session: neither a lock nor what is listened to. */
export class NotASessionError extends Error {}

/**
 * The one session of a process beside its pools: it listens for wake-ups of all tenants, renews the leases, and
 * holds the advisory lock whose absence tells the others that this process is gone.
 *
 * It is opened once and not mended: when it is lost, its owner opens another.
 */
export class ControlConnection extends SessionStatements {
  private readonly openedAt = performance.now();
  private last: Promise<unknown> = Promise.resolve();

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
      options: `${settings.connection.options ?? ''} ${LOCK_TIMEOUT}`.trim(),
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: settings.answerTimeoutMs,
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
      const [epoch, age] = (await lockDirectly(client, settings)) ?? (await lock(client, settings));
      await client.query(`LISTEN ${CHANNEL}`);
      return new ControlConnection(client, epoch ?? '', Number(age ?? 0));
    } catch (error) {
      lost = true;
      cut(client);
      throw error;
    }
  }

  readonly interrupted = false;

  /** One after the other: wake-ups, renewals and recovery ask whenever they like, and pg is giving up its queue. */
  protected override run(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    const result = this.last.then(() => this.runNext(text, values));
    this.last = result.catch(() => undefined);
    return result;
  }

  /** A network that swallows what is sent leaves a connection that looks open for hours. */
  private async runNext(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    try {
      return await super.run(text, values);
    } catch (error) {
      if (isError(error) && error.message === NOT_ANSWERED) cut(this.session);
      throw error;
    }
  }

  lifeAgeMs(earlier: string | null): number {
    const age = this.epochAgeAtOpen + this.ageMs;
    // The server knows when it started and when it crashed. When a standby was promoted nothing tells.
    return timelineOf(earlier) === timelineOf(this.epoch) ? age : Math.min(age, this.ageMs);
  }

  /** How long this session has been open, in milliseconds. */
  get ageMs(): number {
    return performance.now() - this.openedAt;
  }

  async close(): Promise<void> {
    this.session.removeAllListeners('end');
    this.session.removeAllListeners('notification');
    const patience = new AbortController();
    await Promise.race([
      this.session.end().catch(() => undefined),
      delay(CLOSE_PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
    cut(this.session);
  }
}

/** Takes the lock in the one round trip that it mostly is; returns the epoch and its age, or undefined. */
async function lockDirectly(
  client: pg.Client,
  { lockKey }: ControlConnectionSettings,
): Promise<RawRow | undefined> {
  const pid: unknown = Reflect.get(client, 'processID');
  const values = [LIVENESS_LOCK_CLASS, lockKey, pid ?? null];
  const [[locked, ...epoch] = []] = await runUnprepared(client, OPEN_DIRECTLY, values);
  return locked === '1' ? epoch : undefined;
}

/** Takes the lock where that is not all: through a pooler, or while another session has it. */
async function lock(client: pg.Client, settings: ControlConnectionSettings): Promise<RawRow> {
  if (!(await isSession(client, settings.connection))) throw new NotASessionError();
  await takeLock(client, settings);
  const [epoch = []] = await runUnprepared(client, READ_EPOCH, []);
  return epoch;
}

/**
 * A former session of this process may have the lock still: it is dying, or was cut off and the server hasn't noticed,
 * which could take it hours. So it is ended.
 */
async function takeLock(
  client: pg.Client,
  { lockKey, applicationName }: ControlConnectionSettings,
): Promise<void> {
  const key = [LIVENESS_LOCK_CLASS, lockKey];
  for (const end = performance.now() + LOCK_PATIENCE_MS; ; await delay(LOCK_RETRY_MS)) {
    const text = 'SELECT pg_try_advisory_lock($1::integer, $2::integer)::integer';
    const [row] = await runUnprepared(client, text, key);
    if (row?.[0] === '1') return;
    if (performance.now() > end) throw new Error('Another session holds the lock of this process.');
    await runUnprepared(
      client,
      `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
       WHERE a.application_name = $3::text AND a.pid IN (SELECT k.pid FROM pg_locks k WHERE ${processLock('$1', '$2')})`,
      [...key, applicationName],
    );
  }
}
