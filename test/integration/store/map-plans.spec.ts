import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';
import { appendItems, appendValues } from '../../../lib/store/postgres/statements/append-items.js';
import {
  cancelItems,
  cancelItemsValues,
} from '../../../lib/store/postgres/statements/cancel-items.js';
import { claimLimited } from '../../../lib/store/postgres/statements/claim-limited.js';
import { claimTasks, claimValues } from '../../../lib/store/postgres/statements/claim-tasks.js';
import {
  endItemChildren,
  endItemChildrenValues,
} from '../../../lib/store/postgres/statements/end-children.js';
import { LISTS } from '../../../lib/store/postgres/statements/execution-list.js';
import { limitedValues } from '../../../lib/store/postgres/statements/limited-rows.js';
import { readOpenItems } from '../../../lib/store/postgres/statements/explanations.js';
import {
  pruneLimitKeys,
  pruneValues,
} from '../../../lib/store/postgres/statements/prune-limit-keys.js';
import {
  readItems,
  readMap,
  readResults,
} from '../../../lib/store/postgres/statements/read-items.js';
import {
  resetItems,
  resetItemsValues,
} from '../../../lib/store/postgres/statements/reset-items.js';
import { taskKeyValues, type Statement } from '../../../lib/store/postgres/statements/statement.js';
import { mapLimitKey } from '../../../lib/workflow/map-limit.js';
import { noLease, parallel } from '../../conformance/workflows.js';
import { sized } from '../../support/sizes.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { nextNo } from './claim-numbers.js';
import { explain, rowsLookedAt } from './explain.js';
import { openStore, type OpenStore } from './open-store.js';
import { variant, type Session } from './session.js';

/** Items of one map. No statement may look at each of them for each row of its batch. */
const ITEMS = sized(100_000, 20_000);
const BATCH = 300;
const CHILDREN = 500;
const KEYS = 400;

let open: OpenStore;
let session: Session;
// A database of its own, in which nothing analyses the tables.
let database: ScratchDatabase;
/** A map with open items, the half of them claimable; and one whose claim is held, to store more of them. */
let id: string;
let storing: string;
let limitKey: string;

