import { Logger } from '@nestjs/common';
import type { DatabasePlace } from '../../errors/index.js';
import { ProcessEngine } from '../../engine/process/process-engine.js';
import type { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import { MaintenanceSweep } from '../../maintenance/sweep.js';
import { RecoveryWatch } from '../../recovery/recovery-watch.js';
import type { RecoveryReport } from '../../recovery/tenant-recovery.js';
import {
  ControlConnection,
  NotASessionError,
} from '../../store/postgres/session/control-connection.js';
import {
  connectionConfig,
  controlConfig,
  placeOf,
  unusedApplicationName,
  type ControlledSource,
} from '../../store/postgres/connections/connection-config.js';
import { PoolSession } from '../../store/postgres/session/pool-session.js';
import { createPools, type LoginPools } from '../../store/postgres/connections/pools.js';
import type { Clocks } from '../../store/postgres/clocks.js';
import { APPLICATION_PREFIX } from '../../store/postgres/session/session-statements.js';

/** The longest that Node has, in milliseconds. */
const MAX_INTERVAL_MS = 2 ** 31 - 1;

export interface ConnectionGroupSettings extends ControlledSource {
  /** False: no connection beside the pool; leases alone tell who lives. */
  readonly controlConnection: boolean;
  readonly poolSize: number;
  readonly leaseDurationMs: number;
}

/** A control connection that doesn't answer has to be given up in time to renew the leases on the next one. */
function answerTimeout(leaseDurationMs: number): number {
  return Math.min(10_000, Math.max(1_000, Math.floor(leaseDurationMs / 4)));
}

const saidNames = new Set<string>();

/** Said once for each name, because a name that is set and not seen in pg_stat_activity is looked for elsewhere. */
function sayUnusedName(settings: ConnectionGroupSettings): void {
  const name = unusedApplicationName(settings);
  if (name === undefined || saidNames.has(name)) return;
  saidNames.add(name);
  new Logger('Cloacina').warn(
    `The application name ${JSON.stringify(name)} is not used: the connections are named "${APPLICATION_PREFIX}<process>", ` +
      'by which other processes find out whether this one lives. Take it out of the connection options, the URL or PGAPPNAME.',
  );
}

/** The pools, the engine and the watch over the neighbors of one login; every tenant on it shares them. */
export class ConnectionGroup {
  readonly pools: LoginPools;
  readonly process: ProcessEngine<ControlConnection | PoolSession>;
  readonly recovery: RecoveryWatch;
  readonly clocks: Clocks;
  /** Where the pools lead to, and where the control connection does. */
  readonly place: DatabasePlace;
  readonly controlPlace: DatabasePlace;
  private readonly sweep: MaintenanceSweep;
  /** Called when a tenant has appeared on this database that this process may not know. */
  onTenants: () => unknown = () => undefined;
  private connected: Promise<void> | undefined;
  private disconnected: Promise<void> | undefined;
  /** Passes that connect for themselves alone. */
  private visits = 0;
  /** The application has bootstrapped, and the connection stays. */
  private started = false;
  private closed = false;
  private claiming = false;
  private keepAlive: NodeJS.Timeout | undefined;

  constructor(settings: ConnectionGroupSettings, slots: SlotScheduler, clocks: Clocks) {
    const { process: clock } = clocks;
    this.clocks = clocks;
    const connection = connectionConfig(settings);
    const control = controlConfig(settings);
    this.place = placeOf(connection);
    this.controlPlace = placeOf(control);
    sayUnusedName(settings);
    let wasLost = false;
    this.process = new ProcessEngine<ControlConnection | PoolSession>({
      clock,
      slots,
      leaseDurationMs: settings.leaseDurationMs,
      onProcessJoined: () => this.recovery.greet(),
      onNewLife: () => void this.recovery.runOnce('leaseOver').catch(() => undefined),
      onTenants: () => this.onTenants(),
      open: ({ id }, onPayload, onLost) =>
        settings.controlConnection
          ? ControlConnection.open({
              clock,
              connection: control,
              applicationName: `${APPLICATION_PREFIX}${id}`,
              hasFormer: wasLost,
              answerTimeoutMs: answerTimeout(settings.leaseDurationMs),
              onPayload,
              onLost: (error) => {
                wasLost = true;
                onLost(error);
              },
            }).catch((error: unknown) => this.withoutSession(error))
          : Promise.resolve(new PoolSession(this.pools, clocks.process)),
      // While the application boots, there is no control connection.
      notify: (payloads) =>
        this.started ? undefined : new PoolSession(this.pools, clocks.process).notify(payloads),
    });
    this.pools = createPools({
      clock,
      connection,
      poolSize: settings.poolSize,
      applicationName: `${APPLICATION_PREFIX}${this.process.processId}`,
    });
    this.pools.keep(false);
    this.sweep = new MaintenanceSweep({
      clock,
      leaseDurationMs: settings.leaseDurationMs,
      isConnected: () => this.process.session !== undefined,
    });
    this.recovery = new RecoveryWatch({
      clock,
      processId: this.process.processId,
      leaseDurationMs: settings.leaseDurationMs,
      sweep: this.sweep,
      session: () => this.process.session,
    });
  }

  private withoutSession(error: unknown): PoolSession {
    if (!(error instanceof NotASessionError)) throw error;
    new Logger('Cloacina').warn(
      'The control connection leads to a pooler in transaction mode, so lost processes are noticed by their leases ' +
        'alone, and work that is left to other processes by their next look. Set controlUrl to a direct URL of the ' +
        'database, or controlConnection: false if there is no direct URL.',
    );
    return new PoolSession(this.pools, this.clocks.process);
  }

  /**
   * Connects for good, when the application bootstraps: from now on the process is known to live, connections stay open,
   * and the process doesn't end by itself. Before, nothing is held that isn't used, because Nest doesn't tell when a
   * boot fails. Once for all that ask, and again if that failed.
   */
  async start(): Promise<void> {
    if (!this.started && !this.closed) {
      this.started = true;
      this.pools.keep(true);
      // Neither timers nor a control connection that is away keep a process alive.
      this.keepAlive = setInterval(() => undefined, MAX_INTERVAL_MS);
    }
    await this.connect();
  }

  /** Looks for lost processes of some tenants now. Before the bootstrap it connects for as long as that takes. */
  async recoverNow(tenants: readonly string[]): Promise<RecoveryReport> {
    this.visits++;
    try {
      await this.connect();
      return await this.recovery.runOnce('manual', tenants);
    } finally {
      if (--this.visits === 0 && !this.started) await this.disconnect();
    }
  }

  private async connect(): Promise<void> {
    await this.disconnected;
    if (this.closed) return;
    this.connected ??= this.process
      .start()
      .then(() => {
        this.recovery.bootedWith(this.process.session);
        this.sweep.start();
        // Not waited for: a boot has better to do.
        void this.warnOfEncoding().catch(() => undefined);
      })
      .catch((error: unknown) => {
        this.connected = undefined;
        throw error;
      });
    return this.connected;
  }

  private disconnect(): Promise<void> {
    this.connected = undefined;
    this.sweep.stop();
    this.disconnected = this.process.stop();
    return this.disconnected;
  }

  private async warnOfEncoding(): Promise<void> {
    const encoding = await this.process.session?.encoding();
    if (encoding === undefined || encoding === 'UTF8') return;
    new Logger('Cloacina').warn(
      `The database is encoded in ${encoding}. A task that returns text with other characters is Failed, because it can't ` +
        "be stored. Create the database with ENCODING 'UTF8'.",
    );
  }

  /** The control session was lost and has not come back, so the database may be away. */
  get isAway(): boolean {
    return this.started && this.process.session === undefined;
  }

  /** Lets the tenants claim, those that are added later too; once. */
  startClaiming(): void {
    if (this.claiming) return;
    this.claiming = true;
    this.process.startClaiming();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.keepAlive);
    this.sweep.stop();
    await this.process.stop();
    await this.pools.end();
  }
}
