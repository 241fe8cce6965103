import net, { type AddressInfo, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What it carries is lost, for ever, and nobody is told. */
  silent: boolean;
}

interface Loss {
  readonly texts: readonly string[];
  readonly what: 'answer' | 'request';
  left: number;
}

/** A TCP proxy on the way to a server: what goes over the wire can be cut, held back, or have its answers lost. */
export class FaultyNetwork {
  private readonly pairs = new Set<Pair>();
  private proxy: net.Server;
  private listensAt = 0;
  private delayMs = 0;
  private swallowing = false;
  private loss: Loss | undefined;
  /** How often each kind of fault was injected. */
  readonly injected = new Map<string, number>();

  /** Connections that clients have opened, or tried to. */
  opened = 0;

  protected constructor(private readonly serverPort: () => number) {
    this.proxy = net.createServer((client) => this.connect(client));
  }

  static async open(serverPort: () => number): Promise<FaultyNetwork> {
    const network = new FaultyNetwork(serverPort);
    await network.listen();
    return network;
  }

  /** The port at which the server is reached. */
  get port(): number {
    return this.listensAt;
  }

  get injectedInAll(): number {
    return [...this.injected.values()].reduce((sum, count) => sum + count, 0);
  }

  /** All connections at once. */
  cut(): void {
    this.count('cut');
    for (const pair of this.pairs) this.end(pair);
  }

  /** Connections are cut, and new ones refused, until {@link FaultyNetwork.listen}. */
  async refuse(): Promise<void> {
    this.count('refused');
    const closed = new Promise((resolve) => this.proxy.close(resolve));
    for (const pair of this.pairs) this.end(pair);
    await closed;
    this.proxy = net.createServer((client) => this.connect(client));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.proxy.listen(this.listensAt, '127.0.0.1', () => resolve());
    });
    this.listensAt = (this.proxy.address() as AddressInfo).port;
  }

  /** Nothing comes through any more, and nobody is told; ends with {@link FaultyNetwork.deliver}. */
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
    this.loss = { texts, what: 'answer', left: times };
  }

  /** As above, but they don't reach the server. */
  loseRequests(texts: readonly string[], times = 1): void {
    this.loss = { texts, what: 'request', left: times };
  }

  /** Whether all of what was to be lost has been. */
  get hasLost(): boolean {
    return (this.loss?.left ?? 0) === 0;
  }

  count(fault: string): void {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
  }

  async close(): Promise<void> {
    for (const pair of this.pairs) this.end(pair);
    await new Promise((resolve) => this.proxy.close(resolve));
  }

  private connect(client: Socket): void {
    this.opened++;
    const server = net.connect(this.serverPort(), '127.0.0.1');
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
    const { loss } = this;
    const isLost = fromClient && loss !== undefined && loss.left > 0 && fits(loss, data);
    if (!isLost || loss.what === 'answer') this.send(to, data);
    if (!isLost) return;
    loss.left--;
    this.count(`${loss.what} lost: ${loss.texts.at(-1)}`);
    pair.client.destroy();
    // The server gets what was sent before, and nobody hears of it.
    pair.server.end();
  }

  private send(to: Socket, data: Buffer): void {
    const send = (): void => {
      if (!to.destroyed) to.write(data);
    };
    if (this.delayMs > 0) setTimeout(send, this.delayMs);
    else send();
  }

  private end(pair: Pair): void {
    this.pairs.delete(pair);
    pair.client.destroy();
    if (!pair.server.writableEnded) pair.server.destroy();
  }
}

function fits({ texts }: Loss, data: Buffer): boolean {
  return texts.some((text) => data.includes(text));
}
