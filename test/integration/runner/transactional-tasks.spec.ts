import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { currentTask } from '../../../lib/engine/execution/current-task.js';
import { aborted, gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const transactional = { transactional: true, retry: { maxAttempts: 1 } } as const;
const note = (context: TaskContext, text: string): Promise<unknown> =>
  context.manager.query('INSERT INTO note (text) VALUES ($1)', [text]);

let work: (context: TaskContext) => Promise<object | void> = () => Promise.resolve();
const writing = defineWorkflow('writing')
  .task('only', transactional, (context) => work(context))
  .task('next', { dependsOn: ['only'] }, ({ data }) => ({ seen: data }))
  .build();
const fleeting = defineWorkflow('fleeting')
  .task('only', { ...transactional, timeout: 50 }, (context) => work(context))
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([writing, fleeting]);
  await tenant.query('CREATE TABLE note (text text UNIQUE DEFERRABLE INITIALLY DEFERRED)');
});
beforeEach(() => tenant.query('DELETE FROM note'));
const notes = (): Promise<object[]> => tenant.query('SELECT text FROM note');

describe('A transactional task', () => {
  it('commits its writes and its outcome together: nobody sees the one without the other', async () => {
    const ready = gate();
    const free = gate();
    work = async (context) => {
      await note(context, 'written');
      ready.open();
      await free.passed;
      return { result: 1 };
    };
    const handle = await tenant.runner.start(writing);
    await ready.passed;
    expect(await notes()).toEqual([]);
    free.open();
    for (;;) {
      const [row] = await tenant.query<{ status: string; written: number }>(
        `SELECT status, (SELECT count(*) FROM note)::integer AS written
         FROM cloacina_task_execution WHERE execution_id = $1 AND task_no = 0`,
        [handle.id],
      );
      expect(row?.written).toBe(row?.status === 'Completed' ? 1 : 0);
      if (row?.status === 'Completed') break;
    }
    expect((await handle.result()).context).toEqual({ result: 1, seen: { result: 1 } });
  });

  it("starts another execution with its tenant's runner, which stands once the task is committed", async () => {
    let id = '';
    work = async ({ runner, manager }) => {
      expect(runner).toBe(tenant.runner);
      expect(currentTask()?.runner).toBe(runner);
      ({ id } = await runner.start(fleeting, {}, { manager }));
      expect(await runner.get(id)).toBeNull();
      await expect(runner.execute(fleeting)).rejects.toThrow('Awaiting execute() inside a task');
      work = () => Promise.resolve();
    };
    await tenant.runner.execute(writing);
    expect(await tenant.runner.handle(id).result()).toMatchObject({ status: 'Completed' });
  });

  it('rolls back what it wrote when it throws, and when what it returns is refused', async () => {
    work = async (context) => {
      await note(context, 'written');
      throw new Error('on purpose');
    };
    expect(await tenant.runner.execute(writing, {}, { settled: true })).toMatchObject({
      status: 'Failed',
      error: { message: 'on purpose' },
    });
    work = async (context) => {
      await note(context, 'written');
      return { bad: 1n };
    };
    expect(await tenant.runner.execute(writing, {}, { settled: true })).toMatchObject({
      status: 'Failed',
      error: { code: 'INVALID_CONTEXT' },
    });
    expect(await notes()).toEqual([]);
  });

  it('rolls back when it is cancelled while it runs', async () => {
    const ready = gate();
    work = async (context) => {
      await note(context, 'written');
      ready.open();
      await aborted(context.signal);
      return { ignored: true };
    };
    const handle = await tenant.runner.start(writing);
    await ready.passed;
    await handle.cancel();
    await waitFor(() => !tenant.engine.isBusy);
    expect(await notes()).toEqual([]);
    expect(await handle.result({ settled: true })).toMatchObject({
      status: 'Cancelled',
      context: {},
    });
  });

  it('rolls back when its claim is lost without its knowing', async () => {
    const ready = gate();
    const free = gate();
    work = async (context) => {
      await note(context, 'written');
      ready.open();
      await free.passed;
    };
    const handle = await tenant.runner.start(writing);
    await ready.passed;
    // As another process does that took this one for lost.
    await tenant.query(
      `UPDATE cloacina_task_execution SET claim_token = claim_token + 1, owner = NULL, status = 'Cancelled'
       WHERE execution_id = $1`,
      [handle.id],
    );
    free.open();
    await waitFor(() => !tenant.engine.isBusy);
    expect(await notes()).toEqual([]);
    await handle.cancel();
  });

  it('rolls back when it timed out, whenever it returns', async () => {
    const free = gate();
    work = async (context) => {
      await note(context, 'written');
      await aborted(context.signal);
      await free.passed;
    };
    expect(await tenant.runner.execute(fleeting, {}, { settled: true })).toMatchObject({
      status: 'Failed',
      error: { code: 'TASK_TIMEOUT' },
    });
    free.open();
    await waitFor(() => !tenant.engine.isBusy);
    expect(await notes()).toEqual([]);
  });

  it('fails when its COMMIT does, or when it caught the error of a statement', async () => {
    await tenant.query(`INSERT INTO note VALUES ('taken')`);
    work = async (context) => {
      await note(context, 'taken'); // a constraint that is checked at the COMMIT
    };
    expect((await tenant.runner.execute(writing, {}, { settled: true })).error).toMatchObject({
      code: '23505',
    });
    work = async (context) => {
      await note(context, 'written');
      await context.manager.query('SELECT * FROM nowhere').catch(() => undefined);
    };
    expect((await tenant.runner.execute(writing, {}, { settled: true })).error?.message).toMatch(
      /was caught/,
    );
    work = async (context) => {
      await note(context, 'taken');
      await context.manager.query('ROLLBACK');
      return { stands: true };
    };
    expect(await tenant.runner.execute(writing, {}, { settled: true })).toMatchObject({
      status: 'Failed',
      context: {},
      error: { message: expect.stringMatching(/ended by a COMMIT or ROLLBACK/) as unknown },
    });
    expect(await notes()).toEqual([{ text: 'taken' }]);
  });

  it("runs with the tenant's schema as search_path, as all that goes over its data source", async () => {
    work = async (context) => {
      await note(context, 'unqualified');
      const [row] = (await context.manager.query('SHOW search_path')) as { search_path: string }[];
      return { path: row?.search_path };
    };
    const { context } = await tenant.runner.execute(writing);
    expect(String(context['path']).replaceAll('"', '')).toBe(tenant.schema);
    expect(await notes()).toEqual([{ text: 'unqualified' }]);
    const [outside] = await tenant.dataSource.query<{ search_path: string }[]>('SHOW search_path');
    expect(outside?.search_path.replaceAll('"', '')).toBe(tenant.schema);
  });

  it('starts other executions in its transaction: they run when it commits, or never existed', async () => {
    const started: string[] = [];
    work = async (context) => {
      if (context.has('child')) return;
      const { manager } = context;
      started.push((await tenant.runner.start(writing, { child: true }, { manager })).id);
      if (context.has('fails')) throw new Error('on purpose');
    };
    expect((await tenant.runner.execute(writing)).status).toBe('Completed');
    expect((await tenant.runner.execute(writing, { fails: true }, { settled: true })).status).toBe(
      'Failed',
    );
    const [runs, never] = started;
    expect((await tenant.runner.handle(runs ?? '').result()).status).toBe('Completed');
    expect(await tenant.runner.get(never ?? '')).toBeNull();
  });

  it('that waits for a connection loses nothing of its timeout, and does not begin when it is cancelled', async () => {
    // Of three connections one is for user code.
    const narrow = await openTenant([writing, fleeting], { schema: tenant.schema, poolSize: 3 });
    const free = gate();
    const begun: string[] = [];
    work = async (context) => {
      begun.push(context.executionId);
      if (context.has('first')) await free.passed;
    };
    const first = await narrow.runner.start(writing, { first: true });
    await waitFor(() => begun.length === 1);
    const [second, third] = [
      await narrow.runner.start(fleeting),
      await narrow.runner.start(writing),
    ];
    const running = (id: string): boolean =>
      narrow.engine.claims.ofExecution(id).some(({ stage }) => stage === 'running');
    await waitFor(() => running(second.id) && running(third.id));
    const since = performance.now();
    await third.cancel();
    await waitFor(() => performance.now() - since > 100);
    free.open();
    expect((await second.result()).tasks[0]).toMatchObject({ status: 'Completed', attempt: 1 });
    await first.result();
    await waitFor(() => !narrow.engine.isBusy);
    expect(begun).toEqual([first.id, second.id]);
  });

  it('is one of many at once, more than there are connections', async () => {
    work = async (context) => {
      await note(context, context.executionId);
    };
    const handles = await Promise.all(
      Array.from({ length: 100 }, () => tenant.runner.start(writing)),
    );
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Completed']));
    expect(await notes()).toHaveLength(100);
  });
});
