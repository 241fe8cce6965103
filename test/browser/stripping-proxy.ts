import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reverse proxy that serves an application under a path of its own, and takes this path away. */
export class StrippingProxy {
  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    /** The address under which the application is seen. */
    readonly url: string,
  ) {}

  static async start(target: URL, prefix: string): Promise<StrippingProxy> {
    const server = createServer((incoming, outgoing) => {
      if (incoming.url?.startsWith(`${prefix}/`) !== true) {
        outgoing.writeHead(404).end();
        return;
      }
      const sent = request(
        {
          hostname: target.hostname,
          port: target.port,
          method: incoming.method,
          path: incoming.url.slice(prefix.length),
          headers: { ...incoming.headers, 'x-forwarded-prefix': prefix },
        },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      sent.on('error', () => outgoing.destroy());
      outgoing.on('close', () => sent.destroy());
      incoming.pipe(sent);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new StrippingProxy(server, `http://127.0.0.1:${port}${prefix}${target.pathname}`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
