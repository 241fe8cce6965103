import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import net from 'node:net';
import type { Client } from 'pg';
import { FaultyNetwork } from '../faults/server/faulty-network.js';
import { connectAdmin, createDatabase } from './postgres.js';

/**
 * An empty database on the second server of the run, which all test files share, over a network of its own that a test can break.
 * It takes the server away for the test's clients only: tests that kill or restart a server start a `FaultyServer`.
 */
export class SecondServer extends FaultyNetwork {
  private admin: Promise<Client> | undefined;

  private constructor(
    private readonly server: URL,
    private readonly name: string,
  ) {
    super(() => Number(server.port));
  }

  static async connect(): Promise<SecondServer> {
    const server = new URL(await urlOfServer());
    const name = `second_${randomBytes(5).toString('hex')}`;
    await onServer(server, (client) => createDatabase(client, name));
    const second = new SecondServer(server, name);
    await second.listen();
    return second;
  }

  /** Over the network. */
  get url(): string {
    return this.urlAt(this.port);
  }

  /** Past its faults. */
  get directUrl(): string {
    return this.urlAt(Number(this.server.port));
  }

  /** One query that no fault of the network reaches. */
  async query<R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    const client = await (this.admin ??= connectAdmin(this.directUrl));
    return (await client.query<R>(sql, [...values])).rows;
  }

  override async close(): Promise<void> {
    await super.close();
    await (await this.admin)?.end();
    await onServer(this.server, (client) =>
      client.query(`DROP DATABASE ${this.name} WITH (FORCE)`),
    );
  }

  private urlAt(port: number): string {
    const url = new URL(this.server);
    url.port = String(port);
    url.pathname = `/${this.name}`;
    return url.href;
  }
}

/** It is started when the first test file asks: see `offer-second-server.mjs`. */
async function urlOfServer(): Promise<string> {
  const port = Number(process.env['CLOACINA_TEST_SECOND_SERVER']);
  const answer = await text(net.connect(port, '127.0.0.1'));
  if (!answer.startsWith('postgres:'))
    throw new Error(`The second server did not start: ${answer}`);
  return answer;
}

async function onServer(server: URL, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = await connectAdmin(server.href);
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
