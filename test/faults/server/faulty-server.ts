import pg from 'pg';
import { startChild, type TestChild } from '../../support/child-process.js';
import { repeatDeadlocks } from '../../support/repeat-deadlocks.js';
import { waitFor } from '../../support/wait-for.js';
import { FaultyNetwork } from './faulty-network.js';

interface Told {
  readonly kind: 'started' | 'stopped' | 'backedUp';
  readonly port?: number;
  readonly password?: string;
  readonly smallDisk?: string;
}

export interface ServerSettings {
  readonly maxConnections?: number;
  /** In MB: it has a file system of that size, where root may mount one. */
  readonly smallDisk?: number;
}

/** How a server that went back in time came up: as the same one after a crash, or as a standby that was promoted. */
export type WayBack = 'same timeline' | 'new timeline';

/** What the connections of the library's processes are called. */
const LIBRARY = `application_name LIKE 'cloacina:%'`;
/** Those that hold the lock of their process: one each, the control connection. */
const CONTROL = `pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1129072451)`;

/** A PostgreSQL server of its own on a faulty network: it can be stopped and started, in good order or not. */
export class FaultyServer extends FaultyNetwork {
  private told = 0;
  private current: Told = { kind: 'stopped' };

  private constructor(private readonly child: TestChild) {
    super(() => this.current.port ?? 0);
  }

  static async start(settings: ServerSettings = {}): Promise<FaultyServer> {
    const { maxConnections, smallDisk } = settings;
    const script = `runs-a-server${smallDisk === undefined ? '' : '-on-a-small-disk'}.mjs`;
    const env = {
      ...(maxConnections === undefined ? {} : { MAX_CONNECTIONS: String(maxConnections) }),
      ...(smallDisk === undefined ? {} : { SMALL_DISK_MB: String(smallDisk) }),
    };
    const server = new FaultyServer(startChild(new URL(script, import.meta.url), { env }));
    await server.hear();
    await server.listen();
    return server;
  }

  /** Over the network. */
  get url(): string {
    return this.urlAt(this.port);
  }

  /** Past its faults; another one after each restart. */
  get directUrl(): string {
    return this.urlAt(this.current.port ?? 0);
  }

  /** On this machine, with the server's login. */
  urlAt(port: number): string {
    return `postgres://postgres:${this.current.password}@127.0.0.1:${port}/postgres`;
  }

  /** A client that no fault of the network reaches. */
  async admin(): Promise<pg.Client> {
    // It may be recovering from the fault before.
    return waitFor(
      async () => {
        const connectionString = this.directUrl;
        const client = new pg.Client({ connectionString, application_name: 'fault injector' });
        client.on('error', () => undefined);
        await client.connect();
        return client;
      },
      { deadline: 30_000, what: 'the server', every: 50 },
    );
  }

  async query<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const client = await this.admin();
    try {
      return (await repeatDeadlocks(() => client.query<R>(text, [...values]))).rows;
    } finally {
      await client.end();
    }
  }

  async restart(how: 'fast' | 'immediate', downMs = 0): Promise<void> {
    this.count(`restart ${how}`);
    await this.order({ order: 'restart', signal: how === 'fast' ? 'SIGINT' : 'SIGQUIT', downMs });
  }

  /** Away until {@link FaultyServer.startAgain}: connections to it are refused. */
  async stop(): Promise<void> {
    this.count('stopped');
    await this.order({ order: 'stop', signal: 'SIGINT' });
  }

  /** SIGKILL of the server's main process. Away until {@link FaultyServer.startAgain}. */
  async kill(): Promise<void> {
    this.count('kill -9');
    await this.order({ order: 'stop', signal: 'SIGKILL' });
  }

  async startAgain(): Promise<void> {
    await this.order({ order: 'start' });
  }

  /** From now on every commit waits for a second server that follows this one. Restarts this one. */
  async addStandby(): Promise<void> {
    await this.order({ order: 'addStandby' });
    await this.configure('synchronous_standby_names', '*');
    const text = `SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`;
    await waitFor(async () => (await this.query(text)).length > 0, {
      deadline: 30_000,
      what: 'the standby',
    });
  }

  /** The server dies, and clients are led to its standby, where they can only read before it is promoted. */
  async failOver(): Promise<void> {
    this.count('failover');
    await this.order({ order: 'failOver' });
  }

  async promote(): Promise<void> {
    this.count('promotion');
    await this.query('SELECT pg_promote(true)');
  }

  /** Where the small file system is mounted, if there is one. */
  get smallDisk(): string | undefined {
    return this.current.smallDisk;
  }

  /** A copy of all that is committed by now. */
  async backup(label: string): Promise<void> {
    await this.order({ order: 'backup', label });
  }

  /** The server dies, and that backup takes its place under the same address. */
  async goBack(label: string, way: WayBack): Promise<void> {
    this.count(`back in time, ${way}`);
    await this.order({ order: 'goBack', label, newTimeline: way === 'new timeline' });
    if (way === 'new timeline') await this.promote();
  }

  /** For connections that are open as well. */
  async configure(setting: string, value: string): Promise<void> {
    const client = await this.admin();
    try {
      await client.query(`ALTER SYSTEM SET ${setting} TO ${client.escapeLiteral(value)}`);
      await client.query('SELECT pg_reload_conf()');
    } finally {
      await client.end();
    }
  }

  /** SIGKILL of one backend: the server ends all others and recovers from the crash. */
  async crash(): Promise<void> {
    this.count('kill -9 of a backend');
    const client = await this.admin();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const ended = new Promise((resolve) => client.once('end', resolve));
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    await ended;
  }

  /** Ends each of the library's connections with that probability; says how many. */
  async terminate(share: number, random: () => number, which = 'true'): Promise<number> {
    this.count('pg_terminate_backend');
    const rows = await this.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE ${LIBRARY} AND ${which}`,
    );
    const pids = rows.map(({ pid }) => pid).filter(() => random() < share);
    await this.query('SELECT pg_terminate_backend(p) FROM unnest($1::integer[]) p', [pids]);
    return pids.length;
  }

  terminateControl(): Promise<number> {
    return this.terminate(1, () => 0, CONTROL);
  }

  terminatePools(share: number, random: () => number): Promise<number> {
    return this.terminate(share, random, `NOT ${CONTROL}`);
  }

  override async close(): Promise<void> {
    await super.close();
    this.child.send({ order: 'close' });
    await this.child.exit;
  }

  private async order(message: object): Promise<void> {
    this.child.send(message);
    await this.hear();
  }

  /** The next thing that it says: each order is answered by one. */
  private async hear(): Promise<void> {
    const next = this.told++;
    const { messages } = this.child;
    const told = await this.child.message<Told>((message) => messages[next] === message, 60_000);
    this.current = { ...this.current, ...told };
  }
}
