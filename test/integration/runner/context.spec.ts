import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { contextValue } from '../../../lib/workflow/index.js';
import { gate } from '../../support/gate.js';
import { openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const inTenant = sharedTenant();

describe('The context', () => {
  it(
    'is merged by top-level key, nested values replaced whole',
    inTenant((serve) => {
      const merge = serve(
        defineWorkflow('merge')
          .task('first', () => ({ order: { id: 1, lines: [1, 2] }, kept: 'yes' }))
          .task('second', { dependsOn: ['first'] }, (context: TaskContext) => {
            context.set('order', { id: 2 });
            return { later: true };
          })
          .build(),
      );
      return async ({ runner }) => {
        const { context } = await runner.execute(merge, { given: [1], kept: 'no' });
        expect(context).toEqual({ given: [1], kept: 'yes', order: { id: 2 }, later: true });
      };
    }),
  );

  it(
    'takes what the last writer on the way wrote, whatever its sibling carries from before',
    inTenant((serve) => {
      const overwrite = serve(
        defineWorkflow('overwrite')
          .task('base', () => ({ value: 'base' }))
          .task('change', { dependsOn: ['base'] }, () => ({ value: 'changed' }))
          .task('keep', { dependsOn: ['base'] }, () => ({ other: 1 }))
          .task('join', { dependsOn: ['change', 'keep'] }, (context) => ({
            seen: context.get('value'),
          }))
          .build(),
      );
      return async ({ runner, query }) => {
        const { id, context } = await runner.execute(overwrite);
        expect(context).toEqual({ value: 'changed', other: 1, seen: 'changed' });
        expect(
          await query('SELECT * FROM cloacina_execution_event WHERE execution_id = $1', [id]),
        ).toEqual([]);
      };
    }),
  );

  it(
    'carries a deletion like a value',
    inTenant((serve) => {
      const remove = serve(
        defineWorkflow('remove')
          .task('base', () => ({ secret: 'x', stays: 1 }))
          .task('remove', { dependsOn: ['base'] }, (context) => {
            context.delete('secret');
            expect(context.has('secret')).toBe(false);
            expect(context.data).toEqual({ given: 1, stays: 1 });
            context.delete('given');
          })
          .task('idle', { dependsOn: ['base'] }, () => undefined)
          .task('join', { dependsOn: ['remove', 'idle'] }, (context) => ({
            secretIsThere: context.has('secret'),
          }))
          .task('again', { dependsOn: ['join'] }, () => ({ given: 2 }))
          .build(),
      );
      return async ({ runner }) => {
        const { context } = await runner.execute(remove, { given: 1 });
        expect(context).toEqual({ stays: 1, secretIsThere: false, given: 2 });
      };
    }),
  );

  it(
    'settles a conflict by the order in dependsOn, and records it',
    inTenant((serve) => {
      const conflict = serve(
        defineWorkflow('conflict')
          .task('one', () => ({ winner: 'one', same: [1], mine: 1 }))
          .task('two', () => ({ winner: 'two', same: [1] }))
          .task('join', { dependsOn: ['two', 'one'] }, (context) => ({
            seen: context.get('winner'),
          }))
          .task('after', { dependsOn: ['join', 'two'] }, (context) => ({
            afterwards: context.get('winner'),
          }))
          .build(),
      );
      return async ({ runner, query }) => {
        const { id, context } = await runner.execute(conflict);
        expect(context).toEqual({
          winner: 'one',
          same: [1],
          mine: 1,
          seen: 'one',
          afterwards: 'one',
        });
        const events = await query<{ task_no: number; kind: string; detail: unknown }>(
          'SELECT task_no, kind, detail FROM cloacina_execution_event WHERE execution_id = $1',
          [id],
        );
        expect(events).toEqual([
          {
            task_no: 2,
            kind: 'conflict',
            detail: { key: 'winner', tasks: ['one', 'two'], winner: 'one' },
          },
        ]);
      };
    }),
  );

  it(
    'passes through tasks that failed or were skipped, without what they had begun to write',
    inTenant((serve) => {
      const through = serve(
        defineWorkflow('through')
          .task('first', () => ({ first: 1 }))
          .task('fails', { dependsOn: ['first'], retry: { maxAttempts: 1 } }, (context) => {
            context.set('lost', true);
            throw new Error('no');
          })
          .task('skipped', { dependsOn: ['first'], when: contextValue('never', 'exists') }, () => ({
            never: 1,
          }))
          .task(
            'last',
            { dependsOn: ['fails', 'skipped'], when: { kind: 'always' } },
            ({ data }) => ({
              seen: data,
            }),
          )
          .build(),
      );
      return async ({ runner }) => {
        const result = await runner.execute(through, { given: true }, { settled: true });
        expect(result.status).toBe('Failed');
        expect(result.context).toEqual({ given: true, first: 1, seen: { given: true, first: 1 } });
      };
    }),
  );

  it(
    'is, at the end, that of all leaves in the order of declaration',
    inTenant((serve) => {
      const leaves = serve(
        defineWorkflow('leaves')
          .task('root', () => ({ root: 1 }))
          .task('b', { dependsOn: ['root'] }, () => ({ b: 1, both: 'b' }))
          .task('a', { dependsOn: ['root'] }, () => ({ a: 1, both: 'a' }))
          .task('alone', () => ({ alone: 1 }))
          .build(),
      );
      return async ({ runner, query }) => {
        const { id, context } = await runner.execute(leaves);
        expect(context).toEqual({ root: 1, a: 1, b: 1, both: 'a', alone: 1 });
        expect((await runner.get(id))?.context).toEqual(context);
        // Leaves that end in one batch don't know of each other: who ended them writes it afterwards.
        const row = await waitFor(async () => {
          const sql = 'SELECT context FROM cloacina_workflow_execution WHERE id = $1';
          return (await query<{ context: unknown }>(sql, [id]))[0]?.context;
        });
        expect(row).toEqual(context);
      };
    }),
  );

  it('is the same when two processes finish the leaves, and is stored by one of them', async () => {
    const schema = freshSchema();
    const bothRun = gate();
    const ran: string[] = [];
    const leavesIn = (host: string): WorkflowDefinition => {
      const leaf = (name: string) => async (): Promise<object> => {
        ran.push(`${name} in ${host}`);
        if (ran.length === 2) bothRun.open();
        await bothRun.passed;
        return { [name]: 1 };
      };
      return defineWorkflow('two-leaves')
        .task('root', () => ({ root: 1 }))
        .task('left', { dependsOn: ['root'] }, leaf('left'))
        .task('right', { dependsOn: ['root'] }, leaf('right'))
        .build();
    };
    const one = await openTenant([leavesIn('one')], { schema, maxConcurrentTasks: 1 });
    const two = await openTenant([leavesIn('two')], { schema, maxConcurrentTasks: 1 });
    const { id, context } = await one.runner.execute('two-leaves', { given: 1 });
    expect(context).toEqual({ given: 1, root: 1, left: 1, right: 1 });
    expect((await two.runner.get(id))?.context).toEqual(context);
    expect(ran.map((entry) => entry.split(' in ')[1]).sort()).toEqual(['one', 'two']);
    await waitFor(async () => {
      const sql = 'SELECT FROM cloacina_workflow_execution WHERE id = $1 AND context IS NOT NULL';
      return (await one.query(sql, [id])).length === 1;
    });
  });

  it(
    'is made by the reader where it is larger than a page, and stored once only',
    inTenant((serve) => {
      const large = 'x'.repeat(9_000);
      const passing = serve(
        defineWorkflow('passing')
          .task('first', () => ({ first: 1 }))
          .task('last', { dependsOn: ['first'] }, (context) => context.delete('dropped'))
          .build(),
      );
      return async ({ runner, query }) => {
        const stored =
          'SELECT FROM cloacina_workflow_execution WHERE id = $1 AND context IS NOT NULL';
        const small = await runner.execute(passing, { given: 'x', dropped: 1 });
        expect(small.context).toEqual({ given: 'x', first: 1 });
        expect(await query(stored, [small.id])).toHaveLength(1);
        const { id, context } = await runner.execute(passing, { given: large, dropped: 1 });
        expect(context).toEqual({ given: large, first: 1 });
        expect((await runner.get(id))?.context).toEqual(context);
        expect(await query(stored, [id])).toHaveLength(0);
      };
    }),
  );

  it(
    'shows what is known while the execution goes on',
    inTenant((serve) => {
      const halfway = gate();
      const slow = serve(
        defineWorkflow('slow')
          .task('quick', () => ({ quick: 1 }))
          .task('slow', { dependsOn: ['quick'] }, async () => {
            await halfway.passed;
            return { slow: 1 };
          })
          .build(),
      );
      return async ({ runner }) => {
        const handle = await runner.start(slow, { given: 1 });
        for (;;) {
          const execution = await runner.get(handle.id);
          if (execution?.tasks[0]?.status === 'Completed') {
            expect(execution.context).toEqual({ given: 1, quick: 1 });
            break;
          }
          expect(execution?.context).toEqual({ given: 1 });
        }
        halfway.open();
        expect((await handle.result()).context).toEqual({ given: 1, quick: 1, slow: 1 });
      };
    }),
  );
});
