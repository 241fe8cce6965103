import { expect, test } from '@jest/globals';
import { STATEMENTS, type Failpoint } from '../../faults/workload/failpoints.js';
import { startChild, type TestChild } from '../../support/child-process.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { cases, sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { itemPoller, work, type PollingSettings } from './polling.js';

const SCRIPT = new URL('polling-process.ts', import.meta.url);
const READ = 's.updated_at';
const REPLACE = 'IS NOT DISTINCT FROM $3::text';
const ITEMS = sized(40, 10);

/** Each statement of a poll, before and after the call of its method. */
const POINTS: readonly Failpoint[] = [
  ...(['before', 'after'] as const).map((at) => ({ at, statement: READ })),
  { at: 'begin' },
  ...[REPLACE, STATEMENTS.start, 'pg_notify', STATEMENTS.complete, STATEMENTS.commit].flatMap(
    (statement) => (['before', 'sent', 'after'] as const).map((at) => ({ at, statement })),
  ),
];
const QUICK = cases(
  POINTS,
  ({ at, statement }) =>
    at === 'before' || (at === 'sent' && statement === STATEMENTS.commit) || at === 'begin',
);

function start(settings: Partial<PollingSettings> & { readonly schema: string }): TestChild {
  const all: PollingSettings = { dieAt: null, fromCall: true, outside: false, ...settings };
  return startChild(SCRIPT, { env: { POLLING: JSON.stringify(all) } });
}

/** A process that runs what the pollers start, and polls nothing. */
async function openWorker(): Promise<OpenTenant> {
  const worker = await openTenant([work], { schema: freshSchema() });
  await worker.query('CREATE TABLE item (id integer GENERATED ALWAYS AS IDENTITY)');
  return worker;
}

async function addItems({ query }: OpenTenant, count: number): Promise<void> {
  await query(`INSERT INTO item SELECT FROM generate_series(1, $1::integer)`, [count]);
}

/** How many executions each item has, beginning with the first. */
async function startsByItem({ query }: OpenTenant): Promise<number[]> {
  const rows = await query<{ n: number }>(
    `SELECT count(x.id)::integer AS n FROM item i
       LEFT JOIN cloacina_workflow_execution x ON x.workflow = 'work' AND (x.input ->> 'id')::integer = i.id
     GROUP BY i.id ORDER BY i.id`,
  );
  return rows.map(({ n }) => n);
}

async function pollToTheEnd(worker: OpenTenant): Promise<void> {
  const poller = itemPoller({
    query: async (text: string, values: unknown[]) => ({ rows: await worker.query(text, values) }),
  } as never);
  const last = await openTenant([poller], { schema: worker.schema, maxRecoveryAttempts: 100 });
  const [item] = await worker.query<{ id: number }>('SELECT max(id) AS id FROM item');
  await waitFor(async () => (await last.runner.pollers.get('items'))?.cursor === item!.id, {
    what: 'the cursor of the last item',
  });
  await last.close();
}

test('A poller whose process is killed around each of its statements loses and doubles nothing', async () => {
  const worker = await openWorker();
  const { schema } = worker;
  for (const dieAt of QUICK) {
    await addItems(worker, 2);
    const victim = start({ schema, dieAt, fromCall: dieAt.statement !== READ });
    expect({ dieAt, ...(await victim.end()) }).toMatchObject({ dieAt, signal: 'SIGKILL' });
  }
  await pollToTheEnd(worker);
  expect(await startsByItem(worker)).toEqual(Array.from({ length: 2 * QUICK.length }, () => 1));
});

test('The control: with a cursor outside of the transaction, a kill loses items', async () => {
  const worker = await openWorker();
  await addItems(worker, 2);
  const dieAt: Failpoint = { at: 'before', statement: STATEMENTS.commit };
  const victim = start({ schema: worker.schema, dieAt, outside: true });
  expect(await victim.end()).toMatchObject({ signal: 'SIGKILL' });
  await addItems(worker, 1);
  await pollToTheEnd(worker);
  expect(await startsByItem(worker)).toEqual([0, 0, 1]);
});

test('Several processes of which some are killed while they poll start each item once', async () => {
  const worker = await openWorker();
  const children = Array.from({ length: 4 }, () => start({ schema: worker.schema }));
  const started = async (): Promise<number> =>
    (await startsByItem(worker)).filter((n) => n > 0).length;
  for (const [i, child] of children.entries()) {
    await child.message<{ kind: string }>(({ kind }) => kind === 'ready');
    await addItems(worker, ITEMS);
    await waitFor(async () => (await started()) > i * ITEMS, { what: 'a poll' });
    await child.kill('SIGKILL');
  }
  await pollToTheEnd(worker);
  expect(await startsByItem(worker)).toEqual(Array.from({ length: 4 * ITEMS }, () => 1));
});
