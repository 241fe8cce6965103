import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import type { Session } from './session.js';
import { claimCount, heldToken, isHeld } from '../../support/claim-tokens.js';
import {
  newClaimant,
  noLease,
  outcomeOf,
  parallel,
  startOf,
  workflow,
} from '../../conformance/workflows.js';
import { type ClaimedTask, FIRST_TOKEN } from '../../../lib/store/port/index.js';

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

interface Waiting {
  readonly definitionId?: string;
  readonly priority?: number;
  /** Seconds since it is due; negative: until then. */
  readonly waited?: number;
}

/** An execution of one task that waits to be claimed; returns its id. */
async function waiting({ definitionId, priority = 0, waited = 1 }: Waiting = {}): Promise<string> {
  const of = parallel(1, { definitionId: definitionId ?? definition });
  const id = await session.startOne(of, { claims: 0, priority });
  await open.admin.query(
    `UPDATE ${open.tables.task} SET run_at = now() - $2 * interval '1 second' WHERE execution_id = $1`,
    [id, waited],
  );
  return id;
}

const idsOf = (claims: readonly ClaimedTask[]) => claims.map(({ executionId }) => executionId);

describe('the order of claims', () => {
  test('the higher priority first, of one priority the longest waiting', async () => {
    const third = await waiting({ waited: 300 });
    const second = await waiting({ priority: 5, waited: 10 });
    const last = await waiting({ priority: -1, waited: 900 });
    const first = await waiting({ priority: 5, waited: 20 });
    const fourth = await waiting({ waited: 200 });

    expect(idsOf(await session.claim([definition], 3))).toEqual([first, second, third]);
    expect(idsOf(await session.claim([definition], 3))).toEqual([fourth, last]);
    expect(await session.claim([definition], 3)).toEqual([]);
  });

  test('priorities count across definitions, whatever the order of these', async () => {
    const [other] = others;
    const low = await waiting({ priority: 1, waited: 900 });
    const high = await waiting({ definitionId: other, priority: 2 });
    const middle = await waiting({ priority: 1, waited: 1000 });

    expect(idsOf(await session.claim([definition, other], 2))).toEqual([high, middle]);
    expect(idsOf(await session.claim([definition, other], 2))).toEqual([low]);
  });

  test('of definitions with one priority, the one with the longest waiting task goes first', async () => {
    const second = await waiting({ waited: 200 });
    const first = await waiting({ definitionId: others[0], waited: 300 });
    const third = await waiting({ definitionId: others[1], waited: 100 });
    const claims: string[] = [];
    for (let n = 0; n < 3; n++) {
      claims.push(...idsOf(await session.claim([definition, ...others], 1)));
    }
    expect(claims).toEqual([first, second, third]);
  });

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

describe('left alone', () => {
  test('tasks of definitions that were not asked for', async () => {
    const mine = await waiting();
    await waiting({ definitionId: others[0], priority: 100 });
    expect(idsOf(await session.claim([definition], 10))).toEqual([mine]);
    expect(await session.claim([], 10)).toEqual([]);
  });

  test('tasks without a handler here, however long they wait', async () => {
    const of = parallel(3, { definitionId: definition });
    const id = await session.startOne(of, { claims: 0 });
    const claims = await session.claim([definition], 1, {
      unknown: [
        [definition, 0],
        [definition, 2],
        [others[0], 1],
      ],
    });
    expect(claims.map(({ taskNo }) => taskNo)).toEqual([1]);
    expect((await rowsOf(open, id)).tasks.map(({ status }) => status)).toEqual([
      'Ready',
      'Running',
      'Ready',
    ]);
  });

  test('tasks that are not due, and none behind them waits for that', async () => {
    const early = await waiting({ priority: 9, waited: -3600 });
    const due = await waiting({ priority: 0 });
    expect(idsOf(await session.claim([definition], 10))).toEqual([due]);
    expect(await taskOf(open, early, 0)).toMatchObject({ status: 'Ready' });
  });

  test('tasks that are held, not begun, running or at their end', async () => {
    const of = workflow([[], [0], []], { definitionId: definition });
    const held = await waiting();
    await open.store.pause(held, null);
    const id = await session.startOne(of);
    await session.complete([outcomeOf(of, id, 2)]);
    expect(await session.claim([definition], 10)).toEqual([]);
  });
});

test('a claim says what the claimant has to know', async () => {
  const id = await waiting({ priority: 3 });
  await open.admin.query(
    `UPDATE ${open.tables.task} SET claim_token = ${7 * FIRST_TOKEN + 1}, attempt = 2, recovery_attempts = 1,
            unmet_dependencies = 3, generation = 4 WHERE execution_id = $1`,
    [id],
  );
  expect(await session.claim([definition], 1)).toEqual([
    {
      executionId: id,
      taskNo: 0,
      definitionId: definition,
      token: heldToken(8),
      priority: 3,
      attempt: 2,
      recoveryAttempts: 1,
      unmetDependencies: 3,
      generation: 4,
      deferredForMs: null,
      input: '{}',
    },
  ]);
  expect(await taskOf(open, id, 0)).toMatchObject({
    status: 'Running',
    owner: session.claimant.instanceId,
    run_at: null,
    started_at: expect.any(Date),
  });
});

test('what an instance holds is told to it again', async () => {
  const claimant = newClaimant();
  const ids = [await waiting({ waited: 2 }), await waiting({ waited: 1 })];
  const claims = await open.store.claim([definition], [], 2, noLease(claimant));
  expect(idsOf(claims)).toEqual(ids);
  const held = await open.store.claimsOf(claimant.instanceId);
  expect(held.toSorted((a, b) => ids.indexOf(a.executionId) - ids.indexOf(b.executionId))).toEqual(
    claims.map((claim) => ({ ...claim, input: undefined })),
  );
  expect(await open.store.claimsOf(newClaimant().instanceId)).toEqual([]);
});

describe('the first claim of an execution', () => {
  test('begins it: it runs, and its deadline counts from now', async () => {
    const of = parallel(2, { definitionId: definition, timeoutMs: 60_000 });
    const id = await session.startOne(of, { claims: 0 });
    await session.claim([definition], 1);

    const { execution } = await rowsOf(open, id);
    expect(execution).toMatchObject({ status: 'Running', started_at: expect.any(Date) });
    const limit = Number(execution?.deadline_at) - Number(execution?.started_at);
    expect(limit).toBeGreaterThan(59_000);
    expect(limit).toBeLessThan(61_000);

    await session.claim([definition], 1);
    expect((await rowsOf(open, id)).execution).toEqual(execution);
  });

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

  test('an execution without a timeout has no deadline', async () => {
    const id = await waiting();
    await session.claim([definition], 1);
    expect((await rowsOf(open, id)).execution).toMatchObject({
      status: 'Running',
      deadline_at: null,
    });
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

describe('the input of an execution', () => {
  const input = JSON.stringify({ order: 17, text: 'with "quotes", {braces} and ünïcode' });
  const two = () => parallel(2, { definitionId: definition });

  test('comes with the claim that begins it, to each of its tasks', async () => {
    const id = await session.startOne(two(), { claims: 0, input });
    const claims = await session.claim([definition], 10);
    expect(claims.map((claim) => [claim.executionId, claim.input])).toEqual([
      [id, input],
      [id, input],
    ]);
  });

  test('does not come with later ones: somebody has it, or reads it', async () => {
    await session.startOne(two(), { claims: 1, input });
    expect((await session.claim([definition], 10)).map((claim) => claim.input)).toEqual([
      undefined,
    ]);
  });

  test('does not come when it is large', async () => {
    const large = JSON.stringify({ noise: randomBytes(4_000).toString('base64') });
    await session.startOne(two(), { claims: 0, input: large });
    expect((await session.claim([definition], 10)).map((claim) => claim.input)).toEqual([
      undefined,
      undefined,
    ]);
  });
});
