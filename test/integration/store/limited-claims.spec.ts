import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { claimLimited } from '../../../lib/store/postgres/statements/claim-limited.js';
import { readDueKeys } from '../../../lib/store/postgres/statements/limit-keys.js';
import { HOLDER_COLUMNS } from '../../../lib/store/postgres/statements/limit-holders.js';
import {
  limitedClaimsOf,
  limitedValues,
} from '../../../lib/store/postgres/statements/limited-rows.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import { limitKeyOf } from '../../../lib/workflow/limit.js';
import { noLease, parallel, startOf } from '../../conformance/workflows.js';
import { nextNo } from './claim-numbers.js';
import { explain, rowsLookedAt } from './explain.js';
import { untilWaiting } from './gate.js';
import { type OpenStore, openStore } from './open-store.js';
import { variant, type Session } from './session.js';

/** The lock at which a claim waits behind its snapshot, before it locks its key. */
const GATE = 4_711;
const NUMBERS = 'burst, turn)\n';
const held = variant(claimLimited, [
  NUMBERS,
  `${NUMBERS} CROSS JOIN (SELECT pg_advisory_xact_lock(${GATE})) w\n`,
]);

/** What others do: count the Running tasks of the key, under the lock of its row. */
const counting: Statement<never> = {
  ...(held as Statement<never>),
  name: 'counting',
  text: (tables) => {
    const text = held.text(tables);
    const lists = HOLDER_COLUMNS.map((column) => `s.${column}`).join(', ');
    const count = `(SELECT count(*)::integer FROM ${tables.task} t
      WHERE t.limit_key = s.limit_key AND t.status = 'Running')`;
    const number = 'cardinality(s.h_execution) - g.count AS held';
    const counted = text.replaceAll(number, `${count} AS held`);
    if (counted === text || !text.includes(lists)) throw new Error('The statement has changed.');
    return counted;
  },
};
/** A holder without a row counts as gone. */
const missingIsFree = variant(held, [
  "WHEN t.now IS NULL THEN h.at > statement_timestamp() - interval '1 minute'",
  'WHEN t.now IS NULL THEN false',
]);

let open: OpenStore;
let keeper: Session;
let late: Session;
let definitionId = 70_000;
let of = parallel(1);
beforeAll(async () => {
  open = await openStore();
  [keeper, late] = (await open.connectAll(2)) as [Session, Session];
});
afterAll(() => open.close());
beforeEach(() => {
  of = parallel(1, { definitionId: String(++definitionId) });
});

const key = () => limitKeyOf(`limit ${definitionId}`, 'k');
const requests = () => [{ limitKey: key(), numbers: { concurrency: 1 } }];
const choice = () => ({ definitions: [of.plan.definitionId], unknown: [] });
const claimEarly = async () => {
  const lease = noLease(keeper.claimant);
  return (await open.store.limits.claim(requests(), 10, choice(), lease)).claims.length;
};
const startOne = () =>
  open.store.start(
    [startOf(of, { claims: 0, limitKeys: JSON.stringify({ 0: key() }) })],
    noLease(keeper.claimant),
    false,
  );

/** The number of tasks that a claim takes if it has its snapshot before `between`, and the lock of the key after it. */
async function claimLate(statement: typeof claimLimited, between: () => Promise<unknown>) {
  await keeper.begin();
  await keeper.client.query('SELECT pg_advisory_xact_lock($1)', [GATE]);
  const values = limitedValues(requests(), 10, choice(), noLease(late.claimant), nextNo());
  const claimed = late.run(statement, values);
  await untilWaiting(open.admin, [late]);
  await between();
  await keeper.commit();
  return limitedClaimsOf(await claimed, requests()).claims.length;
}

describe('a claim with a snapshot from before another claim of the key', () => {
  async function race(statement: typeof claimLimited) {
    await startOne();
    await startOne();
    // The row of the key exists.
    await open.store.limits.setKey(key(), { weight: 1 });
    return claimLate(statement, async () => expect(await claimEarly()).toBe(1));
  }

  test('takes no slot that is taken', async () => {
    expect(await race(held)).toBe(0);
  });

  test('takes one too many if it counts Running tasks under the lock', async () => {
    expect(await race(counting)).toBe(1);
  });
});

