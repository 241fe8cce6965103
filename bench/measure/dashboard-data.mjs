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

/**
 * What is large in one execution of the first schema: a map whose items wait for their start time, a parent with many children, and
 * a history of many events. Returns the ids of the first two.
 */
export async function addLarge(client, ids, { items, children, events }) {
  const schema = 'tenant_0';
  const openMap = await addOpenMap(client, ids.map, items);
  const { rows } = await client.query(
    `WITH child AS (
       SELECT id FROM ${schema}.cloacina_workflow_execution WHERE workflow = 'order' AND status = 'Completed' AND id <> $2
       LIMIT $3::integer
     )
     UPDATE ${schema}.cloacina_workflow_execution x
     SET parent_execution_id = $1, root_execution_id = $1, parent_task_no = 0, parent_item_no = 0, depth = 1,
         parent_step = 'order', on_parent_end = 'cancel'
     FROM child c WHERE x.id = c.id RETURNING 1`,
    [ids.running, ids.completed, children],
  );
  if (rows.length !== children) throw new Error(`There are ${rows.length} children.`);
  await client.query(
    `INSERT INTO ${schema}.cloacina_execution_event (execution_id, kind, detail)
     SELECT $1, CASE WHEN n % 2 = 0 THEN 'paused' ELSE 'resumed' END, '{}' FROM generate_series(1, $2::integer) n`,
    [ids.failed, events],
  );
  return { openMap };
}

async function addOpenMap(client, map, items) {
  const schema = 'tenant_0';
  const execution = await columnsOf(client, 'cloacina_workflow_execution', [
    'id',
    'status',
    'outcome',
    'context',
    'completed_at',
    'remaining_leaves',
  ]);
  const { rows } = await client.query(
    `INSERT INTO ${schema}.cloacina_workflow_execution (id, status, remaining_leaves, ${execution.join(', ')})
     SELECT gen_random_uuid(), 'Running', 1, ${execution.join(', ')} FROM ${schema}.cloacina_workflow_execution WHERE id = $1
     RETURNING id`,
    [map],
  );
  const { id } = rows[0];
  const columns = 'execution_id, task_no, item_no, definition_id, status';
  await client.query(
    `INSERT INTO ${schema}.cloacina_task_execution (${columns}, item_count, pending_dependencies)
     SELECT $2, task_no, 0, definition_id, 'Waiting', $3::integer, $3::integer FROM ${schema}.cloacina_task_execution
     WHERE execution_id = $1 AND item_no = 0`,
    [map, id, items],
  );
  await client.query(
    `INSERT INTO ${schema}.cloacina_task_execution (${columns}, run_at, item)
     SELECT execution_id, task_no, n, definition_id, 'Ready', now() + interval '1 day', to_json(n)
     FROM ${schema}.cloacina_task_execution, generate_series(1, $2::integer) n WHERE execution_id = $1 AND item_no = 0`,
    [id, items],
  );
  // Each item has done a step, and was deferred.
  await client.query(
    `INSERT INTO ${schema}.cloacina_task_step (execution_id, task_no, item_no, name, kind, status, completed_at)
     SELECT execution_id, task_no, item_no, 'fetch', 'step', 'Done', now() FROM ${schema}.cloacina_task_execution
     WHERE execution_id = $1 AND item_no > 0`,
    [id],
  );
  await client.query(
    `INSERT INTO ${schema}.cloacina_execution_event (execution_id, task_no, item_no, kind)
     SELECT execution_id, task_no, item_no, 'deferred' FROM ${schema}.cloacina_task_execution
     WHERE execution_id = $1 AND item_no > 0`,
    [id],
  );
  return id;
}

/** Keys of the limit, none of which has a task. */
export function addKeys(client, keys) {
  return client.query(
    `INSERT INTO tenant_0.cloacina_limit_slot (limit_key) SELECT 'bank' || chr(31) || n FROM generate_series(1, $1::integer) n
     ON CONFLICT DO NOTHING`,
    [keys],
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
