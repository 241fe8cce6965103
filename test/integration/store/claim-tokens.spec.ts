import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { cancelExecution } from '../../../lib/store/postgres/statements/control-execution.js';
import { NEXT_TOKEN } from '../../../lib/store/postgres/statements/statement.js';
import { claimCount, heldToken, isHeld, releasedToken } from '../../support/claim-tokens.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import type { Session } from './session.js';
import {
  failureOf,
  noLease,
  outcomeOf,
  rescheduleOf,
  workflow,
} from '../../conformance/workflows.js';
import { type ClaimedTask, FIRST_TOKEN, type Outcome } from '../../../lib/store/port/index.js';

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

function setToken(taskNo: number, token: number): Promise<unknown> {
  return open.admin.query(
    `UPDATE ${open.tables.task} SET claim_token = $3::bigint WHERE execution_id = $1 AND task_no = $2`,
    [id, taskNo, String(token)],
  );
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

describe.each<[string, number, number]>([
  ['of a task that was never claimed', 0, 1],
  ['of the highest count', LAST_RELEASED - FIRST_TOKEN, COUNTS - 1],
  ['of the count that begins anew', LAST_RELEASED, 0],
])('the token %s', (_, before, count) => {
  test('is told by a claim as the row has it', async () => {
    await setToken(0, before);
    const { token } = await claim(first);
    expect(token).toEqual(heldToken(count));
    expect((await taskOf(open, id, 0)).claim_token).toBe(token);
    expect((await open.store.claimsOf(first.claimant.instanceId))[0]?.token).toBe(token);
    const { accepted } = await first.complete([outcomeOf(chain, id, 0, { claim: false })]);
    expect(accepted).toEqual([true]);
    expect((await taskOf(open, id, 0)).claim_token).toBe(token + 1);
  });

  test('is told by a completion as the row has it', async () => {
    await setToken(1, before);
    await claim(first);
    const { readied } = await first.complete([outcomeOf(chain, id, 0)]);
    expect(readied).toEqual([expect.objectContaining({ taskNo: 1, token: heldToken(count) })]);
    expect((await taskOf(open, id, 1)).claim_token).toBe(readied[0]?.token);
    expect((await first.complete([outcomeOf(chain, id, 1)])).accepted).toEqual([true]);
  });
});

describe('every way out of Running adds 1', () => {
  const record = (outcome: () => Outcome) => () => first.complete([outcome()]);
  const reschedule = (kind: 'retry' | 'defer' | 'giveBack') => () =>
    open.store.reschedule([rescheduleOf(kind, id, 0, { error: { message: 'no' } })]);

  test.each<[string, () => Promise<unknown>]>([
    ['a success', record(() => outcomeOf(chain, id, 0, { claim: false }))],
    ['a failure', record(() => failureOf(chain, id, 0, { claim: false }))],
    [
      'a skip',
      record(() =>
        outcomeOf(chain, id, 0, {
          status: 'Skipped',
          detail: { skipReason: 'rule' },
          claim: false,
        }),
      ),
    ],
    ['a retry', reschedule('retry')],
    ['a deferral', reschedule('defer')],
    ['a claim that is given back', reschedule('giveBack')],
    ['a cancel', () => first.run(cancelExecution, [id, null])],
    [
      "the workflow's timeout",
      async () => {
        await open.admin.query(`UPDATE ${open.tables.execution} SET deadline_at = now()`);
        const overdue = await open.store.pastDeadlines();
        await open.store.timeOut(overdue, () => ({ message: 'too long' }));
      },
    ],
    [
      'a recovery',
      () =>
        open.store.recovery.takeOrphans(
          first.claimant.instanceId,
          { limit: 10, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 },
          noLease(),
        ),
    ],
  ])('%s', async (_, leave) => {
    const { token } = await claim(first);
    await leave();
    const task = await taskOf(open, id, 0);
    expect(task.status).not.toBe('Running');
    expect(task.claim_token).toBe(token + 1);
    expect(task.claim_token).toEqual(releasedToken(1));
  });

  test('but an orphan that was lost too often, which is claimed once more', async () => {
    await claim(first);
    const taken = await open.store.recovery.takeOrphans(
      first.claimant.instanceId,
      { limit: 10, maxRecoveryAttempts: 0, cause: 'lockGone', orphanedForMs: 0 },
      noLease(second.claimant),
    );
    const { claim_token: token, owner } = await taskOf(open, id, 0);
    expect(owner).toBe(second.claimant.instanceId);
    expect(token).toEqual(heldToken(2));
    expect(taken.find(({ taskNo }) => taskNo === 0)).toMatchObject({ token, abandoned: true });
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
      expect(await open.store.reschedule([back])).toEqual([false]);
    }
    expect(await open.store.beginSuspect(id, taskNo, lost)).toBe(false);
    expect(await rowsOf(open, id)).toEqual(before);
    const own = outcomeOf(chain, id, taskNo, { token: held, claim: false });
    expect((await second.complete([own])).accepted).toEqual([true]);
  });
});
