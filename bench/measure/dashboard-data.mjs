/** Number of executions that one statement adds. */
const ADDED_AT_ONCE = 50_000;
const OWN = ['id', 'created_at', 'started_at', 'completed_at', 'idempotency_key'];

/**
 * Adds executions to a schema: copies of one in the first schema with its tasks, spread evenly over the last day. The library
 * would need minutes for as many.
 */
export async function addCopies(client, { schema, of, count, isOpen = false, salt }) {
  const executions = await columnsOf(client, 'cloacina_workflow_execution', OWN);
  const tasks = await columnsOf(client, 'cloacina_task_execution', ['execution_id']);
  const list = (row, columns) => columns.map((name) => `${row}.${name}`).join(', ');
  for (let from = 0; from < count; from += ADDED_AT_ONCE) {
    const to = Math.min(count, from + ADDED_AT_ONCE);
    await client.query(
      `WITH made AS MATERIALIZED (
         SELECT at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
                || '8' || substr(md5($5 || n), 1, 15))::uuid AS id
         FROM (SELECT n, now() - interval '1 day' + n * interval '1 day' / $3::bigint AS at
               FROM generate_series($1::bigint, $2::bigint - 1) n) g
       ), execution AS (
         INSERT INTO ${schema}.cloacina_workflow_execution (id, created_at, started_at, completed_at, ${executions.join(', ')})
         SELECT m.id, m.at, m.at, ${isOpen ? 'NULL' : "m.at + interval '1 second'"}, ${list('x', executions)}
         FROM made m, tenant_0.cloacina_workflow_execution x WHERE x.id = $4 RETURNING 1
       )
       INSERT INTO ${schema}.cloacina_task_execution (execution_id, ${tasks.join(', ')})
       SELECT m.id, ${list('t', tasks)} FROM made m, tenant_0.cloacina_task_execution t WHERE t.execution_id = $4`,
      [from, to, count, of, salt],
    );
  }
}

/** The definitions of the first schema, which series are read by. */
export async function addDefinitions(client, schema) {
  await client.query(
    `INSERT INTO ${schema}.cloacina_workflow_definition SELECT * FROM tenant_0.cloacina_workflow_definition
     ON CONFLICT DO NOTHING`,
  );
}

/** Copies of the one schedule, of the one definition of `order`, and many actions and recoveries, all in the first schema. */
export async function addRest(client, { schedules, definitions, actions, recoveries }) {
  const schema = 'tenant_0';
  const schedule = await columnsOf(client, 'cloacina_schedule', ['name', 'next_at', 'next_for']);
  await client.query(
    `INSERT INTO ${schema}.cloacina_schedule (name, next_at, next_for, ${schedule.join(', ')})
     SELECT 'schedule ' || n, s.next_at, s.next_for, ${schedule.map((name) => `s.${name}`).join(', ')}
     FROM generate_series(1, $1::integer) n, ${schema}.cloacina_schedule s WHERE s.name = 'nightly'`,
    [schedules],
  );
  const definition = await columnsOf(client, 'cloacina_workflow_definition', [
    'id',
    'hash',
    'version',
    'registered_at',
  ]);
  await client.query(
    `INSERT INTO ${schema}.cloacina_workflow_definition (id, hash, version, registered_at, ${definition.join(', ')})
     SELECT n, 'hash ' || n, 'v' || n, d.registered_at - n * interval '1 minute', ${definition.map((name) => `d.${name}`).join(', ')}
     FROM generate_series(1, $1::integer) n, ${schema}.cloacina_workflow_definition d WHERE d.name = 'order'`,
    [definitions],
  );
  await client.query(
    `INSERT INTO ${schema}.cloacina_action (kind, subject, actor, call_id)
     SELECT 'schedule.run', CASE WHEN n < 10 THEN 'seldom' ELSE 'schedule ' || n % 100 END,
       CASE WHEN n < 10 THEN 'zoe' ELSE 'user ' || n % 10 END, gen_random_uuid()
     FROM generate_series(1, $1::integer) n`,
    [actions],
  );
  await client.query(
    `INSERT INTO ${schema}.cloacina_recovery_event (execution_id, task_no, item_no, kind, cause, orphaned_for_ms)
     SELECT gen_random_uuid(), 0, 0, 'recovered', 'lockGone', n % 1000 FROM generate_series(1, $1::integer) n`,
    [recoveries],
  );
}

async function columnsOf(client, table, own) {
  const { rows } = await client.query(
    `SELECT column_name AS name FROM information_schema.columns
     WHERE table_schema = 'tenant_0' AND table_name = $1 AND NOT column_name = ANY ($2) ORDER BY ordinal_position`,
    [table, own],
  );
  return rows.map(({ name }) => name);
}
