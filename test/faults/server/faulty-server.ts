import net, { type AddressInfo, type Socket } from 'node:net';
import pg from 'pg';
import { startChild, type TestChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';

interface Started {
  readonly kind: 'started';
  readonly port: number;
  readonly password: string;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What it carries is lost, for ever, and nobody is told. */
  silent: boolean;
}

/**
 * A PostgreSQL server of its own behind a TCP proxy: it can be stopped and started, in good order or not, and what
 * goes over the wire can be cut, held back, or have its answers lost.
 */
export class FaultyServer {
  private readonly pairs = new Set<Pair>();
  private readonly proxy: net.Server;
  private port = 0;
  private password = '';
  private started = 0;
  private delayMs = 0;
  private swallowing = false;
  private loseAnswerTo: { readonly texts: readonly string[]; left: number } | undefined;
  /** How often each kind of fault was injected. */
  readonly injected = new Map<string, number>();

  private constructor(private readonly child: TestChild) {
    this.proxy = net.createServer((client) => this.connect(client));
  }

  static async start(): Promise<FaultyServer> {
    const server = new FaultyServer(startChild(new URL('runs-a-server.mjs', import.meta.url)));
    await server.untilStarted();
    await new Promise<void>((resolve) => server.proxy.listen(0, '127.0.0.1', () => resolve()));
    return server;
  }

  /** Through the proxy. */
  get url(): string {
    const { port } = this.proxy.address() as AddressInfo;
    return `postgres://postgres:${this.password}@127.0.0.1:${port}/postgres`;
  }

  /** Past the proxy; another one after each restart. */
  get directUrl(): string {
    return `postgres://postgres:${this.password}@127.0.0.1:${this.port}/postgres`;
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
      return (await client.query<R>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  async restart(how: 'fast' | 'immediate', downMs = 0): Promise<void> {
    this.count(`restart ${how}`);
    this.child.send({ order: how, downMs });
    await this.untilStarted();
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

  /** All connections at once. */
  cut(): void {
    this.count('cut');
    for (const pair of this.pairs) this.end(pair);
  }

  /** Nothing comes through any more, and nobody is told; ends with {@link FaultyServer.deliver}. */
  swallow(): void {
    this.count('swallowed');
    this.swallowing = true;
  }

  /** What was swallowed is lost for good, with its connections. */
  deliver(): void {
    this.swallowing = false;
    for (const pair of this.pairs) this.end(pair);
  }

  /** The connections that are open carry nothing any more, and look open; new ones are as they should be. */
  silence(): void {
    this.count('silenced');
    for (const pair of this.pairs) pair.silent = true;
  }

  delay(ms: number): void {
    if (ms > 0) this.count('delayed');
    this.delayMs = ms;
  }

  /**
   * The next so many statements with one of these texts (or names, once they are prepared) reach the server, and
   * their connections end before the answer.
   */
  loseAnswers(texts: readonly string[], times = 1): void {
    this.loseAnswerTo = { texts, left: times };
  }

  async terminate(share: number, random: () => number): Promise<void> {
    this.count('pg_terminate_backend');
    const rows = await this.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cloacina:%'`,
    );
    const pids = rows.map(({ pid }) => pid).filter(() => random() < share);
    await this.query('SELECT pg_terminate_backend(p) FROM unnest($1::integer[]) p', [pids]);
  }

  async close(): Promise<void> {
    for (const pair of this.pairs) this.end(pair);
    await new Promise((resolve) => this.proxy.close(resolve));
    this.child.send({ order: 'close' });
    await this.child.exit;
  }

  count(fault: string): void {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
  }

  private async untilStarted(): Promise<void> {
    const seen = this.started++;
    const messages = this.child.messages as Started[];
    await this.child.message<Started>((message) => messages.indexOf(message) === seen, 60_000);
    this.port = messages[seen]?.port ?? 0;
    this.password = messages[seen]?.password ?? '';
  }

  private connect(client: Socket): void {
    const server = net.connect(this.port, '127.0.0.1');
    const pair: Pair = { client, server, silent: false };
    this.pairs.add(pair);
    client.on('data', (data) => this.pass(pair, server, data, true));
    server.on('data', (data) => this.pass(pair, client, data, false));
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.end(pair));
      socket.on('close', () => this.end(pair));
    }
  }

  private pass(pair: Pair, to: Socket, data: Buffer, fromClient: boolean): void {
    if (this.swallowing || pair.silent) return;
    const send = (): void => {
      if (!to.destroyed) to.write(data);
    };
    if (this.delayMs > 0) setTimeout(send, this.delayMs);
    else send();
    const lose = this.loseAnswerTo;
    if (
      fromClient &&
      lose !== undefined &&
      lose.left > 0 &&
      lose.texts.some((text) => data.includes(text))
    ) {
      lose.left--;
      this.count(`answer lost: ${lose.texts.at(-1)}`);
      // The server gets the statement and nobody hears of it.
      pair.client.destroy();
      pair.server.end();
    }
  }

  private end(pair: Pair): void {
    this.pairs.delete(pair);
    pair.client.destroy();
    if (!pair.server.writableEnded) pair.server.destroy();
  }
}