beforeAll(async () => {
  database = await createScratchDatabase();
  open = await openStore(database.url);
  const { task, execution, step, limitSlot } = open.tables;
  for (const table of [task, execution, step, limitSlot]) {
    await open.admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
  }
  session = await open.connect();
  const single = parallel(1);
  id = await session.startOne(single);
  await addItems(id, 'Waiting', ITEMS, null);
  storing = await session.startOne(single);
  await addItems(storing, 'Running', -ITEMS, null);
  const limited = await session.startOne(single);
  limitKey = mapLimitKey({ definitionId: '1', executionId: limited, taskNo: 0 });
  await addItems(limited, 'Waiting', ITEMS, limitKey);
  await addChildren();
  await open.admin.query(
    `INSERT INTO ${limitSlot} (limit_key) SELECT $1::text UNION ALL
     SELECT 'of a map' || chr(31) || n FROM generate_series(1, ${KEYS}) n`,
    [limitKey],
  );
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

/** Of each three items one is Completed, one Failed, and one Ready. */
async function addItems(
  executionId: string,
  status: string,
  count: number,
  key: string | null,
): Promise<void> {
  await open.admin.query(
    `WITH head AS (
       UPDATE ${open.tables.task} SET status = $2, owner = CASE WHEN $2 = 'Running' THEN owner END,
              pending_dependencies = abs($3::integer), unmet_dependencies = 1, item_count = $3
       WHERE execution_id = $1 RETURNING *
     )
     INSERT INTO ${open.tables.task} (execution_id, task_no, item_no, definition_id, status, run_at, item, limit_key)
     SELECT execution_id, 0, n, 1, (ARRAY['Ready', 'Completed', 'Failed'])[1 + n % 3],
            CASE WHEN n % 3 = 0 THEN now() END, to_json(n), $4
     FROM head, generate_series(1, abs($3::integer)) n`,
    [executionId, status, count, key],
  );
}

/** Children of items of which every second is Cancelled. */
async function addChildren(): Promise<void> {
  await open.admin.query(
    `UPDATE ${open.tables.task} SET status = 'Cancelled', run_at = NULL
     WHERE execution_id = $1 AND item_no BETWEEN 1 AND ${2 * CHILDREN} AND item_no % 2 = 0`,
    [storing],
  );
  const children = await session.startMany(parallel(1), 2 * CHILDREN);
  await open.admin.query(
    `UPDATE ${open.tables.execution} x
     SET parent_execution_id = $1, parent_task_no = 0, parent_item_no = c.n, on_parent_end = 'cancel'
     FROM unnest($2::uuid[]) WITH ORDINALITY AS c(id, n) WHERE x.id = c.id`,
    [storing, children],
  );
}

const keys = (): unknown[] =>
  taskKeyValues(
    Array.from({ length: BATCH }, (_, n) => ({ executionId: id, taskNo: 0, itemNo: 3 * n + 1 })),
  );
const held = { taskNo: 0, itemNo: 0, token: FIRST_TOKEN };

interface Planned {
  readonly statement: Statement;
  readonly values: () => unknown[];
  /** The most rows that it may look at. */
  readonly rows: number;
  /** Whether it runs with the settings of the other pool. */
  readonly cold?: boolean;
}

const PLANNED: readonly Planned[] = [
  { statement: readItems, values: keys, rows: BATCH * 10 },
  {
    statement: appendItems,
    values: () =>
      appendValues({
        ...held,
        executionId: storing,
        stored: ITEMS,
        items: Array.from({ length: BATCH }, (_, n) => String(n)),
        isLast: true,
        limitKeys: null,
      }),
    rows: BATCH * 10,
  },
  {
    statement: cancelItems,
    values: () =>
      cancelItemsValues({ executionId: id, taskNo: 0, token: null, generation: 0, below: ITEMS }),
    // A page of 5,000 open items, among the others.
    rows: 5_000 * 3 * 12,
  },
  { statement: readMap, values: () => [id, 0], rows: ITEMS * 5 },
  {
    statement: readResults,
    values: () => [id, 0, ITEMS / 2, null, 1_000],
    rows: 1_000 * 10,
    cold: true,
  },
  // The first and the last thousand.
  { statement: readOpenItems, values: () => [id, '{0}', 1_000], rows: 2_000 * 7, cold: true },
  {
    statement: resetItems,
    values: () =>
      resetItemsValues([
        {
          id,
          leaves: 1,
          tasks: [
            {
              taskNo: 0,
              pendingDependencies: 0,
              unmetDependencies: 0,
              keepsSteps: true,
              items: 'unfinished',
            },
          ],
        },
      ])!,
    rows: ITEMS * 20,
    cold: true,
  },
  {
    statement: claimTasks,
    values: () => claimValues(['1'], [], BATCH, session.claimant, false, nextNo()),
    rows: BATCH * 30,
  },
  {
    statement: claimLimited,
    values: () =>
      limitedValues(
        [{ limitKey, numbers: { concurrency: 20 } }],
        100,
        { definitions: ['1'], unknown: [] },
        noLease(session.claimant),
        nextNo(),
      ),
    rows: 20 * 40,
  },
  {
    statement: LISTS.any,
    values: () => ['test', null, null, null, null, null, 2 * CHILDREN + 10],
    rows: (2 * CHILDREN + 10) * 30,
    cold: true,
  },
  {
    statement: endItemChildren,
    values: () => endItemChildrenValues({ ...held, executionId: storing }, 'gone', null),
    rows: 2 * CHILDREN * 30,
  },
  { statement: pruneLimitKeys, values: () => pruneValues(new Map(), 0, null), rows: KEYS * 15 },
];

async function work(
  { statement, values, cold = false }: Planned,
  mode: 'generic' | 'custom',
): Promise<number> {
  const client: pg.ClientBase = cold ? await open.pools.general.connect() : session.client;
  try {
    const how = { mode, analyze: true } as const;
    const nodes = await explain(client, open.tables, statement, values(), how);
    return rowsLookedAt(nodes);
  } finally {
    if (client !== session.client) (client as pg.PoolClient).release();
  }
}

describe(`on tables without statistics, with a map of ${ITEMS} items`, () => {
  test.each(PLANNED)('$statement.name looks at the rows of its batch', async (planned) => {
    for (const mode of ['generic', 'custom'] as const) {
      const rows = await work(planned, mode);
      // The mode is part of the message.
      if (rows > planned.rows) throw new Error(`${mode}: ${rows} rows, more than ${planned.rows}.`);
    }
  });

  test('a key of which a part is not of the batch makes a statement look at all items for each', async () => {
    const prefix = variant(readItems, [
      'AND t.item_no = i.item_no',
      'AND t.item_no + 0 = i.item_no',
    ]);
    const rows = await work({ statement: prefix, values: keys, rows: 0 }, 'generic');
    expect(rows).toBeGreaterThan(BATCH * ITEMS);
  });
});

describe('with the statistics of large maps', () => {
  beforeAll(() => open.admin.query(`ANALYZE ${open.tables.task}`));

  test('the plan of an explanation is too cheap to be compiled', async () => {
    const { rows } = await open.admin.query<{ cost: number }>(
      `SELECT boot_val::float AS cost FROM pg_settings WHERE name = 'jit_above_cost'`,
    );
    const client = await open.pools.general.connect();
    try {
      const plan = await explain(client, open.tables, readOpenItems, [id, '{0}', ITEMS / 2], {
        mode: 'custom',
      });
      expect(plan[0]?.['Total Cost']).toBeLessThan(rows[0]?.cost ?? 0);
    } finally {
      client.release();
    }
  });
});