describe('a claim with a snapshot from before the task that holds the slot', () => {
  async function race(statement: typeof claimLimited) {
    await open.store.limits.setKey(key(), { weight: 1 });
    await startOne();
    return claimLate(statement, async () => {
      // The task with the higher priority is claimed first, and the snapshot has not got it.
      await open.store.start(
        [startOf(of, { claims: 0, priority: 9, limitKeys: JSON.stringify({ 0: key() }) })],
        noLease(keeper.claimant),
        false,
      );
      expect(await claimEarly()).toBe(1);
    });
  }

  test('takes no slot', async () => {
    expect(await race(held)).toBe(0);
  });

  test('takes one too many if a missing row means that the slot is free', async () => {
    expect(await race(missingIsFree)).toBe(1);
  });
});

test('a claim leaves out a key that another one has locked, and says so', async () => {
  await startOne();
  await open.store.limits.setKey(key(), { weight: 1 });
  await keeper.begin();
  await keeper.client.query(
    `SELECT FROM ${open.tables.limitSlot} WHERE limit_key = $1 FOR NO KEY UPDATE`,
    [key()],
  );
  const lease = noLease(late.claimant);
  const { claims, keys } = await open.store.limits.claim(requests(), 10, choice(), lease);
  await keeper.commit();
  expect({ claims, keys }).toEqual({
    claims: [],
    keys: [
      { limitKey: key(), claimed: 0, fate: 'locked', tokenInMs: null, rate: null, hasTotal: false },
    ],
  });
});

test('holders that hold no more leave the list with the next claims', async () => {
  const numbers = { concurrency: 4 };
  for (let n = 0; n < 10; n++) {
    await startOne();
    const lease = noLease(keeper.claimant);
    const request = [{ limitKey: key(), numbers }];
    const { claims } = await open.store.limits.claim(request, 10, choice(), lease);
    expect(claims).toHaveLength(1);
    await open.store.cancel(claims[0]!.executionId, null);
  }
  const { rows } = await open.admin.query<{ n: number }>(
    `SELECT cardinality(h_execution) AS n FROM ${open.tables.limitSlot} WHERE limit_key = $1`,
    [key()],
  );
  expect(rows[0]?.n).toBeLessThanOrEqual(numbers.concurrency / 2);
});

describe('a claim with little room, which compares the holders only until it has found enough', () => {
  async function claim(concurrency: number, room: number, others: readonly string[] = []) {
    const numbers = { concurrency };
    const asked = [key(), ...others].map((limitKey) => ({ limitKey, numbers }));
    return open.store.limits.claim(asked, room, choice(), noLease(keeper.claimant));
  }

  async function startSome(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await startOne();
  }

  async function holders(): Promise<string[]> {
    const { rows } = await open.admin.query<{ holders: string[] }>(
      `SELECT h_execution::text[] AS holders FROM ${open.tables.limitSlot} WHERE limit_key = $1`,
      [key()],
    );
    return rows[0]?.holders ?? [];
  }

  test.each([0, 1, 2, 3])('finds the slot of holder %i of 4', async (place) => {
    await startSome(5);
    await claim(4, 4);
    const before = await holders();
    expect((await claim(4, 1)).claims).toEqual([]);
    await open.store.cancel(before[place] ?? '', null);

    const { claims } = await claim(4, 1);
    expect(claims).toHaveLength(1);
    const rest = before.filter((_, at) => at !== place);
    expect(await holders()).toEqual([...rest, claims[0]?.executionId]);
    expect((await claim(4, 1)).claims).toEqual([]);
  });

  test('says that there may be more, and the next one finds it', async () => {
    await startSome(4);
    await claim(2, 2);
    for (const id of await holders()) await open.store.cancel(id, null);

    // Half of the room is for the other key.
    const { claims, keys } = await claim(2, 2, [limitKeyOf(`limit ${definitionId}`, 'other')]);
    expect(claims).toHaveLength(1);
    expect(keys[0]).toMatchObject({ limitKey: key(), claimed: 1, fate: 'more' });
    expect((await claim(2, 2)).claims).toHaveLength(1);
    expect((await claim(2, 2)).claims).toEqual([]);
  });
});

