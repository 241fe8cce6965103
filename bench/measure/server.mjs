import pg from 'pg';
import { startEphemeralServer } from '../../scripts/embedded-postgres.mjs';
import { watchOthers } from '../report/quiet.mjs';
import { cpuOfDescendants, cpuOfServer } from './cpu.mjs';

/** PostgreSQL as it comes, fsync and synchronous commits included, but for the extension that counts statements, and more connections. */
export class BenchServer {
  #server;
  #admin;
  #databases = 0;

  static async start() {
    const server = new BenchServer();
    await server.#start();
    return server;
  }

  async #start() {
    this.#server = await startEphemeralServer({
      settings: { shared_preload_libraries: 'pg_stat_statements', max_connections: '500' },
    });
    this.#admin = new pg.Client(this.#server.url);
    this.#admin.on('error', () => {});
    await this.#admin.connect();
    await this.#admin.query('CREATE EXTENSION pg_stat_statements');
  }

  get url() {
    return this.#server.url;
  }

  /** A database that no scenario has used. */
  async createDatabase() {
    const name = `bench_${++this.#databases}`;
    await this.#admin.query(`CREATE DATABASE ${name}`);
    const url = new URL(this.#server.url);
    url.pathname = `/${name}`;
    const client = new pg.Client(url.href);
    // The server may go first, at a Ctrl-C; a query that it leaves unanswered fails by itself.
    client.on('error', () => {});
    await client.connect();
    return {
      name,
      url: url.href,
      client,
      drop: async () => {
        await client.end();
        await this.#admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      },
    };
  }

  /** So that one's dirty pages are not written out while the next one is measured. */
  async settle() {
    await this.#admin.query('CHECKPOINT');
    await this.#admin.query('SELECT pg_stat_statements_reset()');
  }

  /**
   * Counters that only grow. Statements are those that clients sent: the server counts its own checks of foreign keys
   * like them. Transactions are those that wrote something: reads have no number.
   */
  async counters(database) {
    const { rows } = await this.#admin.query({
      name: 'counters',
      text: `SELECT (SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements
                      WHERE dbid = d.oid AND query NOT LIKE 'SELECT % FROM ONLY % FOR KEY SHARE OF x') AS statements,
                    pg_snapshot_xmax(pg_current_snapshot())::text::float8 AS transactions,
                    (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8 AS "walBytes"
               FROM pg_database d WHERE datname = $1`,
      values: [database],
    });
    return { ...rows[0], serverCpuMs: cpuOfServer(this.#server.directory) };
  }

  /** How often statements like this were sent since the last `settle`, and how many rows they returned. */
  async calls(database, like) {
    const { rows } = await this.#admin.query(
      `SELECT coalesce(sum(calls), 0)::float8 AS calls, coalesce(sum(rows), 0)::float8 AS rows
         FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = $1 AND query LIKE $2`,
      [database, like],
    );
    return rows[0];
  }

  /** Of statements like this since the last `settle`: how many, and the milliseconds of the slowest. */
  async slowest(database, like) {
    const { rows } = await this.#admin.query(
      `SELECT coalesce(sum(calls), 0)::float8 AS calls, coalesce(max(max_exec_time), 0)::float8 AS ms
         FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = $1 AND query LIKE $2`,
      [database, like],
    );
    return rows[0];
  }

  async connections(database) {
    const { rows } = await this.#admin.query(
      // Without that of the benchmark itself.
      'SELECT numbackends - 1 AS connections FROM pg_stat_database WHERE datname = $1',
      [database],
    );
    return rows[0].connections;
  }

  /** Watches what programs other than the server and the benchmark's processes take; see {@link watchOthers}. */
  watchOthers() {
    return watchOthers(cpuOfDescendants);
  }

  async settings() {
    const { rows } = await this.#admin.query(
      `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
              current_setting('synchronous_commit') AS synchronous_commit,
              current_setting('shared_buffers') AS shared_buffers, current_setting('max_connections') AS max_connections`,
    );
    return rows[0];
  }

  async stop() {
    await this.#admin.end();
    await this.#server.stop();
  }
}
