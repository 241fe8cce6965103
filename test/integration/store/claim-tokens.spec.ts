import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { NEXT_TOKEN } from '../../../lib/store/postgres/statements/statement.js';
import { claimCount, isHeld } from '../../support/claim-tokens.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import type { Session } from './session.js';
import { noLease, outcomeOf, rescheduleOf, workflow } from '../../conformance/workflows.js';
import { type ClaimedTask, FIRST_TOKEN } from '../../../lib/store/port/index.js';

const COUNTS = 2 ** 20;
/** What a claim leaves that was the last to be counted before the count begins anew. */
const LAST_RELEASED = (COUNTS - 1) * FIRST_TOKEN + 2 * (2 ** 32 - 1) + 1;

// 1 depends on 0; 2 is alone, so that the execution has not ended with these two.
const chain = workflow([[], [0], []]);

let open: OpenStore;
let first: Session;
let second: Session;
let id: string;

beforeAll(async () => {
  open = await openStore();
  first = await open.connect();
  second = await open.connect();
});
afterAll(() => open.close());
beforeEach(async () => {
  await open.admin.query(`DELETE FROM ${open.tables.task}`);
  await open.admin.query(`DELETE FROM ${open.tables.execution}`);
  id = await first.startOne(chain, { claims: 0 });
});

async function claim(session: Session, taskNo = 0): Promise<ClaimedTask> {
  const claims = await session.claim(['1'], 10);
  const found = claims.find((claimed) => claimed.taskNo === taskNo);
  if (found === undefined) throw new Error(`Task ${taskNo} was not claimed.`);
  return found;
}

/** The tokens of so many claims of one task, each one given back before the next. */
async function tokens(count: number, before: number): Promise<number[]> {
  const { rows } = await open.admin.query<{ tokens: string[] }>(
    `WITH RECURSIVE t(n, held, claim_token) AS (
       SELECT 0, NULL::bigint, $2::bigint
       UNION ALL
       SELECT n + 1, token, token + 1 FROM t CROSS JOIN LATERAL (SELECT ${NEXT_TOKEN} AS token) next WHERE n < $1::integer
     ) SELECT array_agg(held::text ORDER BY n) AS tokens FROM t WHERE n > 0`,
    [count, String(before)],
  );
  return (rows[0]?.tokens ?? []).map((text) => {
    expect(String(Number(text))).toBe(text);
    return Number(text);
  });
}

describe('the tokens of a thousand claims of one task', () => {
  test('are even, distinct, exact as numbers, and count the claims', async () => {
    const all = await tokens(1_000, 0);
    expect(all.map(claimCount)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
    expect(all.every(isHeld)).toBe(true);
    expect(all.every(Number.isSafeInteger)).toBe(true);
    expect(new Set(all).size).toBe(1_000);
    // What is not counted is as good as never twice the same.
    expect(new Set(all.map((token) => token % FIRST_TOKEN)).size).toBeGreaterThan(990);
  });

  test('begin anew after a million, and never need more than 53 bits', async () => {
    const all = await tokens(1_000, LAST_RELEASED - 500 * FIRST_TOKEN);
    expect(all.map(claimCount)).toEqual(
      Array.from({ length: 1_000 }, (_, n) => (COUNTS - 500 + n) % COUNTS),
    );
    expect(all.every(isHeld)).toBe(true);
    expect(all.every((token) => token >= 0 && Number.isSafeInteger(token))).toBe(true);
    expect(new Set(all).size).toBe(1_000);
  });
});

describe('when the database goes back in time, a claim of the lost history', () => {
  /** The rows as they are now; returns what makes them so again. */
  async function remember(): Promise<() => Promise<void>> {
    const tables = [open.tables.task, open.tables.execution, open.tables.event];
    for (const [n, table] of tables.entries()) {
      await open.admin.query(`DROP TABLE IF EXISTS pg_temp.past_${n}`);
      await open.admin.query(`CREATE TEMP TABLE past_${n} AS SELECT * FROM ${table}`);
    }
    return async () => {
      for (const [n, table] of tables.entries()) {
        await open.admin.query(`DELETE FROM ${table}`);
        await open.admin.query(
          `INSERT INTO ${table} OVERRIDING SYSTEM VALUE SELECT * FROM pg_temp.past_${n}`,
        );
      }
    };
  }

  /** Claims of each kind: what makes the first, and the second from the same rows. */
  const kinds: [string, number, (session: Session) => Promise<number>][] = [
    ['made by a claim', 0, async (session) => (await claim(session)).token],
    [
      'made by a completion',
      1,
      async (session) => {
        const { claim_token: token } = await taskOf(open, id, 0);
        const { readied } = await session.complete([outcomeOf(chain, id, 0, { token })]);
        return readied[0]?.token ?? Number.NaN;
      },
    ],
    [
      'made by a recovery that abandons it',
      0,
      async (session) => {
        const taken = await open.store.recovery.takeOrphans(
          first.claimant.instanceId,
          { limit: 10, maxRecoveryAttempts: 0, cause: 'lockGone', orphanedForMs: 0 },
          noLease(session.claimant),
        );
        return taken.find(({ taskNo }) => taskNo === 0)?.token ?? Number.NaN;
      },
    ],
  ];

  test.each(kinds)('%s records nothing for the claim of this one', async (_, taskNo, make) => {
    if (make !== kinds[0]?.[2]) await claim(first);
    const goBack = await remember();
    const lost = await make(first);
    await goBack();
    const held = await make(second);

    expect(claimCount(held)).toBe(claimCount(lost));
    expect(held).not.toBe(lost);
    const before = await rowsOf(open, id);
    for (const token of [lost, lost + 1]) {
      const late = { token, output: '{"late":1}' };
      expect((await first.complete([outcomeOf(chain, id, taskNo, late)])).accepted).toEqual([
        false,
      ]);
      const back = rescheduleOf('retry', id, taskNo, { token, error: { message: 'late' } });
      expect(await open.store.reschedule([back])).toEqual(['refused']);
    }
    expect(await open.store.beginSuspect({ executionId: id, taskNo, itemNo: 0, token: lost })).toBe(
      false,
    );
    expect(await rowsOf(open, id)).toEqual(before);
    const own = outcomeOf(chain, id, taskNo, { token: held, claim: false });
    expect((await second.complete([own])).accepted).toEqual([true]);
  });
});
