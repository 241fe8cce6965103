import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readTree } from '../../../lib/store/postgres/statements/child-reads.js';
import { explain, rowsLookedAt, type PlanMode } from './explain.js';
import { openStore, type OpenStore } from './open-store.js';

const CHILDREN = 30_000;
const LIMIT = 501;
/** Of many parents with some children each, so that a plan for any parent expects few. */
const OTHERS = 300;
const TOP = '00000000-0000-7000-8000-000000000001';
const BELOW = '00000000-0000-7000-8000-000000000002';

let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
  const { execution } = open.tables;
  // The ids of the children are in no order of their rows. The first child has as many of its own.
  await open.admin.query(
    `INSERT INTO ${execution} (id, workflow, definition_id, status, input, remaining_leaves, parent_execution_id, depth)
     SELECT $1::uuid, 'a', 1, 'Running', '{}'::jsonb, 0, NULL::uuid, 0
     UNION ALL SELECT $2::uuid, 'a', 1, 'Running', '{}'::jsonb, 0, $1::uuid, 1
     UNION ALL SELECT gen_random_uuid(), 'a', 1, CASE WHEN n < 10 THEN 'Paused' ELSE 'Completed' END, '{}'::jsonb, 0, $1::uuid, 1
       FROM generate_series(1, ${CHILDREN}) n
     UNION ALL SELECT gen_random_uuid(), 'a', 1, 'Running', '{}'::jsonb, 0, $2::uuid, 2 FROM generate_series(1, ${CHILDREN}) n
     UNION ALL SELECT gen_random_uuid(), 'a', 1, 'Running', '{}'::jsonb, 0, md5((n % ${OTHERS})::text)::uuid, 1
       FROM generate_series(1, ${CHILDREN}) n`,
    [TOP, BELOW],
  );
});
afterAll(() => open.close());

/** The rows of a tree, and how many the plan looked at. */
async function looksAt(mode: PlanMode, top: string): Promise<number> {
  const client = await open.pools.general.connect();
  try {
    const how = { mode, analyze: true } as const;
    return rowsLookedAt(await explain(client, open.tables, readTree, [top, LIMIT], how));
  } finally {
    client.release();
  }
}

describe.each(['without statistics', 'with statistics'])('on a table %s', (which) => {
  beforeAll(async () => {
    if (which === 'with statistics') await open.admin.query(`ANALYZE ${open.tables.execution}`);
  });

  test.each<PlanMode>(['generic', 'custom'])(
    'a tree with more children than are asked for reads a page of them, by a %s plan',
    async (mode) => {
      for (const top of [TOP, BELOW]) expect(await looksAt(mode, top)).toBeLessThan(8 * LIMIT);
    },
  );
});

test('the first children are read, by their ids', async () => {
  const { rows } = await open.admin.query<{ id: string }>(
    `SELECT id FROM ${open.tables.execution} WHERE parent_execution_id = $1 ORDER BY id LIMIT ${LIMIT - 1}`,
    [BELOW],
  );
  const tree = await open.store.children.tree(BELOW, LIMIT);
  expect(tree.map(({ id }) => id)).toEqual([BELOW, ...rows.map(({ id }) => id)]);
});

test('those in some statuses are found behind any number of others', async () => {
  const tree = await open.store.children.tree(TOP, LIMIT, ['Paused']);
  expect(tree.map(({ status }) => status)).toEqual(Array(9).fill('Paused'));
});
