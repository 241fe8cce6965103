import { Logger } from '@nestjs/common';
import type { DatabasePlace } from '../../errors/index.js';
import type { AnnouncePass } from '../../engine/process/announce-pass.js';
import type { PausePass } from '../../engine/pauses/pause-pass.js';
import { ProcessEngine } from '../../engine/process/process-engine.js';
import type { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import { Pacer } from '../../runtime/pacer.js';
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
} from '../../store/postgres/connections/connection-config.js';
import { PoolSession } from '../../store/postgres/session/pool-session.js';
import { connectionShare } from '../../store/postgres/connections/connection-share.js';
import { createPools, type LoginPools } from '../../store/postgres/connections/pools.js';
import type { Clocks } from '../../store/postgres/clocks.js';
import { APPLICATION_PREFIX } from '../../store/postgres/session/session-statements.js';
import {
  answerTimeout,
  warnOfUnusedName,
  type ConnectionGroupSettings,
} from './connection-group-settings.js';
import { reportFailingSweep, reportStoppedDeletion } from './group-reports.js';
import type { MovePass } from '../moving/move-pass.js';
import { registerPasses } from './maintenance-passes.js';
import type { GroupSession, OpenSession, StorageOverride } from './storage-override.js';

/** The longest interval that Node supports, in milliseconds. */
const MAX_INTERVAL_MS = 2 ** 31 - 1;

/** The pools, the process engine and the failure detection of one login, which all tenants on the login share. */
export class ConnectionGroup {
  readonly pools: LoginPools;
  readonly process: ProcessEngine<GroupSession>;
  readonly recovery: RecoveryWatch;
  readonly clocks: Clocks;
  /** Paces the deletion of ended executions in all tenants. */
  readonly pacer: Pacer;
  /** The name of the server. Undefined if forRoot names no servers. */
  readonly server: string | undefined;
  /** The server and database of the pools, and those of the control connection. */
  readonly place: DatabasePlace;
  readonly controlPlace: DatabasePlace;
  private readonly sweep: MaintenanceSweep;
  private readonly pauses: PausePass;
  private readonly moves: MovePass | undefined;
  /** Tells other processes what this one serves. */
  readonly announcements: AnnouncePass;
  /** Number of connections of the server; undefined while it is not known. */
  private usableConnections: number | undefined;
  private sharesConnections: boolean;
  /** Called when this database has a tenant that this process may not know. */
  onTenants: () => unknown = () => undefined;
  private connected: Promise<void> | undefined;
  private disconnected: Promise<void> | undefined;
  /** Number of running recovery passes that connected before the bootstrap. */
  private visits = 0;
  /** Whether the application has bootstrapped, so that the control connection stays open. */
  private started = false;
  private closed = false;
  private claiming = false;
  private keepAlive: NodeJS.Timeout | undefined;

  constructor(
    settings: ConnectionGroupSettings,
    slots: SlotScheduler,
    clocks: Clocks,
    /** Replaces the stores of the tenants, and the session. */
    readonly storage?: StorageOverride,
  ) {
    const { process: clock } = clocks;
    this.clocks = clocks;
    const connection = connectionConfig(settings);
    const control = controlConfig(settings);
    const { server } = settings;
    this.server = server;
    this.place = { ...placeOf(connection), ...(server === undefined ? {} : { server }) };
    this.controlPlace = { ...placeOf(control), ...(server === undefined ? {} : { server }) };
    warnOfUnusedName(settings);
    let wasLost = false;
    this.process = new ProcessEngine<GroupSession>({
      clock,
      slots,
      leaseDurationMs: settings.leaseDurationMs,
      onProcesses: () => this.recovery.processesChanged(),
      onWatch: () => this.recovery.watchBegins(),
      onSwept: (digest, sender) => this.recovery.sweptByOther(digest, sender),
      onNewLife: () => void this.recovery.runOnce('leaseOver').catch(() => undefined),
      onServing: () => this.announcements.changed(),
      onTenants: () => this.onTenants(),
      peers: () => this.recovery.peers,
      open: async ({ id }, onPayload, onLost) => {
        const connect: OpenSession = async (receive) =>
          settings.controlConnection
            ? await ControlConnection.open({
                clock,
                connection: control,
                applicationName: `${APPLICATION_PREFIX}${id}`,
                hasFormer: wasLost,
                answerTimeoutMs: answerTimeout(settings.leaseDurationMs),
                onPayload: receive,
                onLost: (error) => {
                  wasLost = true;
                  onLost(error);
                },
              }).catch((error: unknown) => this.withoutSession(error))
            : new PoolSession(this.pools, clocks.process);
        const name = `${APPLICATION_PREFIX}${id}`;
        const session = await (storage?.openSession(name, onPayload, connect) ??
          connect(onPayload));
        this.recovery.connected();
        this.pauses.connected();
        this.moves?.connected();
        return session;
      },
      // Before the bootstrap there is no control connection, so a connection of the pool sends notifications.
      notify: (payloads) =>
        this.started || storage?.isDatabase === false
          ? undefined
          : new PoolSession(this.pools, clocks.process).notify(payloads),
    });
    this.pools = createPools({
      clock,
      connection,
      poolSize: settings.poolSize,
      applicationName: `${APPLICATION_PREFIX}${this.process.processId}`,
    });
    this.pools.keep(false);
    this.sweep = new MaintenanceSweep({
      clock: clocks.upkeep ?? clock,
      leaseDurationMs: settings.leaseDurationMs,
      isConnected: () => this.process.session !== undefined,
      failing: reportFailingSweep,
    });
    this.recovery = new RecoveryWatch({
      clock,
      processId: this.process.processId,
      leaseDurationMs: settings.leaseDurationMs,
      sweep: this.sweep,
      session: () => this.process.session,
      isWatching: () => this.process.isWatching,
      notifyProcesses: () => this.process.notifyProcesses(),
      notifySwept: (digest) => this.process.notifySwept(digest),
      onPeers: () => this.shareConnections(),
    });
    const passes = registerPasses({
      clock,
      sweep: this.sweep,
      process: this.process,
      pool: storage?.isDatabase === false ? undefined : () => this.pools.general,
    });
    ({ pauses: this.pauses, announcements: this.announcements, moves: this.moves } = passes);
    this.pacer = new Pacer({
      clock,
      backlog: () => this.pools.turns.statements.waitingCount + this.process.queuedStarts,
      onStopped: reportStoppedDeletion,
    });
    this.sharesConnections = settings.poolSizeIsDefault === true;
  }

