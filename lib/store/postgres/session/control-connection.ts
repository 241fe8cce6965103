import { randomInt } from 'node:crypto';
import pg from 'pg';
import { isError } from '../../../errors/index.js';
import { destroySocket } from '../connections/destroy-socket.js';
import { OWN_TYPES } from '../connections/own-types.js';
import { isSession } from '../connections/pooler.js';
import { FIXED_PATH } from '../connections/pools.js';
import { SessionStatements } from './session-statements.js';
import { runUnprepared } from '../tenant-statements.js';
import { SERVER_CLOCK } from '../statements/sql-clock.js';
import { heldLocks, LIVENESS_LOCK_CLASS } from '../statements/liveness-locks.js';
import type { RawRow } from '../statements/columns.js';
import { CHANNEL } from '../statements/wake-ups.js';
import type { Clock } from '../../../runtime/clock.js';

/**
 * The life of the server that a lock belongs to. Promotion and crash-restart drop every lock without changing the
 * start time, and a restored backup or a replica that took the server's place has its own: so it has four parts; and how long it has lasted, in milliseconds, as far as the server knows, by its own clock.
 */
const EPOCH = `extract(epoch FROM pg_postmaster_start_time())::text || '/' ||
    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||
    coalesce(extract(epoch FROM b.stats_reset)::text, '') || '/' || (SELECT s.system_identifier FROM pg_control_system() s),
  (extract(epoch FROM ${SERVER_CLOCK.now} - greatest(pg_postmaster_start_time(), b.stats_reset)) * 1000)::bigint`;

/**
 * The lock, the backend and the epoch. With a process number ($3), only if the server itself answers: a pooler gives the
 * connection another one, and must not be left with the lock.
 */
const TAKE_LOCK = `SELECT CASE WHEN $3::integer IS NULL OR pg_backend_pid() = $3::integer
    THEN pg_try_advisory_lock($1::integer, $2::integer)::integer END, pg_backend_pid(), ${EPOCH}
  FROM pg_stat_bgwriter b`;

function timelineOf(epoch: string | null): string | undefined {
  return epoch?.split('/')[1];
}

/** Keys that are tried: each is one of 2^31, so a second one is hardly ever needed. */
const MAX_KEYS = 5;
/** How long the goodbye may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * A schema that is locked (by a migration, say) must not hold up the others: their statements go without it.
 */
const SETTINGS = `-c lock_timeout=500 -c ${FIXED_PATH}`;

/** What the driver says of a statement that was not answered in time. */
const NOT_ANSWERED = 'Query read timeout';

export interface ControlConnectionSettings {
  readonly clock: Clock;
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
  /** Sessions of this process were lost before, and the server may still have them. */
  readonly hasFormer: boolean;
  /** How long an answer may take before the session counts as lost, in milliseconds. */
  readonly answerTimeoutMs: number;
  readonly onPayload: (payload: string) => void;
  /** Called once, when the session has ended for whatever reason. */
  readonly onLost: (error: Error | undefined) => void;
}

/** A statement that waits for those before it. */
interface Waiting {
  readonly text: string;
  readonly values: readonly unknown[];
  /** It goes before those that are not. */
  readonly isUrgent: boolean;
  readonly resolve: (rows: readonly RawRow[]) => void;
  readonly reject: (error: unknown) => void;
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
  private readonly openedAt: number;
  private readonly waiting: Waiting[] = [];
  private running = false;

  private constructor(
    private readonly session: pg.Client,
    /** What a missing lock can be compared with: the server's life in which this one was taken. */
    readonly epoch: string,
    /** The lock's key, which is another one for each session, and the backend: nothing else can hold that. */
    readonly lockSession: string,
    private readonly epochAgeAtOpen: number,
    private readonly clock: Clock,
  ) {
    super(session);
    this.openedAt = clock.now();
  }

