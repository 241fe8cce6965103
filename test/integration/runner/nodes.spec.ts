import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import { taskFailed, taskSkipped, contextValue } from '../../../lib/workflow/trigger-rule.js';
import { openTenant, sharedTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const Go = defineSignal<{ readonly n: number }>('go');
const Never = defineSignal<string>('never');
const Paid = defineEvent<{ readonly amount: number }>('paid');

const inTenant = sharedTenant({ maxConcurrentTasks: 50 });

/** Waits until a task of the execution is suspended. */
async function waiting({ runner }: OpenTenant, id: string): Promise<void> {
  await waitFor(
    async () => (await runner.get(id))?.tasks.some(({ status }) => status === 'Waiting'),
    { what: 'a suspended task' },
  );
}

describe('A node that waits', () => {
  it(
    'takes a signal, also one sent before, as the context key of its name',
    inTenant((serve) => {
      const both = serve(
        defineWorkflow('both')
          .waitFor('first', { signal: Go })
          .waitFor('second', { signal: Go, dependsOn: ['first'] })
          .task('sum', { dependsOn: ['second'] }, (context) => ({
            sum: context.require('first').n + context.require('second').n,
          }))
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(both);
        await waiting(tenant, id);
        const { waitingFor, tasks } = (await runner.get(id))!;
        expect(waitingFor).toMatchObject({ reason: 'signal', task: 'first' });
        expect(tasks[0]).toMatchObject({ name: 'first', status: 'Waiting', attempt: 1 });
        await runner.signal(id, Go, { n: 1 });
        await runner.signal(id, Go, { n: 2 });
        const { context } = await runner.handle(id).result();
        expect(context).toEqual({ first: { n: 1 }, second: { n: 2 }, sum: 3 });
      };
    }),
  );

  it(
    'takes an event by the key that a context key has',
    inTenant((serve) => {
      const invoice = serve(
        defineWorkflow<{ invoiceId: number }>('invoice')
          .waitFor('payment', { event: Paid, key: 'invoiceId' })
          .task('thank', { dependsOn: ['payment'] }, (context) => ({
            thanked: context.require('payment').amount,
          }))
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(invoice, { invoiceId: 17 });
        await waiting(tenant, id);
        await runner.emit(Paid, '18', { amount: 1 });
        await runner.emit(Paid, '17', { amount: 20 });
        expect((await runner.handle(id).result()).context).toMatchObject({ thanked: 20 });
        const missing = await runner.execute(invoice, {}, { settled: true });
        expect(missing.error).toMatchObject({ code: 'INVALID_CONTEXT' });
      };
    }),
  );

  it(
    'fails, is skipped or completes when its time is over',
    inTenant((serve) => {
      const build = <O extends 'fail' | 'skip' | 'complete'>(name: string, onTimeout: O) =>
        serve(
          defineWorkflow(name)
            .waitFor('answer', { signal: Never, timeout: '20ms', onTimeout })
            .task('next', { dependsOn: ['answer'] }, () => ({ next: true }))
            .task('failed', { dependsOn: ['answer'], when: taskFailed('answer') }, () => ({
              handled: true,
            }))
            .task('skipped', { dependsOn: ['answer'], when: taskSkipped('answer') }, () => ({
              wasSkipped: true,
            }))
            .build(),
        );
      const workflows = [
        build('fails', 'fail'),
        build('skips', 'skip'),
        build('completes', 'complete'),
      ];
      return async ({ runner }) => {
        const results = await Promise.all(
          workflows.map((workflow) => runner.execute(workflow, {}, { settled: true })),
        );
        expect(results.map(({ status, context }) => [status, context])).toEqual([
          ['Completed', { handled: true }],
          ['Completed', { wasSkipped: true }],
          ['Completed', { next: true }],
        ]);
        const answers = results.map(({ tasks }) => tasks.find(({ name }) => name === 'answer'));
        expect(answers).toEqual([
          expect.objectContaining({
            status: 'Failed',
            attempt: 1,
            error: expect.objectContaining({ code: 'SIGNAL_TIMEOUT', name: 'SignalTimeoutError' }),
          }),
          expect.objectContaining({ status: 'Skipped', skipReason: 'timeout' }),
          expect.objectContaining({ status: 'Completed' }),
        ]);
      };
    }),
  );

  it(
    'waits again after a manual retry',
    inTenant((serve) => {
      const late = serve(
        defineWorkflow('late').waitFor('answer', { signal: Go, timeout: '20ms' }).build(),
      );
      return async ({ runner, query }) => {
        const begun = async () => {
          const sql = 'SELECT started_at, status FROM cloacina_task_step WHERE execution_id = $1';
          return query<{ started_at: Date; status: string }>(sql, [id]);
        };
        const { id } = await runner.start(late);
        await runner.handle(id).result({ settled: true });
        const first = await begun();
        await runner.retry(id);
        const { tasks } = await runner.handle(id).result({ settled: true });
        expect(tasks[0]?.error?.code).toBe('SIGNAL_TIMEOUT');
        const second = await begun();
        expect([first, second].map((rows) => rows.map(({ status }) => status))).toEqual([
          ['TimedOut'],
          ['TimedOut'],
        ]);
        expect(second[0]?.started_at).not.toEqual(first[0]?.started_at);
      };
    }),
  );

  it(
    'runs by its rule only',
    inTenant((serve) => {
      const large = serve(
        defineWorkflow<{ total: number }>('large')
          .waitFor('approval', { signal: Never, when: contextValue('total', 'greaterThan', 1000) })
          .build(),
      );
      return async ({ runner }) => {
        const { tasks } = await runner.execute(large, { total: 10 });
        expect(tasks[0]).toMatchObject({ status: 'Skipped', skipReason: 'rule' });
      };
    }),
  );
});

describe('A node that sleeps', () => {
  it(
    'sleeps for a time, or until the time of a context key',
    inTenant((serve) => {
      const sleepy = serve(
        defineWorkflow<{ due: string | number }>('sleepy')
          .sleep('nap', { for: '30ms' })
          .sleep('due', { until: 'due', dependsOn: ['nap'] })
          .task('rise', { dependsOn: ['due'] }, () => ({ at: Date.now() }))
          .build(),
      );
      return async ({ runner }) => {
        const due = Date.now() + 200;
        const { context } = await runner.execute(sleepy, { due: new Date(due).toISOString() });
        expect(context.at).toBeGreaterThanOrEqual(due);
        const past = await runner.execute(sleepy, { due: 0 });
        expect(past.status).toBe('Completed');
        const wrong = await runner.execute(sleepy, { due: 'some day' }, { settled: true });
        expect(wrong.error).toMatchObject({ code: 'INVALID_CONTEXT' });
        expect(wrong.error?.message).toContain('due');
      };
    }),
  );
});

describe('A node with a child', () => {
  it(
    'stores the context of the child, or one key of it',
    inTenant((serve) => {
      const render = serve(
        defineWorkflow<{ id: number }>('render')
          .task('render', (context) => ({ pdf: `${context.require('id')}.pdf` }))
          .build(),
      );
      const parent = serve(
        defineWorkflow<{ number: number }>('parent')
          .child('whole', render, { input: (context) => ({ id: context.require('number') }) })
          .child('pdf', render, {
            input: async (context) => ({ id: context.require('number') + 1 }),
            output: 'pdf',
          })
          .task('join', { dependsOn: ['whole', 'pdf'] }, (context) => ({
            both: [context.require('whole').pdf, context.require('pdf')],
          }))
          .build(),
      );
      return async ({ runner }) => {
        const { id, context } = await runner.execute(parent, { number: 6 });
        expect(context).toMatchObject({
          whole: { id: 6, pdf: '6.pdf' },
          pdf: '7.pdf',
          both: ['6.pdf', '7.pdf'],
        });
        expect((await runner.list({ parent: id })).items).toHaveLength(2);
      };
    }),
  );

  it(
    'gives the child the whole context without a function for the input, and fails with it',
    inTenant((serve) => {
      const strict = serve(
        defineWorkflow<{ ok?: boolean; made?: number }>('strict')
          .task('only', { retry: { maxAttempts: 1 } }, (context) => {
            if (context.get('ok') !== true) throw new Error('not ok');
            return { seen: context.get('made') };
          })
          .build(),
      );
      const outer = serve(
        defineWorkflow<{ ok?: boolean }>('outer')
          .task('make', () => ({ made: 3 }))
          .child('inner', strict, { dependsOn: ['make'] })
          .task('undo', { dependsOn: ['inner'], when: taskFailed('inner') }, () => ({
            undone: true,
          }))
          .build(),
      );
      return async ({ runner }) => {
        const good = await runner.execute(outer, { ok: true });
        expect(good.context.inner).toMatchObject({ ok: true, made: 3, seen: 3 });
        const bad = await runner.execute(outer, { ok: false });
        expect(bad.context).toMatchObject({ undone: true });
        expect(bad.tasks.find(({ name }) => name === 'inner')).toMatchObject({
          status: 'Failed',
          attempt: 1,
          error: { code: 'CHILD_FAILED' },
        });
      };
    }),
  );
});

describe('Nodes of an older definition', () => {
  it('run in code that no longer has them', async () => {
    const schema = freshSchema();
    const old = await openTenant(
      [
        defineWorkflow('changed')
          .waitFor('go', { signal: Go })
          .task('end', { dependsOn: ['go'] }, () => ({ end: 'old' }))
          .build(),
      ],
      { schema },
    );
    const { id } = await old.runner.start('changed');
    await waiting(old, id);
    await old.close();
    const next = await openTenant(
      [
        defineWorkflow('changed')
          .task('end', () => ({ end: 'new' }))
          .build(),
      ],
      { schema },
    );
    await next.runner.signal(id, Go, { n: 9 });
    expect((await next.runner.handle(id).result()).context).toEqual({ go: { n: 9 }, end: 'new' });
  });
});

describe('The graph of a workflow', () => {
  it(
    'tells nodes from tasks',
    inTenant((serve) => {
      const kinds = serve(
        defineWorkflow('kinds')
          .task('a', () => undefined)
          .sleep('b', { for: 5, dependsOn: ['a'] })
          .build(),
      );
      return async ({ runner }) => {
        const { id, tasks } = await runner.execute(kinds, {});
        expect(tasks.map(({ kind }) => kind)).toEqual(['task', 'sleep']);
        expect((await runner.get(id))?.tasks.map(({ kind }) => kind)).toEqual(['task', 'sleep']);
        const graph = runner.workflows().find(({ name }) => name === 'kinds');
        expect(graph?.tasks).toMatchObject([
          { name: 'a', kind: 'task' },
          { name: 'b', kind: 'sleep', node: { kind: 'sleep', forMs: 5 } },
        ]);
      };
    }),
  );
});
