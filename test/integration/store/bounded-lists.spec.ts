import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { ExecutionListFilter, ListedExecution } from '../../../lib/store/port/index.js';
import { BOUNDED_COUNTS, PROBES } from '../../../lib/store/postgres/statements/bounded-walk.js';
import { BOUNDED_LISTS } from '../../../lib/store/postgres/statements/execution-list.js';
import { readVersions } from '../../../lib/store/postgres/statements/workflow-versions.js';
import { explain, rowsLookedAt, type PlanMode } from './explain.js';
import { openStore, type OpenStore } from './open-store.js';

const ROWS = 40_000;
const PAGE = 50;
const LOOK = 2_000;
const PARENT = '00000000-0000-7000-8000-000000000001';

let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
  const unsaid = { version: undefined, description: undefined, definition: {} };
  await open.store.definitions.register(
    ['a', 'b', 'rare'].map((name, n) => ({ id: String(n + 1), hash: name, name, ...unsaid })),
  );
  const { execution, step, task } = open.tables;
  // Two to an instant. The newest half and the oldest half of the executions have different tags, and only the oldest ones are
  // children. Only one in 4,000 is of the rare workflow, and one of these Failed.
  await open.admin.query(
    `INSERT INTO ${execution}
       (id, workflow, definition_id, status, input, remaining_leaves, created_at, tags, parent_execution_id)
     SELECT gen_random_uuid(), CASE WHEN n % 4000 = 0 THEN 'rare' ELSE (ARRAY['a', 'b'])[1 + n % 2] END, 1,
       CASE WHEN n = 36000 OR n % 5 = 1 THEN 'Failed' WHEN n % 5 = 2 THEN 'Running' ELSE 'Completed' END,
       '{}', 0, timestamptz '2026-01-01Z' - (n / 2) * interval '1 second',
       CASE WHEN n % 400 = 7 THEN '{"all":"yes","customer":"17"}'
            WHEN n < ${ROWS / 2} THEN '{"all":"yes","half":"new"}' ELSE '{"all":"yes","half":"old"}' END::jsonb,
       CASE WHEN n >= ${ROWS - 8_000} THEN $2::uuid END
     FROM generate_series(0, $1::integer - 1) n`,
    [ROWS, PARENT],
  );
  await open.admin.query(
    `INSERT INTO ${task} (execution_id, task_no, item_no, definition_id, status)
     SELECT id, 0, 0, 1, 'Waiting' FROM ${execution} WHERE status = 'Running'`,
  );
  await open.admin.query(
    `INSERT INTO ${step} (execution_id, task_no, item_no, name, kind, status, event_name, event_key)
     SELECT id, 0, 0, 'wait', 'signal', 'Open', CASE WHEN tags ? 'half' THEN 'often' ELSE 'seldom' END, id::text
     FROM ${execution} WHERE status = 'Running'`,
  );
  for (const table of [execution, step, task]) await open.admin.query(`ANALYZE ${table}`);
});
afterAll(() => open.close());

/** All pages, to the end of the list. */
async function pages(
  filter: Partial<ExecutionListFilter>,
  limit = PAGE,
): Promise<{ ids: string[]; sizes: number[] }> {
  const ids: string[] = [];
  const sizes: number[] = [];
  let after: Pick<ListedExecution, 'createdAtMicros' | 'id'> | undefined;
  for (;;) {
    const page = await open.store.listWithin({ ...filter, after, limit: limit + 1 }, LOOK);
    const rows = page.rows.slice(0, limit);
    ids.push(...rows.map(({ id }) => id));
    sizes.push(rows.length);
    const last = page.rows.length > limit ? rows.at(-1) : page.end;
    if (last === undefined || last === null) return { ids, sizes };
    after = { createdAtMicros: last.createdAtMicros, id: last.id };
  }
}

async function expectedIds(where: string): Promise<string[]> {
  const { rows } = await open.admin.query<{ id: string }>(
    `SELECT x.id FROM ${open.tables.execution} x WHERE ${where} ORDER BY created_at DESC, id DESC`,
  );
  return rows.map(({ id }) => id);
}

