import { randomInt } from 'node:crypto';
import pg from 'pg';
import { isError } from '../../../errors/index.js';
import { destroySocket } from '../connections/destroy-socket.js';
import { OWN_TYPES } from '../connections/own-types.js';
import { isSession } from '../connections/pooler.js';
import { FIXED_PATH } from '../connections/pools.js';
import { LOCK_TIMEOUT_MS, SessionStatements } from './session-statements.js';
import { runUnprepared } from '../tenant-statements.js';
import { SERVER_CLOCK } from '../statements/sql-clock.js';
import { heldLocks, LIVENESS_LOCK_CLASS } from '../statements/liveness-locks.js';
import type { RawRow } from '../statements/columns.js';
import { CHANNEL } from '../statements/wake-ups.js';
import { untraced } from '../../../runtime/untraced.js';
import type { Clock } from '../../../runtime/clock.js';

/**
 * The epoch, which identifies the life of the server that a lock belongs to, and its age in ms by the server's clock.
 *
 * The epoch has four parts: the start time, the timeline (or `standby`), the last crash, and the system identifier.
 * Promotion and crash-restart drop all locks without changing the start time, and another server may take the place of
 * this one, such as a replica or a restored backup.
 */
const EPOCH = `extract(epoch FROM pg_postmaster_start_time())::text || '/' ||
    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||
    coalesce(extract(epoch FROM b.stats_reset)::text, '') || '/' || (SELECT s.system_identifier FROM pg_control_system() s),
  (extract(epoch FROM ${SERVER_CLOCK.now} - greatest(pg_postmaster_start_time(), b.stats_reset)) * 1000)::bigint`;

/**
 * Takes the lock, and returns the result, the backend and the epoch. With a process number ($3) it takes the lock only if
 * the server itself answers. A pooler gives the connection another number, and one of its connections would keep the lock.
 */
const TAKE_LOCK = `SELECT CASE WHEN $3::integer IS NULL OR pg_backend_pid() = $3::integer
    THEN pg_try_advisory_lock($1::integer, $2::integer)::integer END, pg_backend_pid(), ${EPOCH}
  FROM pg_stat_bgwriter b`;

function timelineOf(epoch: string | null): string | undefined {
  return epoch?.split('/')[1];
}

/** Maximum number of keys to try. A key is one of 2^31, so the first one is nearly always free. */
const MAX_KEYS = 5;
/** How long an orderly close may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

const SETTINGS = `-c lock_timeout=${LOCK_TIMEOUT_MS} -c ${FIXED_PATH}`;

/** The driver's message for a statement without an answer in time. */
const NOT_ANSWERED = 'Query read timeout';

export interface ControlConnectionSettings {
  readonly clock: Clock;
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
  /** Whether this process lost sessions before, which the server may still consider alive. */
  readonly hasFormer: boolean;
  /** How long an answer may take before the session is considered lost, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** `sender` is the backend that sent the notification. */
  readonly onPayload: (payload: string, sender: number) => void;
  /** Called once, when the session has ended for any reason. */
  readonly onLost: (error: Error | undefined) => void;
}

/** A queued statement. */
interface Waiting {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Whether it precedes statements that are not urgent. */
  readonly isUrgent: boolean;
  readonly resolve: (rows: readonly RawRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The connection leads to a pooler without session mode, which keeps neither locks nor LISTEN. */
export class NotASessionError extends Error {}

/**
 * The one session of a process beside its pools. It listens for notifications of all tenants, renews the leases, and holds
 * the advisory lock by whose absence other processes detect that this process is gone.
 *
 * It is never repaired: when it is lost, its owner opens another one.
 */
export class ControlConnection extends SessionStatements {
  private readonly openedAt: number;
  private readonly waiting: Waiting[] = [];
  private running = false;

  private constructor(
    private readonly session: pg.Client,
    /** Life of the server in which the lock was taken. A missing lock is conclusive only within the same life. */
    readonly epoch: string,
    /** The lock's key, random for each session, and the backend. No other session can hold the same pair. */
    readonly lockSession: string,
    private readonly epochAgeAtOpen: number,
    private readonly clock: Clock,
  ) {
    super(session);
    this.openedAt = clock.now();
  }

  static open(settings: ControlConnectionSettings): Promise<ControlConnection> {
    return untraced(() => ControlConnection.openUntraced(settings));
  }

  private static async openUntraced(
    settings: ControlConnectionSettings,
  ): Promise<ControlConnection> {
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
    client.on('notification', ({ payload, processId }) =>
      settings.onPayload(payload ?? '', processId),
    );
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

  /** A failure ends this session, so an existing one was never interrupted. */
  readonly interrupted = false;

  /** Queues statements here: wake-ups, renewals and recovery send at any time, and pg is deprecating its own queue. */
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

  /** Closes a connection that doesn't answer: a network that drops packets keeps it open for hours. */
  private async runNext(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    try {
      return await runUnprepared(this.session, text, values, {});
    } catch (error) {
      if (isError(error) && error.message === NOT_ANSWERED) destroySocket(this.session);
      throw error;
    }
  }

  /**
   * Terminates former sessions of this process. The server may consider a session that was cut off alive for hours. It would
   * occupy a connection and get notifications that nothing reads.
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
    // The server knows when it started and when it crashed, but not when a standby was promoted.
    return timelineOf(earlier) === timelineOf(this.epoch) ? age : Math.min(age, this.ageMs);
  }

  /** Time since this session was opened, in milliseconds. */
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
 * Takes a lock with a random key, which no other role can know in advance. A key derived from the process would be free
 * while its connection is lost: another role could take it and keep the process from claiming ever again.
 */
async function takeLock(
  client: pg.Client,
  settings: ControlConnectionSettings,
): Promise<TakenLock> {
  let pid: unknown = Reflect.get(client, 'processID') ?? null;
  for (let tries = 0; tries < MAX_KEYS; tries++) {
    const key = randomInt(2 ** 31);
    const [row] = await runUnprepared(client, TAKE_LOCK, [LIVENESS_LOCK_CLASS, key, pid], {});
    const [locked, backend, epoch, age] = row ?? [];
    if (locked === '1') {
      return { session: `${key}:${backend}`, epoch: epoch ?? '', ageMs: Number(age ?? 0) };
    }
    // Null means another process number, so a pooler answers. In session mode it still provides a session per client.
    if (locked === null && !(await isSession(client, settings.connection))) {
      throw new NotASessionError();
    }
    if (locked === null) pid = null;
  }
  throw new Error('Other roles hold every advisory lock that this process tries to take.');
}
