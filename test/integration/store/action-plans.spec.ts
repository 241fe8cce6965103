import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LIST_ACTIONS } from '../../../lib/store/postgres/statements/actions.js';
import { explain, rowsLookedAt, type PlanMode } from './explain.js';
import { openStore, type OpenStore } from './open-store.js';

const ROWS = 50_000;
const PAGE = 50;

let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
  // Of a subject and of an actor there are few, and these are old. A subject and an actor with many meet seldom.
  await open.admin.query(
    `INSERT INTO ${open.tables.action} (kind, subject, actor, call_id)
     SELECT 'schedule.run', CASE WHEN n < 10 THEN 'seldom' ELSE 'nightly ' || n % 3 END,
       CASE WHEN n < 10 THEN 'Ann' WHEN n % 3 = 0 AND n > 60 THEN 'user 1' ELSE 'user 2' END, gen_random_uuid()
     FROM generate_series(1, ${ROWS}) n`,
  );
  await open.admin.query(`ANALYZE ${open.tables.action}`);
});
afterAll(() => open.close());

test.each<[string, keyof typeof LIST_ACTIONS, string | null, string | null]>([
  ['all', 'all', null, null],
  ['a subject with few', 'of_subject', 'seldom', null],
  ['a subject with many', 'of_subject', 'nightly 1', null],
  ['an actor with few', 'of_actor', null, 'Ann'],
  ['an actor with many', 'of_actor', null, 'user 1'],
  ['an actor and a subject', 'of_both', 'seldom', 'Ann'],
  ['an actor and a subject with many, and few together', 'of_both', 'nightly 0', 'user 2'],
])('a page of the actions of %s reads a page', async (_, conditions, subject, actor) => {
  for (const mode of ['generic', 'custom'] satisfies PlanMode[]) {
    for (const before of [null, String(ROWS / 2)]) {
      const values = [subject, actor, before, PAGE];
      const nodes = await explain(open.admin, open.tables, LIST_ACTIONS[conditions], values, {
        mode,
        analyze: true,
      });
      expect(rowsLookedAt(nodes)).toBeLessThan(10 * PAGE);
    }
  }
});
