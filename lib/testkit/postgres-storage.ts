import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { ResolvedTenantOptions } from '../options/index.js';
import { connectionConfig } from '../store/postgres/connections/connection-config.js';
import type { SqlClock } from '../store/postgres/statements/sql-clock.js';
import { quoteIdentifier } from '../tenants/quote-identifier.js';
import { systemClock } from '../runtime/clock.js';
import { includeThisInstant } from './include-this-instant.js';
import type { ProcessLife } from './process-life.js';
import type { AddedWorkflows, ProcessStorage, TestStorage } from './test-storage.js';
import { waitForLocks } from './wait-for-locks.js';
import { watched } from './watched.js';

/** Pause between two looks whether the connections of a killed process are gone, in milliseconds. */
const LOOK_MS = 10;
/** How long they may take to go, in milliseconds. */
const GONE_MS = 10_000;

/** A schema that no other test has. */
export function throwawaySchema(): string {
  return `cloacina_test_${randomBytes(8).toString('hex')}`;
}

/** Schemas on PostgreSQL for one test, and the functions by which the library's statements tell the time there. */
export class PostgresStorage implements TestStorage {
  readonly sqlClock: SqlClock;
  private readonly clockSchema = `${throwawaySchema()}_clock`;
  private readonly schemas = new Set([this.clockSchema]);
  private client: Promise<Client> | undefined;
  private sent: Promise<unknown> = Promise.resolve();

  constructor(
    private time: Date,
    private readonly workflows: AddedWorkflows,
  ) {
    const clock = quoteIdentifier(this.clockSchema);
    this.sqlClock = {
      now: `${clock}.now()`,
      statement: `${clock}.statement()`,
      transaction: `${clock}.transaction()`,
    };
  }

  async prepare(options: ResolvedTenantOptions): Promise<void> {
    this.schemas.add(options.schema);
    this.client ??= this.connect(options);
    await this.client;
  }

  of(life: ProcessLife): ProcessStorage {
    const names = new Set<string>();
    return {
      isDatabase: true,
      openSession: async (name, onPayload, usual) => {
        names.add(name);
        const session = await usual((payload, sender) => {
          if (!life.isDead) onPayload(payload, sender);
        });
        return watched(session, life);
      },
      storeOf: (_, usual) => watched(waitForLocks(includeThisInstant(usual())), life),
      builtIns: (ofLibrary) => this.workflows.withThem(ofLibrary),
      cut: () => this.terminate([...names]),
    };
  }

  async setTime(time: Date): Promise<void> {
    this.time = time;
    if (this.client === undefined) return;
    await this.query(`UPDATE ${quoteIdentifier(this.clockSchema)}.clock SET at = $1`, [time]);
  }

  async close(): Promise<void> {
    if (this.client === undefined) return;
    const client = await this.client;
    this.client = undefined;
    for (const schema of this.schemas) {
      await client.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`);
    }
    await client.end();
  }

  private async connect(options: ResolvedTenantOptions): Promise<Client> {
    const client = new Client({
      ...connectionConfig(options),
      application_name: 'cloacina-testing',
    });
    // A lost connection fails the next query.
    client.on('error', () => undefined);
    await client.connect();
    const clock = quoteIdentifier(this.clockSchema);
    const functionOf = (name: string, volatility: string): string =>
      `CREATE FUNCTION ${clock}.${name}() RETURNS timestamptz ${volatility} LANGUAGE sql AS 'SELECT at FROM ${clock}.clock'`;
    await client.query(
      [
        `CREATE SCHEMA ${clock}`,
        `CREATE TABLE ${clock}.clock AS SELECT '${this.time.toISOString()}'::timestamptz AS at`,
        functionOf('now', 'VOLATILE'),
        functionOf('statement', 'STABLE'),
        functionOf('transaction', 'STABLE'),
      ].join(';'),
    );
    return client;
  }

  private async terminate(names: readonly string[]): Promise<void> {
    const until = systemClock.now() + GONE_MS;
    const terminated = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = ANY ($1) AND datname = current_database()`;
    while ((await this.query(terminated, [names])) > 0) {
      if (systemClock.now() > until)
        throw new Error('Connections of the crashed process stay open.');
      await systemClock.sleep(LOOK_MS);
    }
  }

  /** One query after the other. Returns the number of rows. */
  private query(text: string, values: unknown[]): Promise<number> {
    const result = this.sent.then(async () => {
      const client = await this.client;
      return (await client?.query(text, values))?.rowCount ?? 0;
    });
    this.sent = result.catch(() => undefined);
    return result;
  }
}
