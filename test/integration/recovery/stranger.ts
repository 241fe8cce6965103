import { randomBytes } from 'node:crypto';
import { afterAll } from '@jest/globals';
import { Client } from 'pg';
import { connectAdmin, databaseUrl } from '../../support/postgres.js';

const CLASS = 1_129_072_451;
const strangers: Stranger[] = [];
afterAll(async () => {
  await Promise.all(strangers.map((stranger) => stranger.leave()));
});

/** A role of the database that has no right to anything of the library's: it can connect, and that is all. */
export class Stranger {
  private readonly clients: Client[] = [];

  private constructor(
    private readonly role: string,
    private readonly url: string,
  ) {}

  static async create(grants: (role: string) => string = () => ''): Promise<Stranger> {
    const role = `test_stranger_${randomBytes(5).toString('hex')}`;
    const owner = await connectAdmin();
    await owner.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'; ${grants(role)}`);
    await owner.end();
    const url = new URL(databaseUrl());
    url.username = role;
    url.password = 'pw';
    const stranger = new Stranger(role, url.href);
    strangers.push(stranger);
    return stranger;
  }

  get databaseUrl(): string {
    return this.url;
  }

  async connect(applicationName = 'stranger'): Promise<Client> {
    const client = new Client({ connectionString: this.url, application_name: applicationName });
    client.on('error', () => undefined);
    await client.connect();
    this.clients.push(client);
    return client;
  }

  /**
   * Reads in pg_locks which locks prove that a process lives, and waits for each of them: when its holder is gone, this
   * role has it. Returns the keys.
   */
  async takeLocks(): Promise<readonly number[]> {
    const looking = await this.connect();
    const { rows } = await looking.query<{ key: number; pid: number }>(
      `SELECT objid::bigint::integer AS key FROM pg_locks
        WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      [CLASS],
    );
    for (const { key } of rows) {
      const waiting = await this.connect();
      void waiting
        .query('SELECT pg_advisory_lock($1::integer, $2::integer)', [CLASS, key])
        .catch(() => undefined);
    }
    return rows.map(({ key }) => key);
  }

  async leave(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end().catch(() => undefined)));
    const owner = await connectAdmin();
    await owner.query(`DROP OWNED BY ${this.role}; DROP ROLE ${this.role}`);
    await owner.end();
  }
}

/** Keys of locks of living processes that a role holds. */
export async function locksHeldBy(of: Client, application: string): Promise<readonly number[]> {
  const { rows } = await of.query<{ key: number }>(
    `SELECT k.objid::bigint::integer AS key FROM pg_locks k JOIN pg_stat_activity a USING (pid)
      WHERE k.locktype = 'advisory' AND k.classid = $1::bigint::oid AND k.granted AND a.application_name = $2`,
    [CLASS, application],
  );
  return rows.map(({ key }) => key);
}
