import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf } from './rows.js';
import type { Session } from './session.js';
import { claimCount, isHeld } from '../../support/claim-tokens.js';
import { parallel, startOf } from '../../conformance/workflows.js';
import { type ClaimedTask } from '../../../lib/store/port/index.js';

let open: OpenStore;
let session: Session;
/** Of its own for each test, so that none meets another's tasks; and two more. */
let definition: string;
let others: readonly [string, string];
let definitionCount = 0;

beforeAll(async () => {
  open = await openStore();
  session = await open.connect();
});
afterAll(() => open.close());
beforeEach(() => {
  const [first, ...more] = [1, 2, 3].map((n) => String(definitionCount + n));
  definition = first!;
  others = more as [string, string];
  definitionCount += 3;
});

const idsOf = (claims: readonly ClaimedTask[]) => claims.map(({ executionId }) => executionId);

describe('the order of claims', () => {
  test('the same among many priorities, with more of them in between that are not due', async () => {
    const definitions = [definition, definition + 1, definition + 2];
    // Each definition has due tasks at both ends and in the middle of a thousand levels that are not due, some of
    // them in levels of their own, some behind one another, some level with those of other definitions.
    await open.admin.query(
      `INSERT INTO ${open.tables.task} (execution_id, task_no, definition_id, status, priority, run_at)
       SELECT gen_random_uuid(), 0, d, 'Ready', n / (1 + n % 2),
              now() + CASE WHEN n % 97 = d % 5 OR n IN (1, 1000) THEN -1 ELSE 1 END * interval '1 hour'
                    + (n * 7919 % 1009 + d) * interval '1 second'
       FROM generate_series(1, 1000) n, unnest($1::integer[]) d`,
      [definitions],
    );
    const { rows } = await open.admin.query<{ id: string }>(
      `SELECT execution_id AS id FROM ${open.tables.task}
       WHERE definition_id = ANY ($1) AND run_at <= now() ORDER BY priority DESC, run_at`,
      [definitions],
    );
    expect(rows.length).toBeGreaterThan(30);
    const claims: string[] = [];
    for (let limit = 1; claims.length < rows.length; limit++) {
      const taken = await session.claim(definitions, limit);
      expect(taken.length).toBe(Math.min(limit, rows.length - claims.length));
      claims.push(...idsOf(taken));
    }
    expect(await session.claim(definitions, 1)).toEqual([]);
    expect(new Set(claims)).toEqual(new Set(rows.map(({ id }) => id)));
    const priorities = await prioritiesOf(claims);
    expect(priorities).toEqual(priorities.toSorted((a, b) => b - a));
    // Exact for as long as a claim takes one task: of one priority, that which waits longest.
    expect(claims[0]).toBe(rows[0]?.id);
  });

  async function prioritiesOf(ids: readonly string[]): Promise<number[]> {
    const { rows } = await open.admin.query<{ id: string; priority: number }>(
      `SELECT execution_id AS id, priority FROM ${open.tables.task} WHERE execution_id = ANY ($1)`,
      [ids],
    );
    const byId = new Map(rows.map(({ id, priority }) => [id, priority]));
    return ids.map((id) => byId.get(id) ?? Number.NaN);
  }
});

describe('the first claim of an execution', () => {
  test('of two at once, one begins it', async () => {
    const of = parallel(2, { definitionId: definition, timeoutMs: 60_000 });
    const id = await session.startOne(of, { claims: 0 });
    const other = await open.connect();
    await other.begin();
    await other.claim([definition], 1);
    const claims = session.claim([definition], 1);
    await untilWaiting(open.admin, [session]);
    await other.commit();
    const { execution: begun } = await rowsOf(open, id);
    expect(await claims).toHaveLength(1);
    expect((await rowsOf(open, id)).execution).toEqual(begun);
  });
});

describe('many processes that claim from one backlog', () => {
  const PRIORITIES = [0, 1, 2];

  /** Tasks of three definitions at three priorities. */
  async function backlog(count: number): Promise<string[]> {
    const definitions = [definition, ...others];
    await session.start(
      Array.from({ length: count }, (_, n) =>
        startOf(parallel(1, { definitionId: definitions[n % 3]! }), {
          claims: 0,
          priority: PRIORITIES[Math.floor(n / 3) % 3]!,
        }),
      ),
    );
    return definitions;
  }

  test('none waits for another or comes away empty, and they take what is due between them', async () => {
    const definitions = await backlog(80);
    const sessions = await open.connectAll(8);
    const claims: ClaimedTask[][] = [];
    for (const one of sessions) {
      await one.begin();
      claims.push(await one.claim(definitions, 10));
    }
    await Promise.all(sessions.map((one) => one.commit()));

    expect(claims.map(({ length }) => length)).toEqual(new Array(8).fill(10));
    expect(new Set(claims.flatMap(idsOf)).size).toBe(80);
  });

  test('no task is claimed twice, and none is left', async () => {
    const definitions = await backlog(1_500);
    const sessions = await open.connectAll(6);
    const claimed = await Promise.all(
      sessions.map(async (one, n) => {
        const all: ClaimedTask[] = [];
        for (;;) {
          const claims = await one.claim(definitions, 5 + n);
          if (claims.length === 0) return all;
          all.push(...claims);
        }
      }),
    );

    const all = claimed.flat();
    expect(all).toHaveLength(1_500);
    expect(new Set(idsOf(all)).size).toBe(1_500);
    expect(all.every(({ token }) => claimCount(token) === 1 && isHeld(token))).toBe(true);
    const { rows } = await open.admin.query<{ owner: string; tasks: number }>(
      `SELECT owner, count(*)::integer AS tasks FROM ${open.tables.task}
       WHERE definition_id = ANY ($1) GROUP BY owner`,
      [definitions],
    );
    const held = new Map(rows.map(({ owner, tasks }) => [owner, tasks]));
    expect(sessions.map((one) => held.get(one.claimant.instanceId) ?? 0)).toEqual(
      claimed.map(({ length }) => length),
    );
  });
});
