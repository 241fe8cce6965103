import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  admissionReplyOf,
  admitExecutions,
  admitValues,
} from '../../../lib/store/postgres/statements/admit-executions.js';
import { HOLDER_COLUMNS } from '../../../lib/store/postgres/statements/limit-holders.js';
import {
  startReplyOf,
  startStatement,
} from '../../../lib/store/postgres/statements/start-executions.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import type { AdmissionRequest, StartItem } from '../../../lib/store/port/index.js';
import { limitKeyOf } from '../../../lib/workflow/limit.js';
import { noLease, parallel, startOf } from '../../conformance/workflows.js';
import { nextNo } from './claim-numbers.js';
import { untilWaiting } from './gate.js';
import { type OpenStore, openStore } from './open-store.js';
import { variant, type Session } from './session.js';

/** The lock at which a statement waits behind its snapshot, before it locks the slots of its key. */
const GATE = 4_712;
const WAITING = `CROSS JOIN (SELECT pg_advisory_xact_lock(${GATE})) gate`;
const ASKED = 'burst, supersedes, turn)\n';
const GIVEN = 'FROM given g WHERE g.admission_key IS NOT NULL';

let open: OpenStore;
let keeper: Session;
let late: Session;
let definitionId = 80_000;
let of = parallel(1);
beforeAll(async () => {
  open = await openStore();
  [keeper, late] = (await open.connectAll(2)) as [Session, Session];
});
afterAll(() => open.close());
beforeEach(() => {
  of = parallel(1, { definitionId: String(++definitionId) });
});

const NUMBERS = { concurrency: 1 };
const key = () => limitKeyOf(`admission\u001e${definitionId}`, 'k');
const asks = (): AdmissionRequest => ({ key: key(), numbers: NUMBERS, skips: false });
const item = (more: Partial<StartItem> = {}) => startOf(of, { admission: asks(), ...more });
const looks = () => [{ key: key(), numbers: NUMBERS, supersedes: 'none', ended: [] } as const];
const admitEarly = async () => (await open.store.admissions.admit(looks())).admitted.length;

/** Starts an execution whose slot is free, but which waits as one that was started in a transaction. */
async function startWaiting(): Promise<StartItem> {
  const started = item();
  const [statement, values] = startStatement([started], noLease(keeper.claimant), nextNo(), {
    keyed: true,
    admission: 'waits',
  });
  await keeper.run(statement, values);
  return started;
}

/** Starts an execution as others do; returns how many began. */
async function startEarly(): Promise<number> {
  const reply = await open.store.start([item()], noLease(keeper.claimant), true);
  return 1 - (reply.waiting?.size ?? 0);
}

/** Runs a statement that has its snapshot before `between`, and the lock of the key after it. */
async function runLate<R>(
  statement: Statement<R>,
  values: readonly unknown[],
  between: () => Promise<unknown>,
): Promise<R[]> {
  await keeper.begin();
  await keeper.client.query('SELECT pg_advisory_xact_lock($1)', [GATE]);
  const running = late.run(statement, values);
  await untilWaiting(open.admin, [late]);
  await between();
  await keeper.commit();
  return running;
}

/** What others do: count the executions that run, under the lock of the row. */
function counting<R>(statement: Statement<R>): Statement<R> {
  return {
    ...statement,
    name: `${statement.name}_counting`,
    text: (tables) => {
      const text = statement.text(tables);
      const lists = HOLDER_COLUMNS.map((column) => `s.${column}`).join(', ');
      const count = `(SELECT count(*)::integer FROM ${tables.execution} c
        WHERE c.admission_key = s.limit_key AND c.admitted AND c.completed_at IS NULL)`;
      const counted = text.replaceAll('count(*)::integer AS held', `${count} AS held`);
      if (counted === text || !text.includes(lists)) throw new Error('The statement has changed.');
      return counted;
    },
  };
}

/** A holder without a row counts as gone. */
const missingIsFree = <R>(statement: Statement<R>): Statement<R> =>
  variant(statement, [
    "WHEN x.now IS NULL THEN h.at > statement_timestamp() - interval '1 minute'",
    'WHEN x.now IS NULL THEN false',
  ]);
const asIs = <R>(statement: Statement<R>): Statement<R> => statement;
type Change = <R>(statement: Statement<R>) => Statement<R>;

const CONTROLS: readonly (readonly [string, Change, number])[] = [
  ['as it is', asIs, 0],
  ['counting executions that run', counting, 1],
];
const YOUNG_CONTROLS: readonly (readonly [string, Change, number])[] = [
  ['as it is', asIs, 0],
  ['taking a missing row for a free slot', missingIsFree, 1],
];

