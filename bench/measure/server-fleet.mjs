import pg from 'pg';
import { cpuOfServer } from './cpu.mjs';
import { RestartableServer } from './restartable-server.mjs';

const SETTINGS = {
  shared_preload_libraries: 'pg_stat_statements',
  // Each tenant has its own tables, so its statements are counted by themselves.
  'pg_stat_statements.max': '50000',
  max_connections: '300',
};

/** Several servers of an application, each of which can be killed and started again. */
export class ServerFleet {
  #servers;
  #databases = 0;

  static async start(names) {
    const fleet = new ServerFleet();
    const started = await Promise.all(names.map(() => RestartableServer.start(SETTINGS)));
    fleet.#servers = new Map(names.map((name, i) => [name, started[i]]));
    for (const server of started)
      await onDatabase(server.url, (client) => client.query('CREATE EXTENSION pg_stat_statements'));
    return fleet;
  }

  /** The server itself, to kill it. */
  get(name) {
    return this.#servers.get(name);
  }

  /** A new database on each of these servers, under one name. */
  async createDatabase(names) {
    const name = `bench_${++this.#databases}`;
    const urls = {};
    for (const server of names) {
      const { url } = this.get(server);
      await onDatabase(url, (client) => client.query(`CREATE DATABASE ${name}`));
      const own = new URL(url);
      own.pathname = `/${name}`;
      urls[server] = own.href;
    }
    return { name, urls };
  }

  async settle() {
    for (const { url } of this.#servers.values())
      await onDatabase(url, (client) => client.query('CHECKPOINT'));
  }

  /** Sums over all servers that only grow. CPU is that of the servers' processes, whatever their databases. */
  async counters({ name }) {
    let [statements, serverCpuMs] = [0, 0];
    for (const { url, directory } of this.#servers.values()) {
      const { rows } = await onDatabase(url, (client) =>
        client.query(
          `SELECT coalesce(sum(calls), 0)::float8 AS calls FROM pg_stat_statements s
             JOIN pg_database d ON d.oid = s.dbid
            WHERE d.datname = $1 AND query NOT LIKE 'SELECT % FROM ONLY % FOR KEY SHARE OF x'`,
          [name],
        ),
      );
      statements += rows[0].calls;
      serverCpuMs += cpuOfServer(directory) ?? 0;
    }
    return { statements, serverCpuMs };
  }

  /** The number of executions that have not ended, in these schemas of a server's database. */
  async unfinished(url, schemas) {
    const counts = schemas.map(
      (schema) =>
        `(SELECT count(*) FROM "${schema}".cloacina_workflow_execution WHERE completed_at IS NULL)`,
    );
    const { rows } = await onDatabase(url, (client) =>
      client.query(`SELECT (${counts.join(' + ')})::integer AS count`),
    );
    return rows[0].count;
  }

  async stop() {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
  }
}

async function onDatabase(url, work) {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