const waitsFor = (name: string): string =>
  `EXISTS (SELECT FROM ${open.tables.step} s WHERE s.execution_id = x.id AND s.event_name = '${name}')`;

test.each<[string, Partial<ExecutionListFilter>, () => string]>([
  [
    'of one workflow and status',
    { workflow: 'rare', statuses: ['Failed'] },
    () => `workflow = 'rare' AND status = 'Failed'`,
  ],
  ['of a workflow that has few', { workflow: 'rare' }, () => `workflow = 'rare'`],
  [
    'of few statuses and a workflow',
    { workflow: 'rare', statuses: ['Completed', 'Failed'] },
    () => `workflow = 'rare' AND status IN ('Completed', 'Failed')`,
  ],
  ['with a tag that few have', { tags: '{"customer":"17"}' }, () => `tags @> '{"customer":"17"}'`],
  [
    'with a tag that only old ones have, and many',
    { tags: '{"half":"old"}', statuses: ['Failed'], workflow: 'b' },
    () => `tags @> '{"half":"old"}' AND status = 'Failed' AND workflow = 'b'`,
  ],
  // Of the rare workflow all are looked at, and of the others only those before the old half.
  [
    'with a tag that only old ones have, of workflows with looks of different lengths',
    { tags: '{"half":"old"}', statuses: ['Completed', 'Cancelled'] },
    () => `tags @> '{"half":"old"}' AND status = 'Completed'`,
  ],
  [
    'with a tag in a time',
    { tags: '{"half":"old"}', createdBefore: new Date('2025-12-31T20:00:00Z'), workflow: 'rare' },
    () => `tags @> '{"half":"old"}' AND created_at < '2025-12-31T20:00:00Z' AND workflow = 'rare'`,
  ],
  ['that wait for a message, few', { waitingFor: 'seldom' }, () => waitsFor('seldom')],
  [
    'that wait for a message, many, of which few match',
    { waitingFor: 'often', tags: '{"half":"old"}', workflow: 'b' },
    () => `${waitsFor('often')} AND tags @> '{"half":"old"}' AND workflow = 'b'`,
  ],
  [
    'that are children of one',
    { parent: PARENT, statuses: ['Failed'] },
    () => `parent_execution_id = '${PARENT}' AND status = 'Failed'`,
  ],
])('bounded pages of executions %s follow each other without a gap', async (_, filter, where) => {
  const { ids } = await pages(filter, 500);
  expect(ids).toEqual(await expectedIds(where()));
});

test('a page ends where the look has ended, also an empty one', async () => {
  const filter = { tags: '{"half":"old"}', workflow: 'b', statuses: ['Completed'] };
  const { sizes } = await pages(filter, 500);
  expect(sizes[0]).toBe(0);
  expect(sizes.length).toBeGreaterThan(5);
  // Of few matches nothing is left to a next page.
  expect((await pages({ tags: '{"customer":"17"}' }, 500)).sizes).toEqual([100]);
});

test('a count stops at its cap, and where its look has ended', async () => {
  const after = { createdAtMicros: String(Date.parse('2027-01-01Z') * 1_000), id: PARENT };
  const count = (filter: Partial<ExecutionListFilter>, cap: number) =>
    open.store.bulk.countWithin({ isTop: false, ...filter }, after, { cap, maxRead: 5 * cap });
  const failed = (await expectedIds(`status = 'Failed'`)).length;
  expect(await count({ statuses: ['Failed'] }, 10_000)).toEqual({ count: failed, isCapped: false });
  expect(await count({ statuses: ['Failed'] }, 100)).toEqual({ count: 100, isCapped: true });
  expect(await count({ statuses: ['Completed'] }, 1_000)).toEqual({ count: 1_000, isCapped: true });
  // The only one is behind the look.
  const rare = { workflow: 'rare', statuses: ['Failed'] };
  expect(await count(rare, 200)).toEqual({ count: 0, isCapped: true });
  expect(await count(rare, 10_000)).toEqual({ count: 1, isCapped: false });
  expect(await count({ tags: '{"customer":"17"}' }, 10_000)).toEqual({
    count: 100,
    isCapped: false,
  });
  expect(await count({ tags: '{"customer":"17"}' }, 10)).toEqual({ count: 10, isCapped: true });
});

