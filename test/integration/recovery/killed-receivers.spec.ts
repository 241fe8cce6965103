import { expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { STATEMENTS, type Failpoint } from '../../faults/workload/failpoints.js';
import { Item, mailbox } from './mailbox.js';

const SCRIPT = new URL('mailbox-worker.ts', import.meta.url);
const EXECUTIONS = sized(20, 8);
const SIGNALS = 15;
const KILLS = sized(5, 2);

it('Of signals to processes that are killed, each is taken once and none is lost', async () => {
  const schema = freshSchema();
  const { runner, dataSource, query } = await openTenant([mailbox()], {
    schema,
    maxConcurrentTasks: 0,
  });
  const child = async (): Promise<TestChild> => {
    const started = startChild(SCRIPT, { env: { SCHEMA: schema } });
    await started.message<{ kind: string }>(({ kind }) => kind === 'ready');
    return started;
  };
  const children = await Promise.all([child(), child()]);
  const handles = await Promise.all(
    Array.from({ length: EXECUTIONS }, () => runner.start('mailbox', { count: SIGNALS + 1 })),
  );
  const taken = async (where = ''): Promise<number> => {
    const [row] = await query<{ n: string }>(
      `SELECT count(*) AS n FROM cloacina_signal WHERE consumed ${where}`,
    );
    return Number(row?.n);
  };

  /** Some wait until a signal is taken before they send the next, others send all at once, or one by one. */
  async function sendTo(id: string, how: number): Promise<void> {
    for (let n = 0; n < SIGNALS; n++) {
      if (how % 4 === 0)
        await waitFor(async () => (await taken(`AND execution_id = '${id}'`)) >= n);
      if (how % 2 === 0) {
        await runner.signal(id, Item, n);
      } else {
        await dataSource.transaction((manager) => runner.signal(id, Item, n, { manager }));
      }
      const again = { idempotencyKey: `again ${n}` };
      if (n === 3) for (let i = 0; i < 2; i++) await runner.signal(id, Item, 1_000, again);
    }
  }

  const sent = Promise.all(handles.map(({ id }, i) => sendTo(id, i)));
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = (EXECUTIONS * SIGNALS * kill) / (KILLS + 1);
    await waitFor(async () => (await taken()) >= enough, { what: `${enough} signals` });
    await children.shift()?.kill();
    children.push(await child());
  }
  await sent;
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
  const all = Array.from({ length: SIGNALS }, (_, n) => n).toSpliced(4, 0, 1_000);
  for (const { context } of results) expect(context['got']).toEqual(all);
  expect(await taken()).toBe(EXECUTIONS * (SIGNALS + 1));
}, 120_000);

const POINTS: readonly [string, Failpoint['at']][] = [
  ['before it takes a signal', 'before'],
  ['while it takes a signal', 'sent'],
  ['after it took a signal, before it knows', 'after'],
];

it.each(POINTS)('A process that is killed %s loses and doubles nothing', async (_, at) => {
  const schema = freshSchema();
  const client = await openTenant([mailbox()], { schema, maxConcurrentTasks: 0 });
  const handle = await client.runner.start('mailbox', { count: 3 });
  for (const n of [0, 1, 2]) await client.runner.signal(handle, Item, n);
  const failpoint: Failpoint = { at, statement: STATEMENTS.takeMessages };
  const victim = startChild(SCRIPT, {
    env: { SCHEMA: schema, FAILPOINT: JSON.stringify(failpoint) },
  });
  expect(await victim.end()).toMatchObject({ signal: 'SIGKILL' });
  await openTenant([mailbox()], { schema });
  const { context } = await handle.result({ timeout: '60s' });
  expect(context).toMatchObject({ got: [0, 1, 2] });
});

const SENDING: readonly [string, Failpoint['at'], readonly number[]][] = [
  ['before it sends a signal', 'before', [0]],
  ['while it sends a signal', 'sent', [0, 1]],
  ['after it sent a signal, before it knows', 'after', [1]],
];

/** The victim gives its signal to a task that sleeps, and claims the task in the same statement. */
it.each(SENDING)('A process that is killed %s loses and doubles nothing', async (_, at, fates) => {
  const schema = freshSchema();
  const { runner, query } = await openTenant([mailbox()], { schema, maxConcurrentTasks: 0 });
  const handle = await runner.start('mailbox', { count: 2 });
  const failpoint: Failpoint = { at, statement: STATEMENTS.sendSignals };
  const victim = startChild(SCRIPT, {
    env: { SCHEMA: schema, FAILPOINT: JSON.stringify(failpoint) },
  });
  const isLeft = async (sql: string): Promise<boolean> => (await query(sql)).length > 0;
  await waitFor(() => isLeft("SELECT FROM cloacina_task_execution WHERE status = 'Waiting'"));
  victim.send({ id: handle.id, item: 0 });
  expect(await victim.end()).toMatchObject({ signal: 'SIGKILL' });
  // The server may still work on its last statement.
  const working = `SELECT FROM pg_stat_activity WHERE query LIKE '%${STATEMENTS.sendSignals}%'
    AND state = 'active' AND datname = current_database() AND pid <> pg_backend_pid()`;
  await waitFor(async () => !(await isLeft(working)));
  const { length: stored } = await query('SELECT FROM cloacina_signal');
  expect(fates).toContain(stored);
  await openTenant([mailbox()], { schema });
  for (let n = stored; n < 2; n++) await runner.signal(handle, Item, n);
  const { context } = await handle.result({ timeout: '60s' });
  expect(context).toMatchObject({ got: [0, 1] });
  expect(await query('SELECT FROM cloacina_signal WHERE consumed')).toHaveLength(2);
});
