import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface PoolerLikeProxy {
  /** As the given URL, by way of the proxy. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * What a client sees of a pooler in transaction mode, between a client and a real server: the number of the process is not
 * that of the server's, and notifications do not arrive.
 */
export async function startPoolerLikeProxy(url: string): Promise<PoolerLikeProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.pipe(upstream);
    let rest = Buffer.alloc(0);
    upstream.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      // Each message is a letter, its length without the letter, and its body.
      while (rest.length >= 5 && rest.length >= 1 + rest.readInt32BE(1)) {
        const message = rest.subarray(0, 1 + rest.readInt32BE(1));
        rest = rest.subarray(message.length);
        const kind = String.fromCharCode(message[0] ?? 0);
        if (kind === 'K') message.writeInt32BE(message.readInt32BE(5) + 1_000_000, 5);
        if (kind !== 'A') client.write(message);
      }
    });
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
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