describe('an admission with a snapshot from before another one of the key', () => {
  const gated = variant(admitExecutions, [ASKED, `${ASKED} ${WAITING}\n`]);
  const admitLate = async (change: Change, between: () => Promise<unknown>) =>
    admissionReplyOf(await runLate(change(gated), admitValues(looks()), between)).admitted.length;

  test.each(CONTROLS)('%s', async (_, change, admitted) => {
    await startWaiting();
    const { id } = await startWaiting();
    // The row of the key exists.
    await open.store.limits.setKey(key(), { weight: 1 });
    const between = async () => {
      // The snapshot has the other one first.
      await open.admin.query(`UPDATE ${open.tables.execution} SET priority = 9 WHERE id = $1`, [
        id,
      ]);
      expect(await admitEarly()).toBe(1);
    };
    expect(await admitLate(change, between)).toBe(admitted);
  });

  test.each(YOUNG_CONTROLS)('of a younger execution: %s', async (_, change, admitted) => {
    await open.store.limits.setKey(key(), { weight: 1 });
    await startWaiting();
    const between = async () => {
      await open.store.start([item({ priority: 9 })], noLease(keeper.claimant), true);
      expect(await admitEarly()).toBe(1);
    };
    expect(await admitLate(change, between)).toBe(admitted);
  });
});

describe('a start with a snapshot from before another start of the key', () => {
  async function startLate(change: Change): Promise<number> {
    await open.store.limits.setKey(key(), { weight: 1 });
    const [statement, values] = startStatement([item()], noLease(late.claimant), nextNo(), {
      keyed: true,
    });
    const gated = variant(statement, [GIVEN, GIVEN.replace('given g', `given g ${WAITING}`)]);
    const rows = await runLate(change(gated), values, async () =>
      expect(await startEarly()).toBe(1),
    );
    return 1 - (startReplyOf(rows, true).waiting?.size ?? 0);
  }

  // The execution of the other start is younger than the snapshot, so both controls fail.
  test.each([...CONTROLS, ...YOUNG_CONTROLS.slice(1)])('%s', async (_, change, begun) => {
    expect(await startLate(change)).toBe(begun);
  });
});

test('an admission that began long before it has the key takes a token of the time when it has it', async () => {
  const rate = { limit: 1, perMs: 3_600_000, burst: 1 };
  const rated = looks().map((look) => ({ ...look, numbers: { concurrency: 9, rate } }));
  await startWaiting();
  await startWaiting();
  await open.store.limits.setKey(key(), { weight: 1 });
  await open.admin.query(
    `UPDATE ${open.tables.execution} SET run_at = now() - interval '3 hours' WHERE admission_key = $1`,
    [key()],
  );
  const old = variant(admitExecutions, [
    'statement_timestamp()',
    "(statement_timestamp() - interval '2 hours')",
  ]);
  expect(admissionReplyOf(await late.run(old, admitValues(rated))).admitted).toHaveLength(1);
  expect((await open.store.admissions.admit(rated)).admitted).toEqual([]);
});

test('an admission leaves out a key that another statement has locked, and says so', async () => {
  await startWaiting();
  await open.store.limits.setKey(key(), { weight: 1 });
  await keeper.begin();
  await keeper.client.query(
    `SELECT FROM ${open.tables.limitSlot} WHERE limit_key = $1 FOR NO KEY UPDATE`,
    [key()],
  );
  const { admitted, keys } = await open.store.admissions.admit(looks());
  await keeper.commit();
  expect({ admitted, keys }).toEqual({
    admitted: [],
    keys: [{ key: key(), fate: 'locked', tokenInMs: null }],
  });
});

test('an admission leaves out an execution whose task is locked, and says so', async () => {
  await startWaiting();
  await keeper.begin();
  await keeper.client.query(
    `SELECT FROM ${open.tables.task} WHERE definition_id = $1 FOR NO KEY UPDATE`,
    [of.plan.definitionId],
  );
  const { admitted, keys } = await open.store.admissions.admit(looks());
  await keeper.commit();
  expect([admitted, keys[0]?.fate]).toEqual([[], 'locked']);
  expect(await admitEarly()).toBe(1);
});

test('executions that have ended leave the list with the next ones, but for the last', async () => {
  for (let n = 0; n < 10; n++) {
    const started = item();
    const reply = await open.store.start([started], noLease(keeper.claimant), true);
    expect(reply.waiting?.size).toBe(0);
    await open.store.cancel(started.id, null);
  }
  const { rows } = await open.admin.query<{ n: number }>(
    `SELECT cardinality(h_execution) AS n FROM ${open.tables.limitSlot} WHERE limit_key = $1`,
    [key()],
  );
  expect(rows[0]?.n).toBe(1);
});
