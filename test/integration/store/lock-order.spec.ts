import { nextBatch, nextNo } from './claim-numbers.js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { claimTasks, claimValues } from '../../../lib/store/postgres/statements/claim-tasks.js';
import { completeTasks } from '../../../lib/store/postgres/statements/complete-tasks.js';
import { completionValues } from '../../../lib/store/postgres/statements/completion-values.js';
import {
  cancelExecution,
  pauseExecution,
  resumeExecution,
} from '../../../lib/store/postgres/statements/control-execution.js';
import { SqlState, sqlState } from '../../../lib/store/postgres/sql-state.js';
import { lockForReset } from '../../../lib/store/postgres/statements/reset-execution.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import { isLocked, race, type GateRow } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { sized } from '../../support/sizes.js';
import { variant, type Session } from './session.js';
import {
  fanIn,
  newClaimant,
  outcomeOf,
  parallel,
  type TestWorkflow,
} from '../../conformance/workflows.js';
import { type Outcome, byLockOrder } from '../../../lib/store/port/index.js';

const ROUNDS = sized(200, 60);
const BATCH = 12;

let open: OpenStore;
let keeper: Session;
let sessions: Session[];

beforeAll(async () => {
  open = await openStore();
  keeper = await open.connect();
  sessions = await open.connectAll(4);
});
afterAll(() => open.close());

describe('batches in opposite order', () => {
  interface Contest {
    readonly of: TestWorkflow;
    /** What connection `n` of 4 reports of each execution. */
    readonly outcome: (id: string, n: number) => Outcome;
    /** The row that all of them want of an execution. */
    readonly gate: (id: string) => GateRow;
    /** The same statement with the order of one phase turned round. */
    readonly reversed: typeof completeTasks;
  }

  const join = fanIn(4);
  const leaves = parallel(4);
  const contests: [rows: string, contest: Contest][] = [
    [
      'the same tasks, sent more than once',
      {
        of: leaves,
        outcome: (id) => outcomeOf(leaves, id, 0),
        gate: (executionId) => ({ executionId, taskNo: 0 }),
        reversed: variant(completeTasks, [
          'FROM item i\n    WHERE',
          'FROM (SELECT * FROM item ORDER BY 1 DESC) i\n    WHERE',
        ]),
      },
    ],
    [
      'the same dependents',
      {
        of: join,
        outcome: (id, n) => outcomeOf(join, id, n),
        gate: (executionId) => ({ executionId, taskNo: 4 }),
        reversed: variant(completeTasks, [
          'GROUP BY 1, 2 ORDER BY 1, 2',
          'GROUP BY 1, 2 ORDER BY 1 DESC, 2 DESC',
        ]),
      },
    ],
    [
      'the same executions',
      {
        of: leaves,
        outcome: (id, n) => outcomeOf(leaves, id, n),
        gate: (executionId) => ({ executionId }),
        reversed: variant(completeTasks, ['GROUP BY 1 ORDER BY 1', 'GROUP BY 1 ORDER BY 1 DESC']),
      },
    ],
  ];

  /** What became of each statement: `ok`, or the code of its error. */
  const fate = (completion: Promise<unknown>): Promise<unknown> =>
    completion.then(
      () => 'ok',
      (error: unknown) => sqlState(error) ?? error,
    );

  test.each(contests)('%s: no deadlock', async (_, { of, outcome }) => {
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await keeper.startMany(of, BATCH);
      const fates = await Promise.all(
        sessions.map((session, n) => {
          // In whatever order they came to their end.
          const order = n % 2 === 0 ? ids : ids.toReversed();
          return fate(session.complete(order.map((id) => outcome(id, n))));
        }),
      );
      expect(fates).toEqual(['ok', 'ok', 'ok', 'ok']);
    }
  });

  /** Two of them, that have what they lock before a row in the middle when that becomes free. */
  async function meetInTheMiddle({ of, outcome, gate }: Contest, other: typeof completeTasks) {
    const [first, second] = sessions as [Session, Session];
    const ids = await keeper.startMany(of, BATCH);
    return race(
      open,
      keeper,
      [gate(ids[BATCH / 2]!)],
      [
        [first, () => fate(first.complete(ids.map((id) => outcome(id, 0))))],
        [
          second,
          () =>
            fate(
              second.complete(
                ids.map((id) => outcome(id, 1)),
                other,
              ),
            ),
        ],
      ],
    );
  }

  test.each(contests)('%s: the second waits for the first', async (_, contest) => {
    expect(await meetInTheMiddle(contest, completeTasks)).toEqual(['ok', 'ok']);
  });

  test.each(contests)('%s: a deadlock, if the order is not kept', async (_, contest) => {
    const fates = await meetInTheMiddle(contest, contest.reversed);
    expect(fates.toSorted()).toEqual([SqlState.deadlock, 'ok']);
  });

  test('the rows of a batch are sorted with those of the failures it handles', () => {
    const [executions, taskNos] = completionValues(
      [
        outcomeOf(join, 'b', 3, { handles: [1] }),
        outcomeOf(join, 'a', 2, { handles: [0, 1] }),
        outcomeOf(join, 'b', 0),
      ].sort(byLockOrder),
      newClaimant(),
      false,
      nextBatch(),
    );
    expect([executions, taskNos]).toEqual(['{a,a,a,b,b,b}', '{0,1,2,0,1,3}']);
  });
});

