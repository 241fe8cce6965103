import { nextNo } from './claim-numbers.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  childrenReplyOf,
  childrenValues,
  startChildren,
} from '../../../lib/store/postgres/statements/start-children.js';
import { endChildren } from '../../../lib/store/postgres/statements/end-children.js';
import { cancelExecution } from '../../../lib/store/postgres/statements/control-execution.js';
import {
  rescheduledOf,
  rescheduleTasks,
  rescheduleValues,
} from '../../../lib/store/postgres/statements/reschedule-tasks.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import { tellParents } from '../../../lib/store/postgres/statements/tell-parents.js';
import {
  NO_CLAIMS,
  wakeClaimValues,
} from '../../../lib/store/postgres/statements/wake-and-claim.js';
import {
  byLockOrder,
  CHILD_EVENT,
  END_CHILDREN,
  FIRST_TOKEN,
  TELL_PARENTS,
  type ChildStart,
} from '../../../lib/store/port/index.js';
import { TERMINAL_PATHS } from '../../conformance/child-ends.js';
import { keyOf } from '../../conformance/child-family.js';
import {
  noLease,
  outcomeOf,
  parallel,
  rescheduleOf,
  startOf,
} from '../../conformance/workflows.js';
import { sized } from '../../support/sizes.js';
import { explain, rowsLookedAt } from './explain.js';
import { race } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import { variant, type Session } from './session.js';

const STATEMENTS = joinPath(import.meta.dirname, '../../../lib/store/postgres/statements');
const ROUNDS = sized(40, 15);
const single = parallel(1);

let open: OpenStore;
let keeper: Session;
let first: Session;
let second: Session;
beforeAll(async () => {
  open = await openStore();
  [keeper, first, second] = (await open.connectAll(3)) as [Session, Session, Session];
});
afterAll(() => open.close());

function childOf(executionId: string, step: string, waits = true): ChildStart {
  return {
    item: startOf(single),
    parent: { ...keyOf(executionId), token: FIRST_TOKEN, step, waits },
    onParentEnd: 'cancel',
    inheritsTags: true,
    inheritsPriority: true,
  };
}
const start = (session: Session, children: readonly ChildStart[], statement = startChildren) =>
  session
    .run(statement, childrenValues(children, noLease(session.claimant), nextNo()))
    .then((rows) => childrenReplyOf(rows, children.length).children.map(({ fate }) => fate));
const tell = (session: Session, ids: readonly string[], statement: Statement = tellParents) =>
  session.run(statement, [...wakeClaimValues(undefined, 0), `{${ids.join()}}`, false]);
const suspend = (session: Session, id: string) => {
  const item = rescheduleOf('suspend', id, 0, { token: FIRST_TOKEN, delayMs: null });
  return session
    .run(rescheduleTasks, rescheduleValues([item]))
    .then((rows) => rescheduledOf(rows, 1)[0]);
};
const unsettledOf = async (id: string) => (await rowsOf(open, id)).execution?.unsettled;

test('every statement that ends executions is tested with a child and its parent', () => {
  const ending = readdirSync(STATEMENTS).filter((file) => {
    const text = readFileSync(joinPath(STATEMENTS, file), 'utf8');
    // Each UPDATE of executions, up to the next statement of the file.
    return text
      .split('UPDATE ')
      .filter((part) => part.startsWith('${tables.execution}'))
      .some((part) => /completed_at = (?!NULL)/.test(part.split('RETURNING')[0]!));
  });
  expect(ending.toSorted()).toEqual(
    [...new Set(TERMINAL_PATHS.map(([, { statement }]) => statement))].toSorted(),
  );
});

