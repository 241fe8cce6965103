import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { type OpenTenant, openTenant, processEngineOf } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

let warnings: string[];
beforeEach(() => {
  warnings = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((text) => void warnings.push(text));
});
afterEach(() => {
  jest.restoreAllMocks();
});

const told = (): string[] => warnings.filter((text) => text.includes('has no handler'));

const order = defineWorkflow('order')
  .task('ship', () => undefined)
  .build();
const refund = defineWorkflow('refund')
  .task('pay', () => undefined)
  .build();
/** The next release: one task is renamed, one workflow is gone. */
const renamed = defineWorkflow('order')
  .task('dispatch', () => undefined)
  .build();

/** Executions of the first release that no process takes, and that have been due for a while. */
async function leave(schema: string): Promise<void> {
  const client = await openTenant([order, refund], { schema, maxConcurrentTasks: 0 });
  for (const workflow of [order, order, refund]) await client.runner.start(workflow);
  await due(client, '90 seconds');
}

async function due({ query }: OpenTenant, since: string): Promise<void> {
  await query(`UPDATE cloacina_task_execution SET run_at = now() - $1::interval`, [since]);
}

it('Tasks that a deploy has left without a handler are a warning at boot, counted, and once', async () => {
  const schema = freshSchema();
  await leave(schema);
  const tenant = await openTenant([renamed], { schema });
  await processEngineOf(tenant).sweepOnce();
  await waitFor(() => told().length > 0);
  expect(told()).toEqual([
    expect.stringMatching(
      new RegExp(
        `^Tenant "${schema}": 3 tasks have been due for over a minute, and this process has no handler for them: ` +
          `"ship" of workflow "order", "pay" of workflow "refund"\\. If a task was renamed`,
      ),
    ),
  ]);
  await processEngineOf(tenant).sweepOnce();
  expect((await tenant.recovery.run()).blocked).toBe(3);
  expect(told()).toHaveLength(1);
});

it('A process that takes no tasks, or has all handlers, warns of none', async () => {
  const schema = freshSchema();
  await leave(schema);
  const client = await openTenant([renamed], { schema, maxConcurrentTasks: 0 });
  await processEngineOf(client).sweepOnce();
  const whole = await openTenant([order, refund], { schema });
  await processEngineOf(whole).sweepOnce();
  const idle = async (): Promise<boolean> =>
    (await whole.runner.list({ status: 'Completed' })).items.length === 3;
  await waitFor(idle);
  expect(told()).toEqual([]);
});