describe.each<PlanMode>(['generic', 'custom'])('by a %s plan', (mode) => {
  let client: pg.PoolClient;
  beforeAll(async () => {
    client = await open.pools.general.connect();
  });
  afterAll(() => client.release());

  const values = (
    {
      workflow = null,
      statuses = null,
      tags = null,
      waitingFor = null,
      parent = null,
    }: Record<string, string | null>,
    limit = PAGE,
  ): unknown[] => {
    const page = [workflow, null, null, null, null, statuses, limit, LOOK];
    return [...page, tags, null, waitingFor, parent, null, false, false];
  };

  test.each<[string, Parameters<typeof values>[0]]>([
    ['a workflow and a status that few have', { workflow: 'rare', statuses: '{Failed}' }],
    ['statuses', { workflow: 'rare', statuses: '{Failed,Completed}' }],
    ['a tag that all have', { tags: '{"all":"yes"}' }],
    ['a tag that only old ones have', { tags: '{"half":"old"}' }],
    ['a message', { waitingFor: 'often', statuses: '{Running,Paused}', tags: '{"half":"old"}' }],
    ['a parent', { parent: PARENT }],
  ])('a page by %s looks at a bounded number of executions', async (_, filter) => {
    for (const [list, count] of [
      [BOUNDED_LISTS.any, BOUNDED_COUNTS.any],
      ...(filter['statuses']?.includes('Completed') === false
        ? [[BOUNDED_LISTS.unfinished, BOUNDED_COUNTS.unfinished] as const]
        : []),
    ] as const) {
      const listed = await explain(client, open.tables, list, values(filter), {
        mode,
        analyze: true,
      });
      // The walk, the place of its end, and the nodes through which the rows pass.
      expect(rowsLookedAt(listed)).toBeLessThan(12 * LOOK);
      const counted = await explain(client, open.tables, count, values(filter), {
        mode,
        analyze: true,
      });
      expect(rowsLookedAt(counted)).toBeLessThan(12 * LOOK);
    }
  });

  test('a page that most match ends with the page, and not with the look', async () => {
    for (const filter of [{ tags: '{"all":"yes"}' }, { statuses: '{Completed}' }] as Parameters<
      typeof values
    >[0][]) {
      const nodes = await explain(client, open.tables, BOUNDED_LISTS.any, values(filter), {
        mode,
        analyze: true,
      });
      const scanned = nodes.filter(
        (node) =>
          node['Relation Name'] === open.tables.execution.split('.')[1]?.replaceAll('"', ''),
      );
      expect(scanned.length).toBeGreaterThan(0);
      expect(rowsLookedAt(scanned)).toBeLessThan(20 * PAGE);
    }
  });

  test('the versions of a workflow are read within bounds', async () => {
    const [cap, limit] = [500, 5];
    const nodes = await explain(client, open.tables, readVersions, ['a', cap, limit], {
      mode,
      analyze: true,
    });
    // Four statuses and the newest of the workflow, and for each definition its first and its last starts.
    expect(rowsLookedAt(nodes)).toBeLessThan(12 * (5 * cap + 2 * limit * 100));
  });

  test('a probe stops at its bound', async () => {
    const few = 500;
    for (const [probe, value] of [
      [PROBES.waiting, 'often'],
      [PROBES.children, PARENT],
      [PROBES.tree, PARENT],
    ] as const) {
      const nodes = await explain(client, open.tables, probe, [value, few], {
        mode,
        analyze: true,
      });
      expect(rowsLookedAt(nodes)).toBeLessThan(10 * few);
    }
  });
});