describe('the start of a child while its parent is cancelled', () => {
  /** Both want the row of the parent's task. */
  async function meet(statement: typeof startChildren) {
    const id = await keeper.startOne(single);
    const child = childOf(id, 'late');
    const [, [fate]] = (await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [
        [first, () => first.run(cancelExecution, [id, null, null])],
        [second, () => start(second, [child], statement)],
      ],
    )) as [unknown, string[]];
    return { fate, exists: (await open.store.statuses([child.item.id])).size === 1 };
  }

  test('starts nothing: its end sees all children that there will be', async () => {
    expect(await meet(startChildren)).toEqual({ fate: 'refused', exists: false });
  });

  test('without the fence, it starts an orphan', async () => {
    const unfenced = variant(startChildren, [
      'AND t.item_no = i.item_no\n        AND t.claim_token = i.claim_token\n',
      'AND t.item_no = i.item_no\n',
    ]);
    expect(await meet(unfenced)).toEqual({ fate: 'started', exists: true });
  });
});

describe('the end of a child while its parent goes to sleep', () => {
  /** Both want the row of the parent's task, and the end comes first. */
  async function meet(statement: Statement) {
    const id = await keeper.startOne(single);
    const child = childOf(id, 'child');
    await start(keeper, [child]);
    await keeper.complete([outcomeOf(single, child.item.id, 0)]);
    await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [
        [first, () => tell(first, [child.item.id], statement)],
        [second, () => suspend(second, id)],
      ],
    );
    return taskOf(open, id, 0);
  }

  test('wakes it', async () => {
    expect(await meet(tellParents)).toMatchObject({ status: 'Waiting', run_at: expect.any(Date) });
  });

  test('without the counter, is lost for ever', async () => {
    const uncounted = variant(tellParents, ['wakes = t.wakes + w.n', 'wakes = t.wakes']);
    expect(await meet(uncounted)).toMatchObject({ status: 'Waiting', run_at: null });
  });
});

describe('the end of a child that is retried while its parent is told', () => {
  async function meet(statement: Statement): Promise<number | undefined> {
    const id = await keeper.startOne(single);
    const child = childOf(id, 'child');
    const childId = child.item.id;
    await start(keeper, [child]);
    await open.store.cancel(childId, null);
    const reset = { taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true };
    await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [[first, () => tell(first, [childId], statement)]],
      () => open.store.reset(childId, () => Promise.resolve({ tasks: [reset], leaves: 1 })),
    );
    return unsettledOf(childId);
  }

  test('stays to be told: its next end is another one', async () => {
    expect(await meet(tellParents)).toBe(TELL_PARENTS);
  });

  test('without the look at the row as it is, is forgotten', async () => {
    const blind = variant(tellParents, [
      'AND x.completed_at IS NOT NULL AND x.generation = e.generation',
      'AND true',
    ]);
    expect(await meet(blind)).toBe(0);
  });
});

test('of children that end at once, exactly one wakes a parent that waits for all', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const id = await keeper.startOne(single);
    const children = Array.from({ length: 6 }, (_, n) => childOf(id, `child#${n}`));
    await start(keeper, children);
    const item = rescheduleOf('suspend', id, 0, { token: FIRST_TOKEN, delayMs: null, joins: 6 });
    await keeper.run(rescheduleTasks, rescheduleValues([item]));
    const ids = children.map((child) => child.item.id);
    await keeper.complete(ids.map((childId) => outcomeOf(single, childId, 0)));
    const woken = await Promise.all([
      tell(first, ids.slice(0, 3)),
      tell(second, ids.slice(3)),
      tell(keeper, []),
    ]);
    expect(woken.flat().filter((row) => (row as { isDue: boolean }).isDue)).toHaveLength(1);
  }
});

