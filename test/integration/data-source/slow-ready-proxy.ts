import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** The server's last word on a statement: `Z`, its length, and the state of the transaction. */
const READY_LENGTH = 6;
const DELAY_MS = 30;

export interface SlowReadyProxy {
  /** As the given URL, by way of the proxy. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Stands between a client and the server, and holds back the last word on each statement for a while, as a network
 * does that puts it into a packet of its own.
 */
export async function startSlowReadyProxy(url: string): Promise<SlowReadyProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.pipe(upstream);
    let sent: Promise<unknown> = Promise.resolve();
    upstream.on('data', (data: Buffer) => {
      sent = sent.then(() => forward(client, data));
    });
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxied = new URL(url);
  proxied.hostname = '127.0.0.1';
  proxied.port = String((server.address() as AddressInfo).port);
  return {
    url: proxied.href,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function forward(client: Socket, data: Buffer): Promise<void> {
  const cut = data.length - READY_LENGTH;
  if (cut < 0 || data[cut] !== 'Z'.charCodeAt(0) || data.readInt32BE(cut + 1) !== 5) {
    client.write(data);
    return;
  }
  client.write(data.subarray(0, cut));
  await sleep(DELAY_MS);
  client.write(data.subarray(cut));
}