  /** How many connections this process may open for the login. */
  get poolSize(): number {
    return this.pools.size;
  }

  /** Takes a further tenant of the login. A tenant that sets a pool size ends the sharing of the server's connections. */
  admit(settings: Pick<ConnectionGroupSettings, 'poolSize' | 'poolSizeIsDefault'>): void {
    this.sharesConnections &&= settings.poolSizeIsDefault === true;
    this.pools.grow(settings.poolSize);
    if (!this.sharesConnections) this.pools.share(Infinity);
  }

  private shareConnections(): void {
    if (!this.sharesConnections || this.usableConnections === undefined) return;
    this.pools.share(connectionShare(this.usableConnections, this.recovery.peers.size + 1));
  }

  private async readConnections(): Promise<void> {
    this.usableConnections = await this.process.session?.usableConnections();
    this.shareConnections();
  }

  private withoutSession(error: unknown): PoolSession {
    if (!(error instanceof NotASessionError)) throw error;
    new Logger('Cloacina').warn(
      'The control connection leads to a pooler in transaction mode. So lost processes are detected only when their leases ' +
        'expire, and other processes notice work only at their next poll. Set controlUrl to a direct URL of the database, ' +
        'or controlConnection: false if there is none.',
    );
    return new PoolSession(this.pools, this.clocks.process);
  }

  /**
   * Connects permanently when the application bootstraps. From then on other processes see this one alive, connections
   * stay open, and the process does not exit by itself. Nothing idle is kept open earlier, because Nest calls no hook when
   * a boot fails. Concurrent calls share one connection attempt; a call after a failure tries again.
   */
  async start(): Promise<void> {
    if (!this.started && !this.closed) {
      this.started = true;
      this.pools.keep(true);
      // Neither timers nor a lost control connection keep the process alive. Without a database, nothing is to.
      if (this.storage?.isDatabase !== false)
        this.keepAlive = setInterval(() => undefined, MAX_INTERVAL_MS);
    }
    await this.connect();
  }

  /** Recovers tasks of lost processes of some tenants now. Before the bootstrap it connects for that time only. */
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
        // Not awaited, so that the boot does not wait for a warning.
        void this.warnOfEncoding().catch(() => undefined);
        // If this fails, the pool keeps its maximum size.
        void this.readConnections().catch(() => undefined);
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
      `The database is encoded in ${encoding}. A task that returns text with other characters is Failed, because ` +
        "PostgreSQL can't store it. Create the database with ENCODING 'UTF8'.",
    );
  }

  /** Whether the control session is lost and not restored, so the database may be unreachable. */
  get isAway(): boolean {
    return this.started && this.process.session === undefined;
  }

  /** The control connection, as health reports show it. */
  get controlState(): 'open' | 'lost' | 'none' | 'notOpened' {
    if (!this.started) return 'notOpened';
    const { session } = this.process;
    if (session === undefined) return 'lost';
    return session.lockSession === null ? 'none' : 'open';
  }

  /** Asks the server for an answer, on a connection that user code can't take. */
  async ping(): Promise<void> {
    const { session } = this.process;
    if (session instanceof ControlConnection) await session.encoding();
    else await this.pools.statements[0]?.query('SELECT 1');
  }

  /** Lets the tenants claim, including those that are added later. Later calls have no effect. */
  startClaiming(): void {
    if (this.claiming) return;
    this.claiming = true;
    this.process.startClaiming();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.keepAlive);
    this.sweep.stop();
    await this.announcements.close();
    await this.process.stop();
    await this.pools.end();
  }
}