  static async open(settings: ControlConnectionSettings): Promise<ControlConnection> {
    const client = new pg.Client({
      ...settings.connection,
      types: OWN_TYPES,
      application_name: settings.applicationName,
      options: `${settings.connection.options ?? ''} ${SETTINGS}`.trim(),
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
      const { session, epoch, ageMs } = await takeLock(client, settings);
      await client.query(`LISTEN ${CHANNEL}`);
      const connection = new ControlConnection(client, epoch, session, ageMs, settings.clock);
      if (settings.hasFormer) void connection.endFormer(settings).catch(() => undefined);
      return connection;
    } catch (error) {
      lost = true;
      destroySocket(client);
      throw error;
    }
  }

  readonly interrupted = false;

  /** One after the other: wake-ups, renewals and recovery ask whenever they like, and pg is giving up its queue. */
  protected override run(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.enqueue(text, values, false);
  }

  protected override runFirst(
    text: string,
    values: readonly unknown[],
  ): Promise<readonly RawRow[]> {
    return this.enqueue(text, values, true);
  }

  private enqueue(
    text: string,
    values: readonly unknown[],
    isUrgent: boolean,
  ): Promise<readonly RawRow[]> {
    return new Promise((resolve, reject) => {
      const next = { text, values, isUrgent, resolve, reject };
      const firstOther = this.waiting.findIndex((other) => !other.isUrgent);
      if (isUrgent && firstOther !== -1) this.waiting.splice(firstOther, 0, next);
      else this.waiting.push(next);
      if (!this.running) void this.runAll();
    });
  }

  private async runAll(): Promise<void> {
    this.running = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      await this.runNext(next.text, next.values).then(next.resolve, next.reject);
    }
    this.running = false;
  }

  /** A network that swallows what is sent leaves a connection that looks open for hours. */
  private async runNext(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    try {
      return await runUnprepared(this.session, text, values);
    } catch (error) {
      if (isError(error) && error.message === NOT_ANSWERED) destroySocket(this.session);
      throw error;
    }
  }

  /**
   * Ends former sessions of this process. One that was cut off may look open to the server for hours: it would use up a
   * connection, and be sent notifications that nothing reads.
   */
  private async endFormer({ applicationName }: ControlConnectionSettings): Promise<void> {
    await this.run(
      `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks k ON k.pid = a.pid
       WHERE a.application_name = $1::text AND a.usename = session_user AND a.pid <> pg_backend_pid()
         AND ${heldLocks(LIVENESS_LOCK_CLASS)}`,
      [applicationName],
    );
  }

  lifeAgeMs(earlier: string | null): number {
    const age = this.epochAgeAtOpen + this.ageMs;
    // The server knows when it started and when it crashed. When a standby was promoted nothing tells.
    return timelineOf(earlier) === timelineOf(this.epoch) ? age : Math.min(age, this.ageMs);
  }

  /** How long this session has been open, in milliseconds. */
  get ageMs(): number {
    return this.clock.now() - this.openedAt;
  }

  async close(): Promise<void> {
    this.session.removeAllListeners('end');
    this.session.removeAllListeners('notification');
    const timeout = new AbortController();
    await Promise.race([
      this.session.end().catch(() => undefined),
      this.clock.sleep(CLOSE_TIMEOUT_MS, timeout.signal),
    ]);
    timeout.abort();
    destroySocket(this.session);
  }
}

interface TakenLock {
  readonly session: string;
  readonly epoch: string;
  readonly ageMs: number;
}

/**
 * Takes a lock of a key that no other role can know before it is taken. A key of the process would stay free for anyone
 * to take while its connection is away, and keep it from ever claiming again.
 */
async function takeLock(
  client: pg.Client,
  settings: ControlConnectionSettings,
): Promise<TakenLock> {
  let pid: unknown = Reflect.get(client, 'processID') ?? null;
  for (let tries = 0; tries < MAX_KEYS; tries++) {
    const key = randomInt(2 ** 31);
    const [row] = await runUnprepared(client, TAKE_LOCK, [LIVENESS_LOCK_CLASS, key, pid]);
    const [locked, backend, epoch, age] = row ?? [];
    if (locked === '1') {
      return { session: `${key}:${backend}`, epoch: epoch ?? '', ageMs: Number(age ?? 0) };
    }
    // Null: another process number, so a pooler answers. It may still keep a session for each client.
    if (locked === null && !(await isSession(client, settings.connection))) {
      throw new NotASessionError();
    }
    if (locked === null) pid = null;
  }
  throw new Error('Other roles hold every advisory lock that this process tries to take.');
}
