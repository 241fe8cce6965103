import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { withMigrators } from '../../../lib/tenants/migrations/with-migrators.js';
import {
  beginArriving,
  beginCopying,
  beginStopping,
  fenceSource,
  holdMoveLock,
  makeLive,
  markMoved,
} from '../../../lib/tenants/moving/move-state.js';
import { inMoveTransaction, type Move } from '../../../lib/tenants/moving/move-transaction.js';
import { waitFor } from '../../support/wait-for.js';

/** A server of a move: its name in the option `servers`, and its URL. */
export interface End {
  readonly server: string;
  readonly url: string;
}

/** Tables whose rows belong to a server. */
const NOT_COPIED = [
  'cloacina_tenant',
  'cloacina_process',
  'cloacina_runner_lease',
  'cloacina_migrations',
];

/** The migration of the application. */
export class CreateNote1767225600000 implements MigrationInterface {
  readonly name = 'CreateNote1767225600000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE note (id integer PRIMARY KEY, text text NOT NULL)');
  }
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE note');
  }
}

/** Moves a tenant step by step with the functions of the library, and copies few rows by hand. */
export class PlainMove {
  readonly moveId = randomUUID();

  private constructor(
    readonly schema: string,
    readonly from: End,
    readonly to: End,
    readonly source: pg.Client,
    readonly target: pg.Client,
  ) {}

  static async open(schema: string, from: End, to: End): Promise<PlainMove> {
    const [source, target] = await Promise.all([connect(from.url), connect(to.url)]);
    return new PlainMove(schema, from, to, source, target);
  }

  get onSource(): Move {
    return { schema: this.schema, moveId: this.moveId, peer: this.to.server };
  }

  get onTarget(): Move {
    return { schema: this.schema, moveId: this.moveId, peer: this.from.server };
  }

  /** Ends both connections, and with them the mover's lock: what the death of the mover leaves. */
  async close(): Promise<void> {
    await Promise.all([this.source.end(), this.target.end()]);
  }

  /** Takes the lock, makes the empty copy, and begins. */
  async begin(): Promise<void> {
    expectTrue(await holdMoveLock(this.source, this.schema), 'the lock');
    const { moveId, schema } = this;
    // As the mover's migrations, which name the move, so the copy is never live.
    const options = `-c cloacina.move=${moveId} -c cloacina.peer=${this.from.server}`;
    const target = { databaseUrl: this.to.url, connection: { extra: { options } } };
    await withMigrators(target, [schema], async ([migrator]) => migrator?.run());
    await this.target
      .query(`CREATE TABLE ${this.schema}.note (id integer PRIMARY KEY, text text NOT NULL);
      CREATE TABLE ${this.schema}.migrations (id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL)`);
    expectTrue(await beginArriving(this.target, this.onTarget), 'arriving');
    expectTrue(await beginCopying(this.source, this.onSource), 'copying');
  }

  async stop(deadlineMs = 60_000): Promise<void> {
    expectTrue(await beginStopping(this.source, this.onSource, deadlineMs), 'stopping');
  }

  async untilIdle(): Promise<void> {
    await waitFor(
      async () => {
        const { rowCount } = await this.source.query(
          `SELECT FROM ${this.schema}.cloacina_task_execution WHERE status = 'Running'`,
        );
        return rowCount === 0;
      },
      { what: 'an idle source' },
    );
  }

  async fence(timeoutMs = 20_000): Promise<void> {
    expectTrue(await fenceSource(this.source, this.onSource, timeoutMs), 'the fence');
  }

  /** All rows of all tables, and the sequences. */
  async copy(): Promise<void> {
    const { schema, source, target } = this;
    const { rows: tables } = await source.query<{ name: string; columns: string; json: string }>(
      `SELECT c.relname AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname <> ALL ($2) GROUP BY c.relname ORDER BY 1`,
      [schema, NOT_COPIED],
    );
    await inMoveTransaction(target, this.moveId, async () => {
      // Without the foreign keys. The fence fires in this role too, and knows this session.
      await target.query('SET LOCAL session_replication_role TO replica');
      for (const { name, columns } of tables) {
        const table = `${schema}."${name}"`;
        const { rows } = await source.query<{ all: string | null }>(
          `SELECT json_agg(t)::text AS all FROM ${table} t`,
        );
        await target.query(`DELETE FROM ${table}`);
        await target.query(
          `INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE
           SELECT ${columns} FROM json_populate_recordset(NULL::${table}, $1::json)`,
          [rows[0]?.all ?? '[]'],
        );
      }
      const { rows: sequences } = await source.query<{ name: string; last: string | null }>(
        `SELECT quote_ident(sequencename) AS name, last_value::text AS last FROM pg_sequences WHERE schemaname = $1`,
        [schema],
      );
      for (const { name, last } of sequences) {
        if (last !== null) await target.query(`SELECT setval($1, $2)`, [`${schema}.${name}`, last]);
      }
    });
  }

  async leave(): Promise<void> {
    expectTrue(await markMoved(this.source, this.onSource), 'moved');
  }

  async arrive(): Promise<void> {
    expectTrue(await makeLive(this.target, this.onTarget), 'live');
  }

  /** All steps. */
  async run(): Promise<void> {
    await this.begin();
    await this.stop();
    await this.untilIdle();
    await this.fence();
    await this.copy();
    await this.leave();
    await this.arrive();
  }
}

/** Moves a tenant at once. */
export async function move(schema: string, from: End, to: End): Promise<void> {
  const all = await PlainMove.open(schema, from, to);
  try {
    await all.run();
  } finally {
    await all.close();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'mover' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function expectTrue(done: boolean, what: string): void {
  if (!done) throw new Error(`The move did not come to ${what}.`);
}
