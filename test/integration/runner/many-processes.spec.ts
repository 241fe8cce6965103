import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { gate } from '../../support/gate.js';
import { openTenant, stopRounds } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

/** A workflow of one task that notes where it ran; each process has an instance of its own. */
function noting(begins: string[], host: string, wait?: Promise<void>): WorkflowDefinition {
  return defineWorkflow('noting')
    .task('only', async () => {
      begins.push(host);
      await wait;
      return { host };
    })
    .build();
}

describe('Several processes', () => {
  it('share one tenant, thousands of tasks, and none begins twice', async () => {
    const schema = freshSchema();
    const begins = new Map<string, string[]>();
    const shared = (host: string): WorkflowDefinition => {
      const note = async ({ executionId, taskName }: TaskContext): Promise<void> => {
        const key = `${executionId}/${taskName}`;
        begins.set(key, [...(begins.get(key) ?? []), host]);
        if (begins.size % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      };
      return defineWorkflow('shared')
        .task('first', note)
        .task('left', { dependsOn: ['first'] }, note)
        .task('right', { dependsOn: ['first'] }, note)
        .task('last', { dependsOn: ['left', 'right'] }, note)
        .build();
    };
    const hosts = await Promise.all(
      ['one', 'two', 'three'].map((host) =>
        openTenant([shared(host)], { schema, maxConcurrentTasks: 5 }),
      ),
    );
    const handles = await Promise.all(
      Array.from({ length: 600 }, (_, i) => hosts[i % 3]!.runner.start('shared')),
    );
    // Each result is asked for where the execution was not started.
    const results = await Promise.all(
      handles.map(({ id }, i) => hosts[(i + 1) % 3]!.runner.handle(id).result()),
    );
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Completed']));
    expect(begins.size).toBe(2_400);
    expect([...begins.values()].filter((where) => where.length > 1)).toEqual([]);
    expect(new Set([...begins.values()].flat())).toEqual(new Set(['one', 'two', 'three']));
  });

  it('take what a process without room has started: a client', async () => {
    const schema = freshSchema();
    const begins: string[] = [];
    const client = await openTenant([noting(begins, 'client')], { schema, maxConcurrentTasks: 0 });
    await openTenant([noting(begins, 'worker')], { schema });
    const result = await client.runner.execute('noting', {}, { timeout: '60s' });
    expect(result.context).toEqual({ host: 'worker' });
    expect(begins).toEqual(['worker']);
  });

  it('take what is due later from a client, when it is due', async () => {
    const schema = freshSchema();
    const begins: string[] = [];
    const client = await openTenant([noting(begins, 'client')], { schema, maxConcurrentTasks: 0 });
    stopRounds(await openTenant([noting(begins, 'worker')], { schema }));
    const { createdAt, startedAt } = await client.runner.execute(
      'noting',
      {},
      { delay: 200, timeout: '60s' },
    );
    expect(Number(startedAt) - Number(createdAt)).toBeGreaterThanOrEqual(200);
  });

  it('take what a process with all slots taken has started', async () => {
    const schema = freshSchema();
    const begins: string[] = [];
    const busy = gate();
    const one = await openTenant([noting(begins, 'one', busy.passed)], {
      schema,
      maxConcurrentTasks: 1,
    });
    const blocked = await one.runner.start('noting');
    await waitFor(() => begins.length === 1);
    const two = await openTenant([noting(begins, 'two')], { schema });
    const result = await one.runner.execute('noting', {}, { timeout: '60s' });
    expect(result.context).toEqual({ host: 'two' });
    busy.open();
    expect((await two.runner.handle(blocked.id).result()).context).toEqual({ host: 'one' });
  });

  it('take what was prefetched behind short tasks and lies behind a long one', async () => {
    const schema = freshSchema();
    const begins: string[] = [];
    const long = gate();
    const mixed = (host: string): WorkflowDefinition =>
      defineWorkflow('mixed')
        .task('only', async (context) => {
          begins.push(host);
          if (context.get('long') === true) await long.passed;
          return { host };
        })
        .build();
    const one = await openTenant([mixed('one')], { schema, maxConcurrentTasks: 1 });
    for (let i = 0; i < 5; i++) await one.runner.execute('mixed'); // short ones, so that it prefetches
    const blocked = await one.runner.start('mixed', { long: true });
    const behind = await Promise.all(Array.from({ length: 5 }, () => one.runner.start('mixed')));
    await openTenant([mixed('two')], { schema });
    const results = await Promise.all(behind.map((handle) => handle.result({ timeout: '60s' })));
    expect(results.map(({ context }) => context)).toEqual(behind.map(() => ({ host: 'two' })));
    long.open();
    await blocked.result();
  });

  it('leave a workflow to those that serve it', async () => {
    const schema = freshSchema();
    const begins: string[] = [];
    const refusing = { schema, workflows: [] };
    const one = await openTenant([noting(begins, 'one')], refusing);
    const handle = await one.runner.start('noting').catch((error: unknown) => error);
    // Nobody has registered it yet, so the name means nothing in this schema.
    expect(handle).toMatchObject({ code: 'UNKNOWN_WORKFLOW' });
    const two = await openTenant([noting(begins, 'two')], { schema });
    const result = await one.runner.execute('noting', {}, { timeout: '60s' });
    expect(result.context).toEqual({ host: 'two' });
    expect((await two.runner.list()).items).toHaveLength(1);
  });

  it('find work that was there before they came', async () => {
    const schema = freshSchema();
    const begins: string[] = [];
    const client = await openTenant([noting(begins, 'client')], { schema, maxConcurrentTasks: 0 });
    const handle = await client.runner.start('noting');
    const delayed = await client.runner.start('noting', {}, { delay: '1s' });
    await client.close();
    const worker = await openTenant([noting(begins, 'worker')], { schema });
    expect((await worker.runner.handle(handle.id).result()).context).toEqual({ host: 'worker' });
    expect((await worker.runner.handle(delayed.id).result({ timeout: '60s' })).status).toBe(
      'Completed',
    );
  });
});
