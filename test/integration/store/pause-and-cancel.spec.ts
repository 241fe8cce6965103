import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { claimTasks } from '../../../lib/store/postgres/statements/claim-tasks.js';
import {
  cancelExecution,
  pauseExecution,
  resumeExecution,
} from '../../../lib/store/postgres/statements/control-execution.js';
import { race, untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, statusesOf, taskOf } from './rows.js';
import { variant, type Session } from './session.js';
import { heldToken, releasedToken } from '../../support/claim-tokens.js';
import { outcomeOf, workflow } from '../../conformance/workflows.js';

const chain = workflow([[], [0]]);

let open: OpenStore;
let keeper: Session;
let first: Session;
let second: Session;
let id: string;

beforeAll(async () => {
  open = await openStore();
  keeper = await open.connect();
  first = await open.connect();
  second = await open.connect();
});
afterAll(() => open.close());
beforeEach(async () => {
  id = await first.startOne(chain);
});

/** Completes the first task while `control` has begun and is committed only after the completion has. */
async function completeDuring(control: (session: Session) => Promise<unknown>) {
  await second.begin();
  await control(second);
  const completion = first.complete([outcomeOf(chain, id, 0)]);
  await untilWaiting(open.admin, [first]);
  await second.commit();
  return completion;
}

describe('between the snapshot and the lock of a completion', () => {
  test('a pause: the dependent is ready, but held and not claimed', async () => {
    const completion = await completeDuring((session) =>
      session.run(pauseExecution, [id, null, null]),
    );

    expect(completion.accepted).toEqual([true]);
    expect(completion.readied).toEqual([
      expect.objectContaining({ taskNo: 1, claimed: false, paused: true, token: 0 }),
    ]);
    expect(await taskOf(open, id, 1)).toMatchObject({
      status: 'Ready',
      paused: true,
      owner: null,
      claim_token: 0,
      run_at: expect.any(Date),
    });
    expect(await first.claim(['1'], 10)).toEqual([]);
  });

  test('a cancel: nothing is recorded', async () => {
    const completion = await completeDuring((session) =>
      session.run(cancelExecution, [id, null, null]),
    );
    expect(completion).toEqual({ accepted: [false], readied: [], ended: [] });
    expect(await statusesOf(open, id)).toEqual(['Cancelled', 'Cancelled']);
    expect((await rowsOf(open, id)).execution).toMatchObject({ status: 'Cancelled' });
  });

  test('a resume: the dependent is claimed', async () => {
    await open.store.pause(id, null);
    const completion = await completeDuring((session) => session.run(resumeExecution, [id, null]));
    expect(completion.readied).toEqual([
      expect.objectContaining({ taskNo: 1, claimed: true, paused: false, token: heldToken(1) }),
    ]);
  });

  test('a pause that was rolled back never was', async () => {
    await second.begin();
    await second.run(pauseExecution, [id, null, null]);
    const completion = first.complete([outcomeOf(chain, id, 0)]);
    await untilWaiting(open.admin, [first]);
    await second.rollback();
    expect((await completion).readied).toEqual([expect.objectContaining({ claimed: true })]);
  });
});

describe('between the snapshot of a completion and the commit of a pause', () => {
  test('what the completion has claimed by then goes on running', async () => {
    const [completion, paused] = await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [
        [first, (session) => session.complete([outcomeOf(chain, id, 0)])],
        [second, (session) => session.run(pauseExecution, [id, null, null])],
      ],
    );
    expect(completion).toMatchObject({ readied: [{ taskNo: 1, claimed: true }] });
    expect(paused).toHaveLength(1);
    expect(await taskOf(open, id, 1)).toMatchObject({ status: 'Running', paused: true });
  });

  test('what the completion has claimed by then is cancelled too, and its token counts up', async () => {
    const [, cancelled] = await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [
        [first, (session) => session.complete([outcomeOf(chain, id, 0)])],
        [second, (session) => session.run(cancelExecution, [id, null, null])],
      ],
    );
    expect(cancelled).toEqual([
      { workflow: 'test', hasWaiters: false, unsettled: 0, running: [1] },
    ]);
    expect(await statusesOf(open, id)).toEqual(['Completed', 'Cancelled']);
    expect(await taskOf(open, id, 1)).toMatchObject({ claim_token: releasedToken(1), owner: null });
  });
});

describe('between the snapshot and the lock of a claim', () => {
  const GATE = 4711;
  /** Waits after its snapshot is taken and before it looks for tasks. */
  const claimAfterGate = variant(claimTasks, [
    'FROM unnest($1::bigint[]) AS d(id)',
    `FROM (SELECT id FROM unnest($1::bigint[]) AS u(id), pg_advisory_xact_lock_shared(${GATE})) d`,
  ]);
  const waiting = workflow([[]], { definitionId: '2' });

  test.each([
    ['a pause', pauseExecution],
    ['a cancel', cancelExecution],
  ])('%s: the task is not claimed', async (_, control) => {
    const ready = await first.startOne(waiting, { claims: 0 });
    await keeper.client.query('SELECT pg_advisory_lock($1)', [GATE]);
    const claims = first.claim(['2'], 10, { statement: claimAfterGate });
    await untilWaiting(open.admin, [first]);
    await second.run(control, [ready, null, null]);
    await keeper.client.query('SELECT pg_advisory_unlock($1)', [GATE]);

    expect(await claims).toEqual([]);
    expect(await taskOf(open, ready, 0)).toMatchObject({ claim_token: 0, owner: null });
  });
});
