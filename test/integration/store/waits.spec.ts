import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  recordSteps,
  recordValues,
  repliesOf,
} from '../../../lib/store/postgres/statements/record-steps.js';
import {
  rescheduledOf,
  rescheduleTasks,
  rescheduleValues,
} from '../../../lib/store/postgres/statements/reschedule-tasks.js';
import { taskKeyValues } from '../../../lib/store/postgres/statements/statement.js';
import { wakeTasks } from '../../../lib/store/postgres/statements/wake-tasks.js';
import { FIRST_TOKEN, type StepRecord } from '../../../lib/store/port/index.js';
import { parallel, rescheduleOf } from '../../conformance/workflows.js';
import { sized } from '../../support/sizes.js';
import { race, untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { taskOf } from './rows.js';
import { variant, type Session } from './session.js';

const ROUNDS = sized(100, 30);
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

describe('a wake-up and a suspension at the same time', () => {
  const suspend = (session: Session, id: string, statement = rescheduleTasks) =>
    session
      .run(statement, rescheduleValues([rescheduleOf('suspend', id, 0, { delayMs: null })]))
      .then((rows) => rescheduledOf(rows, 1)[0]);
  const wake = (session: Session, id: string) =>
    session.run(wakeTasks, taskKeyValues([{ executionId: id, taskNo: 0, itemNo: 0 }]));

  /** Both want the task's row while a third session has it, so both have their snapshots before either writes. */
  async function meet(order: 'wake first' | 'suspend first', statement = rescheduleTasks) {
    const id = await keeper.startOne(single);
    const racers = [
      [first, () => wake(first, id)],
      [second, () => suspend(second, id, statement)],
    ] as const;
    await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      order === 'wake first' ? racers : racers.toReversed(),
    );
    return taskOf(open, id, 0);
  }

  test.each(['wake first', 'suspend first'] as const)('%s: the task is due', async (order) => {
    expect(await meet(order)).toMatchObject({
      status: 'Waiting',
      wakes: 1,
      run_at: expect.any(Date),
    });
  });

  test('without the counter, the wake-up that comes first is lost for ever', async () => {
    const blind = variant(rescheduleTasks, ['AND t.wakes <> l.wakes', 'AND false']);
    expect(await meet('wake first', blind)).toMatchObject({ status: 'Waiting', run_at: null });
  });

  test('in any order that comes about, none is lost', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await keeper.startMany(single, 10);
      const each = async (order: readonly string[], send: (id: string) => Promise<unknown>) => {
        for (const id of order) await send(id);
      };
      const others = round % 2 === 0 ? ids : ids.toReversed();
      await Promise.all([
        each(ids, (id) => wake(first, id)),
        each(others, (id) => suspend(second, id)),
      ]);
      const { rowCount } = await open.admin.query(
        `SELECT FROM ${open.tables.task} WHERE execution_id = ANY ($1) AND run_at IS NULL`,
        [ids],
      );
      expect(rowCount).toBe(0);
    }
  });
});

describe('the fence of a recorded step', () => {
  const recordOf = (executionId: string): StepRecord => ({
    executionId,
    taskNo: 0,
    itemNo: 0,
    token: FIRST_TOKEN,
    name: 'made',
    kind: 'step',
    status: 'Done',
    result: '"by the zombie"',
    error: null,
    childId: null,
    listensFor: null,
    due: null,
  });

  /** The zombie has its snapshot while another process, whose commit it does not see, takes the task over. */
  async function playZombie(statement = recordSteps) {
    const id = await keeper.startOne(single);
    await first.begin();
    await first.run(rescheduleTasks, rescheduleValues([rescheduleOf('giveBack', id, 0)]));
    const sent = second.run(statement, recordValues([recordOf(id)]));
    await untilWaiting(open.admin, [second]);
    await first.commit();
    const replies = repliesOf(await sent, 1);
    const { rowCount } = await open.admin.query(
      `SELECT FROM ${open.tables.step} WHERE execution_id = $1`,
      [id],
    );
    return { replies, recorded: rowCount };
  }

  test('is compared under the lock, so a task that was taken over gets none', async () => {
    expect(await playZombie()).toEqual({ replies: [undefined], recorded: 0 });
  });

  test('is blind if the token is that of the snapshot', async () => {
    const blind = variant(recordSteps, [
      `AND t.item_no = i.item_no
        AND t.claim_token = i.claim_token
      FOR NO KEY UPDATE`,
      `AND t.item_no = i.item_no
        AND (SELECT s.claim_token FROM ${open.tables.task} s WHERE s.execution_id = i.execution_id
             AND s.task_no = i.task_no AND s.item_no = i.item_no) = i.claim_token
      FOR NO KEY UPDATE`,
    ]);
    expect(await playZombie(blind)).toEqual({ replies: [{ dueInMs: null }], recorded: 1 });
  });
});
