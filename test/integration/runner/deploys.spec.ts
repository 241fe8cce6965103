import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { gate } from '../../support/gate.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

/** What one release has under the name "flow": the same name, other tasks, handlers that say whose they are. */
function release(version: string, tasks: string[], free?: Promise<void>): WorkflowDefinition {
  let builder = defineWorkflow('flow', { version });
  tasks.forEach((name, i) => {
    const dependsOn = tasks.slice(Math.max(0, i - 1), i) as never[];
    builder = builder.task(name, { dependsOn }, async () => {
      if (i === 0) await free;
      return { [name]: version };
    });
  });
  return builder.build();
}

describe('A deploy', () => {
  it('leaves what runs on its definition, with the handlers of the running code by name', async () => {
    const schema = freshSchema();
    const old = await openTenant([release('1', ['a', 'b', 'c'])], {
      schema,
      maxConcurrentTasks: 0,
    });
    const started = await old.runner.start('flow');
    await old.close();
    const now = await openTenant([release('2', ['a', 'c', 'b', 'd'])], { schema });
    const pinned = await now.runner.handle(started.id).result();
    expect(pinned).toMatchObject({ version: '1', context: { a: '2', b: '2', c: '2' } });
    expect(pinned.tasks.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    const fresh = await now.runner.execute('flow');
    expect(fresh.version).toBe('2');
    expect(fresh.tasks.map(({ name }) => name)).toEqual(['a', 'c', 'b', 'd']);
  });

  it('leaves a task that the running code does not have to those that have it', async () => {
    const schema = freshSchema();
    const first = await openTenant([release('1', ['a', 'gone', 'c'])], {
      schema,
      maxConcurrentTasks: 0,
    });
    const handle = await first.runner.start('flow');
    const now = await openTenant([release('2', ['a', 'c'])], { schema });
    await waitFor(async () => (await now.runner.get(handle.id))?.tasks[1]?.status === 'Ready');
    expect((await now.runner.get(handle.id))?.tasks).toMatchObject([
      { status: 'Completed' },
      { status: 'Ready', attempt: 0, waitingFor: { reason: 'handler' } },
      { status: 'NotStarted' },
    ]);
    // It stays due, and other work is done as ever, also what becomes due later.
    expect((await now.runner.execute('flow', {}, { delay: 100, timeout: '60s' })).status).toBe(
      'Completed',
    );
    expect((await now.runner.get(handle.id))?.tasks[1]?.status).toBe('Ready');
    await openTenant([release('1', ['a', 'gone', 'c'])], { schema });
    expect((await handle.result({ timeout: '60s' })).context).toMatchObject({ a: '2', gone: '1' });
  });

  it('has several releases at work at once, each on what it knows', async () => {
    const schema = freshSchema();
    const one = await openTenant([release('1', ['a', 'b'])], { schema });
    const two = await openTenant([release('2', ['a', 'b', 'c'])], { schema });
    const handles = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).runner.start('flow')),
    );
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results.map(({ status, version, tasks }) => [status, version, tasks.length])).toEqual(
      results.map((_, i) => ['Completed', i % 2 === 0 ? '1' : '2', i % 2 === 0 ? 2 : 3]),
    );
    // The old code may have met the new definition, and then runs those of its tasks that it has: all but the last.
    const either = expect.stringMatching(/^[12]$/);
    for (const { context } of results.filter((_, i) => i % 2 === 1)) {
      expect(context).toEqual({ a: either, b: either, c: '2' });
    }
  });

  it('goes on in the middle of an execution whose process is replaced', async () => {
    const schema = freshSchema();
    const free = gate();
    const old = await openTenant([release('1', ['a', 'b'], free.passed)], {
      schema,
      shutdownTimeoutMs: 5_000,
    });
    const { id } = await old.runner.start('flow');
    await waitFor(async () => (await old.runner.get(id))?.tasks[0]?.status === 'Running');
    const closing = old.close();
    free.open();
    await closing;
    const now = await openTenant([release('2', ['b', 'a'])], { schema });
    const { context, tasks } = await now.runner.handle(id).result();
    expect(context).toEqual({ a: '1', b: '2' });
    expect(tasks.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
  });

  it('that is taken back makes the older definition the newest again', async () => {
    const schema = freshSchema();
    await (await openTenant([release('1', ['a'])], { schema })).close();
    await (await openTenant([release('2', ['a', 'b'])], { schema })).close();
    const client = await openTenant([], { schema });
    expect((await client.runner.get((await client.runner.start('flow')).id))?.version).toBe('2');
    await (await openTenant([release('1', ['a'])], { schema })).close();
    expect((await client.runner.get((await client.runner.start('flow')).id))?.version).toBe('1');
    const definitions = await client.query('SELECT FROM cloacina_workflow_definition');
    expect(definitions).toHaveLength(2);
  });
});

describe('A process without the workflow', () => {
  it('starts by name the newest stored definition, runs none of it, and sees its end', async () => {
    const schema = freshSchema();
    const worker = await openTenant([release('3', ['a'])], { schema });
    const client = await openTenant([], { schema });
    const result = await client.runner.execute('flow', { given: 1 }, { timeout: '60s' });
    expect(result).toMatchObject({
      status: 'Completed',
      version: '3',
      context: { given: 1, a: '3' },
    });
    expect((await worker.runner.list()).items).toHaveLength(1);
    await expect(client.runner.start('floww')).rejects.toMatchObject({ code: 'UNKNOWN_WORKFLOW' });
  });
});

describe('A deploy that changes what a wait is for', () => {
  const Asked = defineSignal<number>('asked');
  const Told = defineSignal<number>('told');
  const of = (wait: (context: TaskContext) => Promise<unknown>): WorkflowDefinition =>
    defineWorkflow('changed')
      .task('wait', async (context) => ({ got: await wait(context) }))
      .build();

  it.each<[string, (context: TaskContext) => Promise<unknown>, unknown, typeof Asked]>([
    [
      'waits for another signal',
      (context) => context.waitFor(Told, { name: 'answer' }),
      { got: 7 },
      Told,
    ],
    [
      'of several waits for one more',
      (context) => context.waitForAny({ asked: Asked, told: Told }, { name: 'several' }),
      { got: { name: 'told', payload: 7 } },
      Told,
    ],
  ])('%s from then on', async (_, now, context, signal) => {
    const schema = freshSchema();
    const before = await openTenant(
      [
        of(async (task) => {
          const [answer] = await Promise.all([
            task.waitFor(Asked, { name: 'answer' }),
            task.waitForAny({ asked: Asked }, { name: 'several' }),
          ]);
          return answer;
        }),
      ],
      { schema },
    );
    const { id } = await before.runner.start('changed');
    await waitFor(async () => (await before.runner.get(id))?.tasks[0]?.status === 'Waiting');
    const after = await openTenant([of(now)], { schema });
    await before.close();
    await after.engine.store.wake([{ executionId: id, taskNo: 0, itemNo: 0 }]);
    after.engine.claimAvailable();
    await waitFor(
      async () =>
        (await after.query(`SELECT FROM cloacina_task_step WHERE event_name = 'told'`)).length ===
        1,
    );
    await after.runner.signal(id, signal, 7);
    expect((await after.runner.handle(id).result()).context).toEqual(context);
  });
});
