import { ContenderProcess } from './process.mjs';

/** Number of executions that one statement adds to the history. */
const ADDED_AT_ONCE = 50_000;
const TABLES = [
  'cloacina_workflow_execution',
  'cloacina_task_execution',
  'cloacina_execution_event',
];

/** A process of this library in a database of its own. `restart` replaces it by one with another configuration. */
export async function openRetained({ server, shape, configuration, schemas }) {
  const database = await server.createDatabase();
  const start = (one) =>
    ContenderProcess.start({
      url: database.url,
      name: 'nestjs-cloacina',
      configuration: one,
      shape,
      schemas,
    });
  let worker = await start(configuration);
  return {
    database,
    start: async (count) => {
      const began = performance.now();
      await worker.call('start', count);
      return (count / (performance.now() - began)) * 1_000;
    },
    restart: async (one) => {
      await worker.stop();
      worker = await start(one);
    },
    close: async () => {
      await worker.stop();
      await database.drop();
    },
  };
}

/**
 * Multiplies an execution that has ended: `count` executions of the same rows that ended two hours ago, with ids of that
 * time. The library would need minutes for as many.
 */
export async function addHistory(client, count) {
  const { rows } = await client.query(
    `SELECT id FROM bench.cloacina_workflow_execution WHERE status = 'Completed' LIMIT 1`,
  );
  const [{ id }] = rows;
  const columnsOf = async (table, own) => {
    const found = await client.query(
      `SELECT column_name AS name FROM information_schema.columns
       WHERE table_schema = 'bench' AND table_name = $1 AND NOT column_name = ANY ($2) ORDER BY ordinal_position`,
      [table, own],
    );
    return found.rows.map(({ name }) => name);
  };
  const executions = await columnsOf('cloacina_workflow_execution', [
    'id',
    'created_at',
    'started_at',
    'completed_at',
  ]);
  const tasks = await columnsOf('cloacina_task_execution', ['execution_id']);
  const of = (row, columns) => columns.map((name) => `${row}.${name}`).join(', ');
  for (let from = 0; from < count; from += ADDED_AT_ONCE) {
    const to = Math.min(count, from + ADDED_AT_ONCE);
    await client.query(
      `WITH made AS MATERIALIZED (
         SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
                || '8' || substr(md5(n::text), 1, 15))::uuid AS id
         FROM (SELECT n, now() - interval '3 hours' + n * interval '1 hour' / $3::bigint AS at
               FROM generate_series($1::bigint, $2::bigint - 1) n) g
       ), execution AS (
         INSERT INTO bench.cloacina_workflow_execution (id, created_at, started_at, completed_at, ${executions.join(', ')})
         SELECT m.id, m.at, m.at, m.at, ${of('x', executions)}
         FROM made m, bench.cloacina_workflow_execution x WHERE x.id = $4 RETURNING 1
       )
       INSERT INTO bench.cloacina_task_execution (execution_id, ${tasks.join(', ')})
       SELECT m.id, ${of('t', tasks)} FROM made m, bench.cloacina_task_execution t WHERE t.execution_id = $4`,
      [from, to, count, id],
    );
  }
  await client.query('VACUUM ANALYZE');
}

/** The number of executions of the history that are left. */
export async function historyLeft(client) {
  const { rows } = await client.query(
    `SELECT count(*)::float8 AS left FROM bench.cloacina_workflow_execution WHERE created_at < now() - interval '1 hour'`,
  );
  return rows[0].left;
}

/** Bytes of the tables and of their indexes, and the number of executions. */
export async function sizesOf(client) {
  const { rows } = await client.query(
    `SELECT sum(pg_table_size(c.oid))::float8 AS tables, sum(pg_indexes_size(c.oid))::float8 AS indexes,
            (SELECT count(*)::float8 FROM bench.cloacina_workflow_execution) AS executions
       FROM pg_class c WHERE c.relnamespace = 'bench'::regnamespace AND c.relname = ANY ($1)`,
    [TABLES],
  );
  return rows[0];
}
