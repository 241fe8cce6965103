import { nextBatch } from './claim-numbers.js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { completeTasks } from '../../../lib/store/postgres/statements/complete-tasks.js';
import { completionValues } from '../../../lib/store/postgres/statements/completion-values.js';
import { cancelExecution } from '../../../lib/store/postgres/statements/control-execution.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import { SqlState, sqlState } from '../../../lib/store/postgres/sql-state.js';
import { byLockOrder, type Outcome } from '../../../lib/store/port/index.js';
import { itemOutcomeOf, parallel } from '../../conformance/workflows.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { explain, rowsLookedAt } from './explain.js';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { variant, type Session } from './session.js';

const ITEMS = 20_000;
const BATCH = 300;
const TOKEN = 2 ** 33;

let open: OpenStore;
let session: Session;
// A database of its own, in which nothing analyses the table.
let database: ScratchDatabase;

beforeAll(async () => {
  database = await createScratchDatabase();
  open = await openStore(database.url);
  await open.admin.query(`ALTER TABLE ${open.tables.task} SET (autovacuum_enabled = off)`);
  session = await open.connect();
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

const single = parallel(1);

/** An execution of one task with running items. */
async function withItems(count: number): Promise<string> {
  const id = await session.startOne(single);
  await open.admin.query(
    `WITH head AS (
       UPDATE ${open.tables.task} SET status = 'Waiting', owner = NULL, pending_dependencies = $2
       WHERE execution_id = $1 RETURNING *
     )
     INSERT INTO ${open.tables.task} (execution_id, task_no, item_no, definition_id, status, claim_token, owner)
     SELECT execution_id, 0, n, 1, 'Running', ${TOKEN}, $3 FROM head, generate_series(1, $2::integer) n`,
    [id, count, session.claimant.instanceId],
  );
  return id;
}

function outcomes(executionId: string, count: number): Outcome[] {
  return Array.from({ length: count }, (_, n) =>
    itemOutcomeOf({ executionId, taskNo: 0, itemNo: n + 1, token: TOKEN }),
  ).sort(byLockOrder);
}

describe('a batch of outcomes of one of many items, on a table without statistics', () => {
  const work = async (statement: Statement): Promise<number> => {
    const id = await withItems(ITEMS);
    const values = completionValues(outcomes(id, BATCH), session.claimant, false, nextBatch());
    const how = { mode: 'generic', analyze: true } as const;
    return rowsLookedAt(await explain(session.client, open.tables, statement, values, how));
  };

  test('looks at the items of the batch', async () => {
    expect(await work(completeTasks)).toBeLessThan(BATCH * 30);
  });

  test('looks at all items for each of them, if a part of the key is not of the batch', async () => {
    const prefix = variant(completeTasks, [
      'AND t.task_no = i.task_no AND t.item_no = i.item_no',
      'AND t.task_no = i.task_no AND t.item_no + 0 = i.item_no',
    ]);
    expect(await work(prefix)).toBeGreaterThan(BATCH * ITEMS);
  });
});

describe('an outcome of an item and a cancel', () => {
  const fate = (sent: Promise<unknown>): Promise<unknown> =>
    sent.then(
      () => 'ok',
      (error: unknown) => sqlState(error) ?? error,
    );

  /**
   * The cancel waits for item 1, and has the rows before it in its order; the outcome is of item 2. So with the task's own
   * row before the items, the two wait for each other.
   */
  async function meet(cancel: typeof cancelExecution): Promise<unknown[]> {
    const [first, second] = await open.connectAll(2);
    const id = await withItems(3);
    const outcome = outcomes(id, 3).filter(({ itemNo }) => itemNo === 2);
    await first!.begin();
    await first!.client.query(
      `SELECT FROM ${open.tables.task} WHERE execution_id = $1 AND item_no = 2 FOR NO KEY UPDATE`,
      [id],
    );
    const cancelled = fate(second!.run(cancel, [id, null, null]));
    await untilWaiting(open.admin, [second!]);
    const completed = fate(first!.complete(outcome));
    const results = await Promise.all([
      completed,
      completed.then(() => first!.commit()),
      cancelled,
    ]);
    return [results[0], results[2]];
  }

  test('never deadlock, because both lock items before their task', async () => {
    expect(await meet(cancelExecution)).toEqual(['ok', 'ok']);
  });

  test('deadlock if the cancel locks the task first', async () => {
    const reversed = variant(cancelExecution, ['item_no DESC', 'item_no']);
    expect((await meet(reversed)).toSorted()).toContain(SqlState.deadlock);
  });
});