describe('every statement takes tasks first, then executions, then the lease', () => {
  const join = fanIn(2, { timeoutMs: 1 });

  test.each<[string, Statement, (id: string) => unknown[]]>([
    ['cancel', cancelExecution, (id) => [id, null, null]],
    ['pause', pauseExecution, (id) => [id, null, null]],
    ['resume', resumeExecution, (id) => [id, null]],
    ['manual retry', lockForReset, (id) => [id]],
  ])('%s', async (_, statement, values) => {
    const [session] = sessions as [Session];
    const id = await keeper.startOne(join);
    if (statement === resumeExecution) await open.store.pause(id, null);

    await race(
      open,
      keeper,
      [{ executionId: id, taskNo: 1 }],
      [[session, () => session.run(statement, values(id))]],
      async () => {
        expect(await isLocked(open, { executionId: id, taskNo: 0 })).toBe(true);
        expect(await isLocked(open, { executionId: id, taskNo: 2 })).toBe(false);
        expect(await isLocked(open, { executionId: id })).toBe(false);
      },
    );
  });

  test('a completion', async () => {
    const [session] = sessions as [Session];
    const id = await keeper.startOne(join);
    await race(
      open,
      keeper,
      [{ executionId: id, taskNo: 2 }],
      [[session, () => session.complete([outcomeOf(join, id, 0, { status: 'Failed' })])]],
      async () => {
        expect(await isLocked(open, { executionId: id, taskNo: 0 })).toBe(true);
        expect(await isLocked(open, { executionId: id })).toBe(false);
      },
    );
  });

  test.each(['a claim', 'a completion'])('%s takes the lease last', async (which) => {
    const [session] = sessions as [Session];
    const of = parallel(2, { definitionId: '2' });
    const id = await keeper.startOne(of, { claims: 1 });
    const { instanceId } = session.claimant;
    const leaseIsFree = async (): Promise<boolean> => {
      const { rowCount } = await open.admin.query(
        `SELECT FROM ${open.tables.lease} WHERE instance_id = $1 FOR UPDATE SKIP LOCKED`,
        [instanceId],
      );
      return rowCount === 1;
    };
    await session.run(claimTasks, claimValues([], [], 1, session.claimant, true, nextNo()));
    await open.admin.query(`UPDATE ${open.tables.execution} SET started_at = NULL WHERE id = $1`, [
      id,
    ]);

    await race<unknown>(
      open,
      keeper,
      [{ executionId: id }],
      [
        [
          session,
          () =>
            which === 'a claim'
              ? session.run(claimTasks, claimValues(['2'], [], 1, session.claimant, true, nextNo()))
              : session.run(
                  completeTasks,
                  completionValues([outcomeOf(of, id, 0)], session.claimant, true, nextBatch()),
                ),
        ],
      ],
      async () => expect(await leaseIsFree()).toBe(true),
    );
  });

  test('so claims, completions, pauses and cancels of the same executions never deadlock', async () => {
    const of = fanIn(3, { definitionId: '3' });
    const [starter, claimer, pauser, canceller] = sessions as [Session, Session, Session, Session];
    for (let n = 0; n < 50; n++) {
      // One root is claimed with the start, the others wait: the first claim also begins half of the executions.
      const ids = [
        ...(await starter.startMany(of, 6, { claims: 1 })),
        ...(await starter.startMany(of, 6, { claims: 0 })),
      ];
      const each = async (order: readonly string[], send: (id: string) => Promise<unknown>) => {
        for (const id of order) await send(id);
      };
      await Promise.all([
        starter.complete(ids.map((id) => outcomeOf(of, id, 0))),
        claimer
          .claim(['3'], 100)
          .then((claims) =>
            claimer.complete(
              claims.map(({ executionId, taskNo, token }) =>
                outcomeOf(of, executionId, taskNo, { token }),
              ),
            ),
          ),
        each(ids, async (id) => {
          await pauser.run(pauseExecution, [id, null, null]);
          await pauser.run(resumeExecution, [id, null]);
        }),
        each(ids.toReversed(), (id) => canceller.run(cancelExecution, [id, null, null])),
      ]);
    }
  });
});
