import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { contextValue, notFailed, taskFailed } from '../../../lib/workflow/index.js';
import { aborted, gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

let runs: string[] = [];
let broken = true;
let open = Promise.resolve();
const note = ({ taskName, attempt, idempotencyKey }: TaskContext): { [task: string]: number } => {
  runs.push(taskName);
  keys.add(idempotencyKey);
  return { [taskName]: attempt };
};
const keys = new Set<string>();
const once = { retry: { maxAttempts: 2, delay: 1 } } as const;
const order = defineWorkflow('order')
  .task('prepare', note)
  .task('charge', { dependsOn: ['prepare'], ...once }, async (context) => {
    await open;
    const written = note(context);
    if (broken) throw new Error(`attempt ${context.attempt}`);
    return written;
  })
  .task('ship', { dependsOn: ['charge'] }, note)
  .task('aside', { dependsOn: ['prepare'] }, note)
  .task('option', { dependsOn: ['prepare'], when: contextValue('wanted', 'exists') }, note)
  .task('join', { dependsOn: ['ship', 'aside', 'option'], when: notFailed() }, note)
  .build();
const handling = defineWorkflow('handling')
  .task('fails', { retry: { maxAttempts: 1 } }, (context) => {
    note(context);
    if (broken) throw new Error('on purpose');
  })
  .task('handler', { dependsOn: ['fails'], when: taskFailed('fails') }, note)
  .build();

let one: OpenTenant;
let two: OpenTenant;
beforeAll(async () => {
  const schema = freshSchema();
  one = await openTenant([order, handling], { schema });
  two = await openTenant([order, handling], { schema });
});

describe('A manual retry', () => {
  it('runs again what failed and all that depends on it, and keeps the other outcomes', async () => {
    [runs, broken] = [[], true];
    const failed = await one.runner.execute(order, { given: 1 }, { settled: true });
    expect(failed.tasks.map(({ name, status, skipReason }) => [name, status, skipReason])).toEqual([
      ['prepare', 'Completed', undefined],
      ['charge', 'Failed', undefined],
      ['ship', 'Skipped', 'upstreamFailure'],
      ['aside', 'Completed', undefined],
      ['option', 'Skipped', 'rule'],
      ['join', 'Skipped', 'upstreamFailure'],
    ]);
    [runs, broken] = [[], false];
    await two.runner.retry(failed.id);
    const result = await one.runner.handle(failed.id).result();
    expect(runs.sort()).toEqual(['charge', 'join', 'ship']);
    expect(result).toMatchObject({
      status: 'Completed',
      context: { given: 1, prepare: 1, charge: 1, ship: 1, aside: 1, join: 1 },
    });
    expect(result).not.toHaveProperty('error');
    const [prepare, charge, , aside] = result.tasks;
    // A fresh budget; what was before is kept as an event.
    expect(charge).toMatchObject({ status: 'Completed', attempt: 1, attempts: [{ attempt: 1 }] });
    expect(prepare).toEqual(failed.tasks[0]);
    expect(aside).toEqual(failed.tasks[3]);
    const [reset] = await one.query<{ detail: { attempts: unknown[]; error: unknown } }>(
      `SELECT detail FROM cloacina_execution_event WHERE execution_id = $1 AND kind = 'reset' AND task_no = 1`,
      [failed.id],
    );
    expect(reset?.detail).toMatchObject({ status: 'Failed', error: { message: 'attempt 2' } });
    expect(reset?.detail.attempts).toHaveLength(2);
    // For the world outside it is the same piece of work.
    expect([...keys].filter((key) => key === `${failed.id}:charge`)).toHaveLength(1);
  });

  it('can fail again, and be retried again', async () => {
    [runs, broken] = [[], true];
    const { id } = await one.runner.execute(order, {}, { settled: true });
    for (let i = 0; i < 3; i++) {
      await one.runner.retry(id);
      expect((await one.runner.handle(id).result({ settled: true })).status).toBe('Failed');
    }
    broken = false;
    await one.runner.retry(id);
    expect((await one.runner.handle(id).result()).status).toBe('Completed');
    expect(runs.filter((name) => name === 'charge')).toHaveLength(9);
    expect(runs.filter((name) => name === 'prepare')).toHaveLength(1);
  });

  it('twice at once is won by one', async () => {
    broken = true;
    const { id } = await one.runner.execute(order, {}, { settled: true });
    for (let i = 0; i < 5; i++) {
      [runs, broken] = [[], i < 4];
      const settled = gate();
      open = settled.passed;
      const attempts = await Promise.allSettled(
        Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? one : two).runner.retry(id)),
      );
      const lost = attempts.filter((attempt) => attempt.status === 'rejected');
      settled.open();
      expect(lost).toHaveLength(5);
      for (const { reason } of lost) expect(reason).toMatchObject({ code: 'INVALID_TRANSITION' });
      await one.runner.handle(id).result({ settled: true });
      expect(runs.filter((name) => name === 'ship')).toHaveLength(i < 4 ? 0 : 1);
      expect(runs.filter((name) => name === 'charge')).toHaveLength(i < 4 ? 2 : 1);
    }
  });

  it('runs a cancelled execution from where it stood', async () => {
    [runs, broken] = [[], false];
    const handle = await one.runner.start(order, {}, { delay: '1h' });
    await handle.cancel();
    // Its time has come.
    await one.query('UPDATE cloacina_workflow_execution SET run_at = now() WHERE id = $1', [
      handle.id,
    ]);
    await one.runner.retry(handle.id);
    expect((await handle.result()).status).toBe('Completed');
    expect(runs).toHaveLength(5);
  });

  it('runs what a handled failure has settled, too', async () => {
    [runs, broken] = [[], true];
    const { id, status } = await one.runner.execute(handling);
    expect(status).toBe('Completed');
    broken = false;
    await one.runner.retry(id);
    const result = await one.runner.handle(id).result();
    expect(result.tasks).toMatchObject([
      { status: 'Completed' },
      { status: 'Skipped', skipReason: 'rule' },
    ]);
    expect(runs).toEqual(['fails', 'handler', 'fails']);
  });

  it('is refused for what goes on, and for what went well', async () => {
    const free = gate();
    const workflow = defineWorkflow('fine')
      .task('only', () => free.passed)
      .build();
    const { runner } = await openTenant([workflow]);
    const handle = await runner.start(workflow);
    await expect(runner.retry(handle.id)).rejects.toMatchObject({
      code: 'INVALID_TRANSITION',
      action: 'retry',
    });
    free.open();
    await handle.result();
    await expect(runner.retry(handle.id)).rejects.toMatchObject({
      code: 'INVALID_TRANSITION',
      from: 'Completed',
    });
  });

  it('counts the timeout of the workflow anew', async () => {
    let begins = 0;
    const workflow = defineWorkflow('timed', { timeout: '1h' })
      .task('only', async ({ signal }) => {
        if (++begins < 3) await aborted(signal);
      })
      .build();
    const { runner, query, engine } = await openTenant([workflow]);
    const { id } = await runner.start(workflow);
    for (const times of [1, 2]) {
      await waitFor(() => begins === times);
      const ahead = await query(
        `SELECT FROM cloacina_workflow_execution WHERE deadline_at > now() + interval '30 min'`,
      );
      expect(ahead).toHaveLength(1);
      await query('UPDATE cloacina_workflow_execution SET deadline_at = now()');
      await engine.enforceDeadlines();
      const result = await runner.handle(id).result({ timeout: '60s', settled: true });
      expect(result).toMatchObject({ status: 'Failed', error: { code: 'WORKFLOW_TIMEOUT' } });
      await runner.retry(id);
    }
    expect((await runner.handle(id).result()).status).toBe('Completed');
    expect(
      await query('SELECT FROM cloacina_workflow_execution WHERE deadline_at IS NOT NULL'),
    ).toEqual([]);
  });
});
