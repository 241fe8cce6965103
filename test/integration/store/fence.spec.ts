import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import type { Session } from './session.js';
import { heldToken } from '../../support/claim-tokens.js';
import { outcomeOf, workflow } from '../../conformance/workflows.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';

// 1 depends on 0; 2 is alone, so that the execution has a leaf that runs too.
const of = workflow([[], [0], []]);

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
  id = await first.startOne(of);
});

describe('sent again while nobody knows what became of the first send', () => {
  test('it waits for the first, and is refused when that was committed', async () => {
    await first.begin();
    await first.complete([outcomeOf(of, id, 0)]);
    const again = second.complete([outcomeOf(of, id, 0)]);
    await untilWaiting(open.admin, [second]);
    await first.commit();

    expect((await again).accepted).toEqual([false]);
    expect(await taskOf(open, id, 1)).toMatchObject({
      pending_dependencies: 0,
      claim_token: heldToken(1),
    });
    // The row tells who asks that it was this claim's outcome.
    expect(await open.store.outcomes([{ executionId: id, taskNo: 0, itemNo: 0 }])).toEqual([
      expect.objectContaining({ status: 'Completed', token: FIRST_TOKEN + 1 }),
    ]);
  });

  test('it is recorded when the first was rolled back', async () => {
    await first.begin();
    await first.complete([outcomeOf(of, id, 0)]);
    const again = second.complete([outcomeOf(of, id, 0)]);
    await untilWaiting(open.admin, [second]);
    await first.rollback();

    expect((await again).accepted).toEqual([true]);
    expect(await taskOf(open, id, 1)).toMatchObject({
      pending_dependencies: 0,
      owner: second.claimant.instanceId,
    });
  });
});

test('a claim that is lost while its outcome waits for the row writes nothing', async () => {
  await first.begin();
  await first.client.query(
    `UPDATE ${open.tables.task} SET claim_token = claim_token + 1, status = 'Ready', owner = NULL,
            run_at = now() WHERE execution_id = $1 AND task_no = 0`,
    [id],
  );
  const late = second.complete([outcomeOf(of, id, 0)]);
  await untilWaiting(open.admin, [second]);
  await first.commit();
  const before = await rowsOf(open, id);

  expect((await late).accepted).toEqual([false]);
  expect(await rowsOf(open, id)).toEqual(before);
});
