import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { countTagged } from '../../../lib/store/postgres/statements/execution-counts.js';
import { LISTS } from '../../../lib/store/postgres/statements/execution-list.js';
import { explain, pagesTouched, rowsLookedAt, type PlanMode } from './explain.js';
import { openStore, type OpenStore } from './open-store.js';
import type { ExecutionListFilter, ListedExecution } from '../../../lib/store/port/index.js';

const ROWS = 50_000;
const PAGE = 50;

let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
  const unsaid = { version: undefined, description: undefined, definition: {} };
  await open.store.definitions.register(
    ['a', 'b', 'c'].map((name, n) => ({ id: String(n + 1), hash: name, name, ...unsaid })),
  );
  // Two to an instant, so that only the id tells them apart; one in 125 has not Completed; of five one has a tag, and of
  // 500 one has a rare one.
  await open.admin.query(
    `INSERT INTO ${open.tables.execution}
       (id, workflow, definition_id, status, input, remaining_leaves, created_at, idempotency_key, tags)
     SELECT gen_random_uuid(), (ARRAY['a', 'b', 'c'])[1 + n % 3], 1,
            CASE WHEN n % 125 > 0 THEN 'Completed' WHEN n % 250 > 0 THEN 'Failed' ELSE 'Running' END,
            '{}', 0, timestamptz '2026-01-01Z' - (n / 2) * interval '1 second', 'key ' || n,
            CASE WHEN n % 500 = 0 THEN '{"region":"eu","customer":"17"}'
                 WHEN n % 5 = 0 THEN '{"region":"eu"}' END::jsonb
     FROM generate_series(0, $1::integer - 1) n`,
    [ROWS],
  );
  await open.admin.query(`ANALYZE ${open.tables.execution}`);
});
afterAll(() => open.close());

/** The ids as a plain query has them. */
async function expectedIds(where: string, limit: number): Promise<string[]> {
  const { rows } = await open.admin.query<{ id: string }>(
    `SELECT id FROM ${open.tables.execution} WHERE ${where}
     ORDER BY created_at DESC, id DESC LIMIT ${limit}`,
  );
  return rows.map(({ id }) => id);
}

async function pages(filter: Partial<ExecutionListFilter>, count: number): Promise<string[]> {
  const ids: string[] = [];
  let last: ListedExecution | undefined;
  for (let n = 0; n < count; n++) {
    const after = last && { createdAtMicros: last.createdAtMicros, id: last.id };
    const page = await open.store.list({ limit: PAGE, ...filter, after });
    ids.push(...page.map(({ id }) => id));
    last = page.at(-1);
    if (last === undefined) break;
  }
  return ids;
}

// Not of the same parity as a page, so that pages begin between two of one instant.
test.each<[string, Partial<ExecutionListFilter>, string]>([
  ['of all', { limit: 7 }, 'true'],
  ['of one workflow', { workflow: 'b' }, `workflow = 'b'`],
  ['of one that is not stored', { workflow: 'z' }, 'false'],
  ['that have not Completed', { statuses: ['Failed', 'Running'] }, `status <> 'Completed'`],
  ['that Failed', { statuses: ['Failed'], workflow: 'c' }, `status = 'Failed' AND workflow = 'c'`],
  [
    'that Completed or Failed',
    { statuses: ['Completed', 'Failed'] },
    `status IN ('Completed', 'Failed')`,
  ],
  [
    'of a time, without its bounds',
    {
      createdAfter: new Date('2025-12-31T23:00:00Z'),
      createdBefore: new Date('2025-12-31T23:01:00Z'),
    },
    `created_at > '2025-12-31T23:00:00Z' AND created_at < '2025-12-31T23:01:00Z'`,
  ],
  ['with a tag', { tags: '{"customer":"17"}' }, `tags @> '{"customer":"17"}'`],
  [
    'with a tag that many have, of one workflow and status',
    { tags: '{"region":"eu"}', workflow: 'a', statuses: ['Failed'] },
    `tags @> '{"region":"eu"}' AND workflow = 'a' AND status = 'Failed'`,
  ],
  ['with a key', { idempotencyKey: 'key 77' }, `idempotency_key = 'key 77'`],
])('pages %s follow each other without a gap', async (_, filter, where) => {
  const limit = 4 * (filter.limit ?? PAGE);
  expect(await pages(filter, 4)).toEqual(await expectedIds(where, limit));
});

describe.each<PlanMode>(['generic', 'custom'])('by a %s plan', (mode) => {
  const DEEP = new Date('2025-12-31T20:00:00Z'); // behind 14,400 seconds with two each
  const cursor = [`ffffffff-ffff-ffff-ffff-ffffffffffff`, DEEP.getTime() * 1000];
  const BEGINNING = [null, null];

  let client: pg.PoolClient;
  beforeAll(async () => {
    client = await open.pools.general.connect();
  });
  afterAll(() => client.release());

  test.each([
    ['the first page', [null, null, null, ...BEGINNING]],
    ['a page behind many others', [null, null, null, ...cursor]],
    ['a page of one workflow, behind many', ['a', null, null, ...cursor]],
    ['a page of a time', [null, new Date(DEEP.getTime() - 60_000), DEEP, ...BEGINNING]],
    ['a later page of a time', [null, null, new Date(DEEP.getTime() + 60_000), ...cursor]],
    [
      'a page whose time is long before its cursor',
      ['b', null, DEEP, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 1_800_000_000_000_000],
    ],
  ])('%s is read from its place in the index', async (_, filter) => {
    for (const [statement, statuses] of [
      [LISTS.any, null],
      [LISTS.unfinished, '{Failed,Running}'],
    ] as const) {
      const values = [...filter, statuses, PAGE];
      const nodes = await explain(client, open.tables, statement, values, { mode, analyze: true });
      // Three workflows or two statuses give a page of rows each, of which another workflow's are left out; then the
      // tasks of those that run are looked up.
      expect(pagesTouched(nodes)).toBeLessThan(15 * PAGE);
      expect(rowsLookedAt(nodes)).toBeLessThan(30 * PAGE);
    }
  });

  test('executions with a rare tag, or a key, are read by their index', async () => {
    const tags = '{"customer":"17"}';
    for (const workflow of [null, 'a']) {
      const page = [workflow, null, null, ...BEGINNING, null, PAGE];
      for (const [statement, values] of [
        [LISTS.tagged, [...page, tags]],
        [LISTS.keyed, [...page, 'key 77', null]],
        [countTagged, [workflow, null, null, null, tags]],
      ] as const) {
        const nodes = await explain(client, open.tables, statement, values, {
          mode,
          analyze: true,
        });
        const rare = ROWS / 500;
        expect(rowsLookedAt(nodes)).toBeLessThan(10 * rare);
        expect(pagesTouched(nodes)).toBeLessThan(10 * rare);
      }
    }
  });
});
