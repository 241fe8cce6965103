import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach } from '@jest/globals';
import { databaseUrl } from './postgres.js';

const open = new Set<TcpProxy>();
afterEach(async () => {
  await Promise.all([...open].map((proxy) => proxy.refuse()));
  open.clear();
});

/** Stands between the library and the server, and can be away. */
export class TcpProxy {
  private server: Server | undefined;
  private port = 0;
  private isHangingUp = false;
  private readonly sockets = new Set<Socket>();
  private readonly target = new URL(databaseUrl());

  static async start(): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    open.add(proxy);
    await proxy.accept();
    return proxy;
  }

  /** The database's URL by way of the proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** Sockets that are open, of both sides. */
  get connections(): number {
    return this.sockets.size;
  }

  /** Connections are accepted (again). */
  async accept(): Promise<void> {
    this.isHangingUp = false;
    await this.listen();
  }

  private async listen(): Promise<void> {
    const server = createServer((client) => this.forward(client));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Connections that stand are cut, and new ones refused. */
  async refuse(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** As a proxy does whose server is away: connections are accepted, and dropped at once. */
  async hangUp(): Promise<void> {
    await this.refuse();
    this.isHangingUp = true;
    await this.listen();
  }

  private forward(client: Socket): void {
    if (this.isHangingUp) {
      client.on('error', () => undefined).destroy();
      return;
    }
    const server = connect(Number(this.target.port || 5432), this.target.hostname);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true).pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
