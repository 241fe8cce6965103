import { beforeAll, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { HistoryEntry } from '../../../lib/index.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

let healed = false;
let holds = false;
const order = defineWorkflow('order')
  .task('wait', async (context) => {
    await context.deferUntil(() => holds, { every: 1 });
  })
  .task('charge', { dependsOn: ['wait'], retry: { maxAttempts: 2, delay: 1 } }, () => {
    if (!healed) throw new Error('the card was declined');
  })
  .task('ship', { dependsOn: ['charge'] }, () => undefined)
  .build();
const waiting = defineWorkflow('waiting')
  .task('wait', async (context) => {
    await context.deferUntil(() => false, { every: '1h' });
  })
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([order, waiting]);
});

/** An entry without its times. */
function lineOf(entry: HistoryEntry): string {
  const task = 'task' in entry ? ` ${entry.task}` : '';
  const attempt = entry.type === 'task.attempt' ? ` ${entry.attempt}` : '';
  const status = 'status' in entry ? ` ${entry.status}` : '';
  const reason = 'reason' in entry ? ` (${entry.reason})` : '';
  const error = 'error' in entry ? `: ${entry.error?.message}` : '';
  return `${entry.type}${task}${attempt}${status}${reason}${error}`;
}

it('history() tells all that happened to an execution, in the order in which it did', async () => {
  const { runner } = tenant;
  const handle = await runner.start(order, {}, { tags: { customer: '17' } });
  await waitFor(async () =>
    (await runner.history(handle.id))?.some(({ type }) => type === 'task.deferred'),
  );
  await handle.pause({ reason: 'the carrier is closed' });
  await handle.resume();
  holds = true;
  await handle.result({ settled: true });
  healed = true;
  await runner.retry(handle.id);
  await handle.result();

  const history = (await runner.history(handle.id)) ?? [];
  const declined = ': the card was declined';
  const told = history.map(lineOf).filter((line) => !line.startsWith('task.attempt wait'));
  expect(told).toEqual([
    'execution.created',
    'execution.started',
    'task.deferred wait',
    'execution.paused (the carrier is closed)',
    'execution.resumed',
    `task.attempt charge 1 Failed${declined}`,
    `task.attempt charge 2 Failed${declined}`,
    'task.skipped ship',
    'execution.ended Failed',
    'execution.retried',
    'task.attempt charge 1 Completed',
    'task.attempt ship 1 Completed',
    'execution.ended Completed',
  ]);
  expect(history.map(lineOf)).toContain('task.attempt wait 1 Completed');
  expect(history.find(({ type }) => type === 'execution.retried')).toMatchObject({
    tasks: ['charge', 'ship'],
  });
  expect(history.find((entry) => entry.type === 'task.attempt' && 'error' in entry)).toMatchObject({
    owner: expect.any(String),
    endedAt: expect.any(Date),
    durationMs: expect.any(Number),
  });
});

it('a reason is kept of a pause that is over and of a cancel', async () => {
  const { runner } = tenant;
  const { id } = await runner.start(order, {}, { delay: '1h' });
  await runner.pause(id, { reason: 'lunch' });
  await runner.resume(id);
  await runner.pause(id);
  await runner.cancel(id, { reason: 'enough' });
  const history = (await runner.history(id)) ?? [];
  expect(history.map(lineOf)).toEqual([
    'execution.created',
    'execution.paused (lunch)',
    'execution.resumed',
    'execution.paused',
    'execution.ended Cancelled (enough)',
  ]);
  expect(history[0]).toMatchObject({ runAt: expect.any(Date) });
});

it('a task that waits for its condition has no attempt that a cancel cuts off', async () => {
  const { runner } = tenant;
  const { id } = await runner.start(waiting);
  await waitFor(async () => (await runner.get(id))?.waitingFor?.reason === 'condition');
  await runner.cancel(id);
  expect(((await runner.history(id)) ?? []).map(lineOf)).toEqual([
    'execution.created',
    'execution.started',
    'task.deferred wait',
    'execution.ended Cancelled',
  ]);
});

it('there is none of an execution that does not exist', async () => {
  expect(await tenant.runner.history('01890000-0000-7000-8000-000000000000')).toBeNull();
  expect(await tenant.runner.history('no id')).toBeNull();
});

it('an operator reads tasks by name', async () => {
  const { id } = await tenant.runner.start(order, {}, { delay: '1h' });
  const read = (): Promise<object[]> =>
    tenant.query(
      'SELECT workflow, task, status, process FROM cloacina_task WHERE execution_id = $1 ORDER BY task_no',
      [id],
    );
  // Names have a column of their own: to parse a large definition for each row takes a millisecond.
  await tenant.query(
    `UPDATE cloacina_workflow_definition SET definition = '{}' WHERE name = 'order'`,
  );
  const unclaimed = { workflow: 'order', process: null };
  expect(await read()).toEqual([
    { ...unclaimed, task: 'wait', status: 'Ready' },
    { ...unclaimed, task: 'charge', status: 'NotStarted' },
    { ...unclaimed, task: 'ship', status: 'NotStarted' },
  ]);
  await tenant.query(
    'UPDATE cloacina_task_execution SET definition_id = 1 WHERE execution_id = $1',
    [id],
  );
  expect(await read()).toMatchObject([{ workflow: null, task: 'task 0' }, {}, {}]);
});
