import { expect, test } from '@jest/globals';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { startChild } from '../../support/child-process.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import type { BulkProcessSettings } from './bulk-process.js';

const SCRIPT = new URL('bulk-process.ts', import.meta.url);
const EXECUTIONS = sized(2_500, 1_200);
const Go = defineSignal<number>('go');
const work = defineWorkflow('work')
  .task('one', () => ({}))
  .build();

type Kill = Pick<BulkProcessSettings, 'dieAt' | 'statement'>;

/** Kills a process at each of the points, one after the other, while it runs the operation of the schema. */
async function killAt(schema: string, kills: readonly Kill[]): Promise<void> {
  for (const kill of kills) {
    const settings: BulkProcessSettings = { schema, ...kill };
    const child = startChild(SCRIPT, { env: { BULK_PROCESS: JSON.stringify(settings) } });
    expect(await child.end()).toMatchObject({ signal: 'SIGKILL' });
  }
}

/** A process that only calls, with many executions that are due later. */
async function opened(schema: string): Promise<OpenTenant> {
  const client = await openTenant([work], { schema, maxConcurrentTasks: 0 });
  const inputs = Array.from({ length: EXECUTIONS }, (_, n) => ({ n }));
  await client.runner.startMany(work, inputs, { delay: '1d' });
  return client;
}

const POINTS: readonly Kill[] = [
  { dieAt: 'before', statement: 1 },
  { dieAt: 'after', statement: 3 },
  { dieAt: 'after', statement: 4 },
];

test('An operation whose process is killed goes on in another one, and cancels each execution once', async () => {
  const schema = freshSchema();
  const client = await opened(schema);
  const operation = await client.runner.cancelMany({ workflow: work }, { background: true });
  await killAt(schema, POINTS);
  await openTenant([], { schema });
  const { context } = await operation.result();

  const [counts] = await client.runner.counts({ workflow: work });
  expect(counts?.byStatus.Cancelled).toBe(EXECUTIONS);
  const [events] = await client.query<{ all: string; each: string }>(
    `SELECT count(*) AS all, count(DISTINCT execution_id) AS each FROM cloacina_execution_event
     WHERE kind = 'cancelled'`,
  );
  expect(events).toEqual({ all: String(EXECUTIONS), each: String(EXECUTIONS) });
  // What the killed processes cancelled after their last recorded page is missing in the numbers.
  const { matched, changed } = context;
  expect(changed).toBe(matched);
  expect(changed).toBeGreaterThan(0);
  expect(changed).toBeLessThan(EXECUTIONS);
});

test('An operation whose process is killed sends each execution one signal', async () => {
  const schema = freshSchema();
  const client = await opened(schema);
  const options = { background: true } as const;
  const operation = await client.runner.signalMany({ workflow: work }, Go, 7, options);
  await killAt(schema, [
    { dieAt: 'after', statement: 2 },
    { dieAt: 'before', statement: 3 },
  ]);
  await openTenant([], { schema });
  const { context } = await operation.result();
  expect(context).toMatchObject({ matched: EXECUTIONS, changed: EXECUTIONS });
  const [signals] = await client.query<{ all: string; each: string }>(
    'SELECT count(*) AS all, count(DISTINCT execution_id) AS each FROM cloacina_signal',
  );
  expect(signals).toEqual({ all: String(EXECUTIONS), each: String(EXECUTIONS) });
});

test('An operation whose process is killed deletes all of its executions', async () => {
  const schema = freshSchema();
  const client = await opened(schema);
  const cancelled = await client.runner.cancelMany({ workflow: work }, { background: true });
  const worker = await openTenant([], { schema });
  await cancelled.result();
  await worker.close();
  const operation = await client.runner.deleteMany({ workflow: work }, { background: true });
  await killAt(schema, [{ dieAt: 'after', statement: 3 }]);
  await openTenant([], { schema });
  await operation.result();
  const left = await client.query(
    "SELECT FROM cloacina_workflow_execution WHERE workflow = 'work' UNION ALL SELECT FROM cloacina_task_execution t WHERE NOT EXISTS (SELECT FROM cloacina_workflow_execution x WHERE x.id = t.execution_id)",
  );
  expect(left).toEqual([]);
});