test('the count in a token may begin again without a slot that is held for ever', async () => {
  await startOne();
  await startOne();
  expect(await claimEarly()).toBe(1);
  // The token of the last claim that the count can express, and then the first one again.
  await open.admin.query(
    `UPDATE ${open.tables.limitSlot} SET h_token = ARRAY[(1048575::bigint << 33) + 2] WHERE limit_key = $1`,
    [key()],
  );
  await open.admin.query(
    `UPDATE ${open.tables.task} SET claim_token = 6, status = 'Ready', owner = NULL
     WHERE limit_key = $1 AND status = 'Running'`,
    [key()],
  );
  expect(await claimEarly()).toBe(1);
});

describe('2,000 keys whose tasks sleep', () => {
  test.each(['generic', 'custom'] as const)(
    'are not read by a look for keys while few tasks are due (%s plan)',
    async (mode) => {
      await startOne();
      const { rows } = await open.admin.query<{ id: string }>(
        `SELECT execution_id AS id FROM ${open.tables.task} WHERE limit_key = $1`,
        [key()],
      );
      await open.admin.query(
        `INSERT INTO ${open.tables.task} (execution_id, task_no, item_no, definition_id, status, run_at, limit_key)
         SELECT $1, 1, n, $2, 'Waiting', now() + interval '1 hour', $3 || n FROM generate_series(1, 2000) n`,
        [rows[0]?.id, of.plan.definitionId, limitKeyOf('sleeping', '')],
      );
      const look = (areFew: boolean) => [`{${of.plan.definitionId}}`, '', 65, areFew];
      const read = async (areFew: boolean): Promise<number> =>
        rowsLookedAt(
          await explain(late.client, open.tables, readDueKeys, look(areFew), {
            mode,
            analyze: true,
          }),
        );
      expect(await read(true)).toBeLessThan(150);
      expect(await read(false)).toBeGreaterThan(2_000);
      const found = await open.store.limits.dueKeys([of.plan.definitionId], null, 65, true);
      expect(found).toEqual([key()]);
      await open.admin.query(`DELETE FROM ${open.tables.task} WHERE execution_id = $1`, [
        rows[0]?.id,
      ]);
    },
  );
});

describe('5,000 due tasks of a key that are of a paused workflow', () => {
  const PAUSED = 5_000;

  async function addPaused(): Promise<void> {
    const { id } = (await startedRow()) ?? { id: '' };
    await open.admin.query(
      `INSERT INTO ${open.tables.task} (execution_id, task_no, item_no, definition_id, status, run_at, priority, limit_key)
       SELECT $1, 1, n, 1, 'Ready', now() - interval '1 hour', 9, $2 FROM generate_series(1, ${PAUSED}) n`,
      [id, key()],
    );
  }

  async function startedRow(): Promise<{ id: string } | undefined> {
    await startOne();
    await startOne();
    const { rows } = await open.admin.query<{ id: string }>(
      `SELECT execution_id AS id FROM ${open.tables.task} WHERE limit_key = $1 LIMIT 1`,
      [key()],
    );
    return rows[0];
  }

  test.each(['generic', 'custom'] as const)(
    'are not read by a claim for others, nor by a look for keys (%s plan)',
    async (mode) => {
      await addPaused();
      await open.store.limits.setKey(key(), { weight: 1 });
      const definitions = [of.plan.definitionId, '2'];
      const work = async (statement: Statement, values: unknown[]) =>
        rowsLookedAt(
          await explain(late.client, open.tables, statement, values, {
            mode,
            analyze: true,
          }),
        );
      const asked = [{ limitKey: key(), numbers: { concurrency: 5 } }];
      const lease = noLease(late.claimant);
      for (const some of [definitions, definitions.slice(0, 1)]) {
        const values = limitedValues(
          asked,
          10,
          { definitions: some, unknown: [] },
          lease,
          nextNo(),
        );
        expect(await work(claimLimited, values)).toBeLessThan(500);
        // The keys of other tests stay due.
        const { rows } = await open.admin.query<{ before: string | null }>(
          `SELECT max(limit_key) AS before FROM ${open.tables.task} WHERE limit_key < $1`,
          [key()],
        );
        const look = [`{${some.join(',')}}`, rows[0]?.before ?? '', 1];
        expect(await work(readDueKeys, [...look, false])).toBeLessThan(100);
        // A few due tasks are read, in three steps, to see that there are more.
        expect(await work(readDueKeys, [...look, true])).toBeLessThan(300);
      }
    },
  );
});
