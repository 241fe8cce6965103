import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { gate, type Gate } from '../../support/gate.js';
import { enginePartOf, openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

interface Scene {
  readonly paused: WorkflowDefinition;
  readonly other: WorkflowDefinition;
  /** What the first task of `paused` waits for. */
  readonly go: Gate;
  /** The tasks that have begun. */
  readonly begun: string[];
}

function scene(): Scene {
  const go = gate();
  const begun: string[] = [];
  const paused = defineWorkflow('paused')
    .task('first', async ({ executionId }) => {
      begun.push(`first ${executionId}`);
      await go.passed;
    })
    .task('second', { dependsOn: ['first'] }, ({ executionId }) => {
      begun.push(`second ${executionId}`);
    })
    .build();
  const other = defineWorkflow('other')
    .task('one', () => ({}))
    .build();
  return { paused, other, go, begun };
}

/** Two processes on one schema. */
async function twoProcesses({ paused, other }: Scene, maxConcurrentTasks = 1) {
  const options = { schema: freshSchema(), maxConcurrentTasks, processTasks: maxConcurrentTasks };
  const here = await openTenant([paused, other], options);
  const there = await openTenant([paused, other], options);
  return { here, there };
}

const knows = ({ engine }: OpenTenant): boolean =>
  engine.workflows.pauses.get('paused') !== undefined;

/** Executions of another workflow, in each process, have been claimed and have ended since. */
async function goneBy(tenants: readonly OpenTenant[], { other }: Scene): Promise<void> {
  for (const { runner } of tenants) {
    for (let n = 0; n < 3; n++) (await runner.execute(other)).orThrow();
  }
}

describe('A paused workflow', () => {
  it('begins no task in any process, accepts starts, and goes on when it is resumed', async () => {
    const of = scene();
    const { here, there } = await twoProcesses(of, 5);
    const running = await there.runner.start(of.paused);
    await waitFor(() => of.begun.length === 1);

    await here.runner.pauseWorkflow(of.paused, { reason: 'the provider is down' });
    await waitFor(() => knows(there));
    const waiting = [
      await here.runner.start(of.paused),
      await there.runner.start(of.paused),
      await there.runner.start('paused', {}, { idempotencyKey: 'keyed' }),
    ];
    const many = await here.runner.startMany(of.paused, [{ n: 1 }, { n: 2 }]);
    // Its running task may end.
    of.go.open();
    await waitFor(async () => {
      const [task] = (await here.runner.get(running.id))!.tasks;
      return task?.status === 'Completed';
    });
    await goneBy([here, there], of);
    expect(of.begun).toEqual([`first ${running.id}`]);

    const since = expect.any(Date);
    const pause = { workflow: 'paused', reason: 'the provider is down', since };
    expect(await there.runner.pausedWorkflows()).toEqual([pause]);
    const waitingFor = {
      reason: 'workflowPaused',
      detail: expect.stringMatching(
        /^Workflow "paused" has been paused since .*: the provider is down\.$/,
      ),
      since,
    };
    expect(await there.runner.get(waiting[0]!.id)).toMatchObject({
      status: 'Pending',
      waitingFor: { ...waitingFor, task: 'first' },
      tasks: [{ waitingFor }, { waitingFor: { reason: 'dependencies' } }],
    });
    const { items } = await here.runner.list({ workflow: of.paused, status: 'Running' });
    expect(items).toMatchObject([
      { id: running.id, waitingFor: { ...waitingFor, task: 'second' } },
    ]);

    await there.runner.resumeWorkflow(of.paused);
    const ids = [running.id, ...waiting.map(({ id }) => id), ...many.ids];
    for (const id of ids) (await here.runner.handle(id).result()).orThrow();
    expect(of.begun.toSorted()).toEqual(
      ids.flatMap((id) => [`first ${id}`, `second ${id}`]).toSorted(),
    );
    expect(await here.runner.pausedWorkflows()).toEqual([]);
  });

  it('gives back what processes have claimed and not begun', async () => {
    const of = scene();
    const { here, there } = await twoProcesses(of);
    // Short handlers make a process claim ahead of its slot.
    await goneBy([here, there], of);
    const { ids } = await here.runner.startMany(
      of.paused,
      Array.from({ length: 50 }, () => ({})),
    );
    await waitFor(() => of.begun.length === 2);
    await here.runner.pauseWorkflow('paused');
    await waitFor(() => knows(there));
    await waitFor(async () => {
      const rows = await here.query<{ status: string; tasks: number }>(
        `SELECT status, count(*)::integer AS tasks FROM cloacina_task_execution
         WHERE task_no = 0 AND definition_id IN (SELECT id FROM cloacina_workflow_definition WHERE name = 'paused')
         GROUP BY 1 ORDER BY 1`,
      );
      return (
        JSON.stringify(rows) === '[{"status":"Ready","tasks":48},{"status":"Running","tasks":2}]'
      );
    });
    of.go.open();
    await goneBy([here, there], of);
    expect(of.begun).toHaveLength(2);
    await here.runner.resumeWorkflow('paused');
    for (const id of ids) (await here.runner.handle(id).result()).orThrow();
  });

  it('stays paused after a restart, also for executions that were recovered', async () => {
    const of = scene();
    const schema = freshSchema();
    const before = await openTenant([of.paused, of.other], { schema });
    await before.runner.pauseWorkflow(of.paused);
    const { id } = await before.runner.start(of.paused);
    await before.close();
    const after = await openTenant([of.paused, of.other], { schema });
    await goneBy([after], of);
    expect(of.begun).toEqual([]);
    expect(await after.runner.pausedWorkflows()).toMatchObject([{ workflow: 'paused' }]);
    of.go.open();
    await after.runner.resumeWorkflow(of.paused);
    (await after.runner.handle(id).result()).orThrow();
  });

  it('is found by a process that heard of nothing', async () => {
    const of = scene();
    const { here, there } = await twoProcesses(of);
    const { catalog, paused } = enginePartOf(there, 'catalog') && {
      catalog: enginePartOf(there, 'catalog'),
      paused: enginePartOf(there, 'paused'),
    };
    await here.runner.pauseWorkflow(of.paused);
    await waitFor(() => knows(there));
    // As if the notification of the resume were lost: the next sweep of a tenant with pauses reads them.
    await here.query('DELETE FROM cloacina_paused_workflow');
    await waitFor(
      () => !paused.areSome && catalog.claimable.ids.length === catalog.served.ids.length,
    );
  });

  it('has tasks with a limit, children and woken tasks that wait too', async () => {
    const schema = freshSchema();
    const begun: string[] = [];
    const child = defineWorkflow('child')
      .task('one', () => {
        begun.push('child');
      })
      .build();
    const limited = defineWorkflow('limited')
      .task('one', { limit: { name: 'one', concurrency: 1 } }, () => {
        begun.push('limited');
      })
      .build();
    const parent = defineWorkflow('parent')
      .task('one', async (context) => {
        await context.execute(child, {});
        begun.push('parent');
      })
      .build();
    const other = scene();
    const tenant = await openTenant([child, limited, parent, other.other], { schema });
    const { runner } = tenant;
    await runner.pauseWorkflow(child);
    await runner.pauseWorkflow(limited);
    const top = await runner.start(parent);
    const alone = await runner.start(limited);
    await waitFor(async () => (await runner.get(top.id))?.waitingFor?.reason === 'child');
    await runner.pauseWorkflow(parent);
    await runner.resumeWorkflow(child);
    await waitFor(() => begun.length === 1);
    await waitFor(async () => (await runner.get(top.id))?.waitingFor?.reason === 'workflowPaused');
    await goneBy([tenant], other);
    expect(begun).toEqual(['child']);
    expect(await runner.get(alone.id)).toMatchObject({ waitingFor: { reason: 'workflowPaused' } });
    await runner.resumeWorkflow(parent);
    await runner.resumeWorkflow(limited);
    for (const { id } of [top, alone]) (await runner.handle(id).result()).orThrow();
    expect(begun.toSorted()).toEqual(['child', 'limited', 'parent']);
  });

  it('must be one that is known, and a resume of another one does nothing', async () => {
    const of = scene();
    const { runner } = await openTenant([of.paused]);
    await expect(runner.pauseWorkflow('pauzed')).rejects.toMatchObject({
      code: 'UNKNOWN_WORKFLOW',
    });
    await expect(runner.pauseWorkflow(of.paused, { reasn: 'x' } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await runner.resumeWorkflow('pauzed');
    await runner.pauseWorkflow(of.paused, { reason: 'one' });
    await runner.pauseWorkflow(of.paused, { reason: 'two' });
    expect(await runner.pausedWorkflows()).toMatchObject([{ reason: 'two' }]);
    await runner.pauseWorkflow(of.paused);
    expect((await runner.pausedWorkflows())[0]).not.toHaveProperty('reason');
  });
});
