import { beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { PollerContext } from '../../../lib/discovery/poller-types.js';
import { STATEMENTS } from '../../faults/workload/failpoints.js';
import { declaredPoller } from '../../support/declared-poller.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { StatementFaults } from './statement-faults.js';

// Polls with a single attempt, in which statements of the library fail.

/** What only the statement that replaces a cursor has in its text. */
const REPLACE_CURSOR = 's.value::text IS NOT DISTINCT FROM $3::text';

const work = defineWorkflow<{ n: number }>('work')
  .task('run', () => undefined)
  .build();

let calls = 0;
/** What the next call of the method does first. */
let first: (context: PollerContext) => Promise<unknown>;
const poller = declaredPoller(
  { name: 'p', every: '1d', workflow: work, retry: { maxAttempts: 1 } },
  async (context) => {
    calls++;
    const act = first;
    first = () => Promise.resolve();
    await act(context);
    const n = ((context.cursor as number | undefined) ?? 0) + 1;
    await context.manager.query('INSERT INTO effect VALUES ($1)', [n]);
    return { starts: [{ key: `key ${n}`, input: { n } }], cursor: n };
  },
);

let one: OpenTenant;
let faults: StatementFaults;
beforeAll(async () => {
  one = await openTenant([work, poller], { claiming: false });
  await one.query('CREATE TABLE effect (n integer PRIMARY KEY)');
  faults = await StatementFaults.install(one.schema);
  await one.host.startClaiming();
});

/** Polls once. The changes are what the poll has left, and what it should have left alone. */
async function poll(act: typeof first = () => Promise.resolve()) {
  [calls, first] = [0, act];
  const before = await left();
  const { id } = await one.runner.schedules.runNow('p');
  const { status, tasks } = await one.runner.handle(id).result({ settled: true, timeout: '60s' });
  const after = await left();
  return {
    status,
    attempts: tasks[0]?.attempts.length,
    calls,
    left: after.map((value, i) => value - before[i]!),
  };
}

/** The cursor, and the numbers of rows and of starts. */
async function left(): Promise<number[]> {
  const [row] = await one.query<{ cursor: number; rows: number; starts: number }>(
    `SELECT coalesce((SELECT value::text::integer FROM cloacina_state WHERE name = 'poller:p'), 0) AS cursor,
            (SELECT count(*)::integer FROM effect) AS rows,
            (SELECT count(*)::integer FROM cloacina_workflow_execution WHERE workflow = 'work') AS starts`,
  );
  return [row!.cursor, row!.rows, row!.starts];
}

/** Resolves with a function whose promise resolves when the connection of the poll has ended. */
async function endOf({ manager }: PollerContext): Promise<() => Promise<unknown>> {
  const client = (await manager.queryRunner!.connect()) as pg.PoolClient;
  const end = new Promise((resolve) => client.once('end', resolve));
  return () => end;
}

/** From now on the statements of the library are the only ones that the poll sends. */
function sendNothing({ manager }: PollerContext): void {
  manager.query = () => Promise.resolve([]) as never;
}

describe.each([
  ['a statement timeout or a cancelled statement', '57014'],
  ['a lack of memory', '53200'],
  ['a deadlock', '40P01'],
])('A poll that meets %s', (_, code) => {
  it.each([
    ['its cursor', REPLACE_CURSOR],
    ['its starts', STATEMENTS.start],
  ])('while %s is stored runs again, at no cost of an attempt', async (_what, statement) => {
    await faults.plan(statement, code, 1);
    expect(await poll()).toEqual({
      status: 'Completed',
      attempts: 1,
      calls: 2,
      left: [1, 1, 1],
    });
    expect(await faults.raised()).toBe(1);
  });
});

describe('A poll', () => {
  it('whose connection was lost before its result is stored costs no attempt', async () => {
    const outcome = await poll(async (context) => {
      const ended = await endOf(context);
      const [{ pid }] = await context.manager.query('SELECT pg_backend_pid() AS pid');
      await one.query('SELECT pg_terminate_backend($1)', [pid]);
      await ended();
      sendNothing(context);
    });
    expect(outcome).toEqual({ status: 'Completed', attempts: 1, calls: 2, left: [1, 1, 1] });
  });

  it.each<[string, typeof first]>([
    ['throws', () => Promise.reject(new Error('on purpose'))],
    [
      'catches the error of a statement of its own',
      async (context) => {
        await context.manager.query('SELECT 1 / 0').catch(() => undefined);
        sendNothing(context);
      },
    ],
    [
      'ends its transaction',
      async (context) => {
        await context.manager.query('COMMIT');
        sendNothing(context);
      },
    ],
    [
      'has the server end its transaction',
      async (context) => {
        const ended = await endOf(context);
        await context.manager.query(`SET LOCAL idle_in_transaction_session_timeout TO '1ms'`);
        await ended();
        sendNothing(context);
      },
    ],
  ])('whose method %s has failed an attempt, and left nothing', async (_, act) => {
    expect(await poll(act)).toMatchObject({
      status: 'Failed',
      attempts: 1,
      calls: 1,
      left: [0, 0, 0],
    });
  });
});