test('starts, ends, tells, cancels and ends of children of the same executions never deadlock', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const ids = await keeper.startMany(single, 6);
    const children = ids.flatMap((id) => [childOf(id, 'a'), childOf(id, 'b', false)]);
    const sorted = children.toSorted((a, b) => byLockOrder(a.parent, b.parent));
    await start(keeper, sorted);
    const childIds = children.map((child) => child.item.id);
    const more = ids
      .map((id) => childOf(id, 'c'))
      .toSorted((a, b) => byLockOrder(a.parent, b.parent));
    await Promise.all([
      start(first, more),
      second
        .complete(childIds.map((id) => outcomeOf(single, id, 0)))
        .then(() => tell(second, childIds.toReversed())),
      (async () => {
        for (const id of ids.toReversed()) {
          await open.store.cancel(id, null);
          await open.store.children.endChildren(id, 'gone', null);
        }
      })(),
    ]);
    for (const id of ids) {
      while ((await open.store.children.endChildren(id, 'gone', null)).skipped > 0);
    }
    await open.store.children.childrenEnded(ids.toSorted());
    await tell(first, [...childIds, ...more.map((child) => child.item.id)]);
    const { rows } = await open.admin.query(
      `SELECT status, unsettled FROM ${open.tables.execution}
       WHERE (id = ANY ($1) OR parent_execution_id = ANY ($1))
         AND (unsettled <> 0 AND completed_at IS NOT NULL OR completed_at IS NULL)`,
      [ids],
    );
    expect(rows).toEqual([]);
  }
});

test('the end of a child reads its own waits, however many others there are', async () => {
  const parentId = await first.startOne(single);
  await open.admin.query(
    `INSERT INTO ${open.tables.step} (execution_id, task_no, item_no, name, kind, status, child_id, event_name, event_key)
     SELECT $1, 0, 0, 'other ' || n, 'child', 'Open', c.id, '${CHILD_EVENT}', c.id::text
     FROM generate_series(1, 2000) n, LATERAL (SELECT gen_random_uuid() AS id WHERE n > 0) c`,
    [parentId],
  );
  const children = Array.from({ length: 20 }, (_, i) => childOf(parentId, `child ${i}`));
  await start(first, children);
  const ids = children.map(({ item }) => item.id);
  await open.admin.query(
    `UPDATE ${open.tables.execution} SET completed_at = now(), status = 'Cancelled' WHERE id = ANY ($1::uuid[])`,
    [ids],
  );
  const nodes = await explain(
    first.client,
    open.tables,
    tellParents,
    [...NO_CLAIMS, `{${ids.join()}}`, false],
    {
      mode: 'generic',
      analyze: true,
    },
  );
  expect(rowsLookedAt(nodes)).toBeLessThan(1_000);
});

describe('a page of the children of an ended parent', () => {
  const CHILDREN = 4_000;

  test.each(['generic', 'custom'] as const)(
    'reads no children of other pages (%s plan)',
    async (mode) => {
      const parentId = await first.startOne(single);
      await open.store.cancel(parentId, null);
      await open.admin.query(
        `WITH e AS (SELECT gen_random_uuid() AS id FROM generate_series(1, ${CHILDREN})), x AS (
           INSERT INTO ${open.tables.execution}
             (id, workflow, definition_id, status, input, remaining_leaves, parent_execution_id, on_parent_end)
           SELECT id, 'test', 1, 'Pending', '{}', 1, $1, 'cancel' FROM e
         )
         INSERT INTO ${open.tables.task} (execution_id, task_no, definition_id, status, run_at)
         SELECT id, 0, 1, 'Ready', '2100-01-01' FROM e`,
        [parentId],
      );
      await open.admin.query(
        `UPDATE ${open.tables.execution} SET unsettled = unsettled | ${END_CHILDREN} WHERE id = $1`,
        [parentId],
      );
      const work = async (after: string | null): Promise<number> =>
        rowsLookedAt(
          await explain(keeper.client, open.tables, endChildren, [parentId, 'gone', after], {
            mode,
            analyze: true,
          }),
        );
      const [whole, middle, end] = [
        await work(null),
        await work('80000000-0000-4000-8000-000000000000'),
        await work('ffffffff-ffff-4fff-bfff-ffffffffffff'),
      ];
      // Some forty rows for each of 200 children.
      expect(whole).toBeGreaterThan(200);
      expect(Math.max(whole, middle)).toBeLessThan(200 * 50);
      expect(end).toBeLessThan(50);
    },
  );
});
