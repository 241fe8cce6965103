import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { appendItems, appendValues } from '../../../lib/store/postgres/statements/append-items.js';
import {
  cancelExecution,
  pauseExecution,
  resumeExecution,
} from '../../../lib/store/postgres/statements/control-execution.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';
import { parallel } from '../../conformance/workflows.js';
import { race, untilStoreWaits, type Racer } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf } from './rows.js';
import type { Session } from './session.js';

const map = parallel(1);

let open: OpenStore;
let keeper: Session;
let writer: Session;
let controller: Session;
beforeAll(async () => {
  open = await openStore();
  [keeper, writer, controller] = (await open.connectAll(3)) as [Session, Session, Session];
});
afterAll(() => open.close());

type Action = 'cancel' | 'pause' | 'resume';

/** The statements of the actions, without the lock that the store takes before them. */
const UNLOCKED = {
  cancel: [cancelExecution, [null, null]],
  pause: [pauseExecution, [null, null]],
  resume: [resumeExecution, [null]],
} as const;

function sendToStore(action: Action, id: string): Promise<unknown> {
  return action === 'resume' ? open.store.resume(id) : open.store[action](id, null);
}

/** An execution whose map is running, and that the action applies to. */
async function started(action: Action): Promise<string> {
  const id = await writer.startOne(map);
  if (action === 'resume') await open.store.pause(id, null);
  return id;
}

/** Stores three items. The statement waits for the row of the map, with its snapshot and the lock taken. */
function append(id: string): Racer<unknown> {
  const values = appendValues({
    executionId: id,
    taskNo: 0,
    itemNo: 0,
    token: FIRST_TOKEN,
    stored: 0,
    items: ['1', '2', '3'],
    isLast: false,
    limitKeys: null,
  });
  return [writer, (session) => session.run(appendItems, values)];
}

/** Whether the action has reached each stored item. */
async function reached(action: Action, id: string): Promise<boolean[]> {
  const { tasks } = await rowsOf(open, id);
  return tasks
    .filter(({ item_no }) => item_no > 0)
    .map(({ status, paused }) =>
      action === 'cancel' ? status === 'Cancelled' : paused === (action === 'pause'),
    );
}

describe.each<Action>(['cancel', 'pause', 'resume'])('%s, while a map stores items', (action) => {
  test('waits for them, and reaches them all', async () => {
    const id = await started(action);
    let controlled: Promise<unknown> = Promise.resolve();
    await race(open, keeper, [{ executionId: id, taskNo: 0 }], [append(id)], async () => {
      controlled = sendToStore(action, id);
      await untilStoreWaits(open);
    });
    await controlled;
    expect(await reached(action, id)).toEqual([true, true, true]);
  });

  test('would leave them out without the lock', async () => {
    const id = await started(action);
    const [statement, more] = UNLOCKED[action];
    await race<unknown>(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [append(id), [controller, (session) => session.run(statement, [id, ...more])]],
    );
    expect(await reached(action, id)).toEqual([false, false, false]);
  });
});
