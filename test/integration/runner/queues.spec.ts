import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { QueueFullError, StartManyError } from '../../../lib/errors/index.js';
import { PRIORITY_LEVELS } from '../../../lib/workflow/index.js';
import { openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const MAX = 3;
/** A process that only starts. */
const inClient = sharedTenant({ maxConcurrentTasks: 0 });

const bounded = (name: string, maxPending = MAX) =>
  defineWorkflow(name, { maxPending })
    .task('one', () => ({}))
    .build();

const inputs = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));

describe('maxPending', () => {
  it(
    'refuses starts while so many executions have not begun',
    inClient((serve) => {
      const of = serve(bounded('full'));
      return async ({ runner }) => {
        const [first] = await Promise.all(inputs(MAX).map((input) => runner.start(of, input)));
        const full = { code: 'QUEUE_FULL', workflow: 'full', pending: MAX, maxPending: MAX };
        await expect(runner.start(of)).rejects.toMatchObject(full);
        await expect(runner.execute(of)).rejects.toBeInstanceOf(QueueFullError);
        await expect(runner.start('full')).rejects.toMatchObject(full);
        const [counts] = await runner.counts({ workflow: of });
        expect(counts?.total).toBe(MAX);
        await first!.cancel();
        await waitFor(() => runner.start(of));
      };
    }),
  );

  it(
    'ends a bulk start, which tells how far it came',
    inClient((serve) => {
      const of = serve(bounded('many', 10));
      return async ({ runner }) => {
        const error: unknown = await runner.startMany(of, inputs(30)).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(StartManyError);
        expect(error).toMatchObject({ cause: { code: 'QUEUE_FULL' } });
        const [counts] = await runner.counts({ workflow: of });
        expect(counts?.total).toBe((error as StartManyError).created);
      };
    }),
  );

  it('does not hold up a process that begins what it starts', async () => {
    const of = bounded('quick', 20);
    const { runner } = await openTenant([of]);
    // More than the bound in all: none of them waits when the queue is counted.
    for (const input of inputs(40)) (await runner.execute(of, input)).orThrow();
  });

  it('must be a whole number, and priorityAging a duration', async () => {
    const wrong = (options: object) =>
      openTenant([
        defineWorkflow('wrong', options)
          .task('one', () => ({}))
          .build(),
      ]);
    await expect(wrong({ maxPending: 0 })).rejects.toThrow('maxPending must be a whole number');
    await expect(wrong({ priorityAging: '10 parsecs' })).rejects.toThrow('priorityAging must be');
    await expect(wrong({ priorityAging: 10 })).rejects.toThrow('at least 1000 ms');
  });
});

describe('Priorities', () => {
  it(
    'have 21 levels in the index, however many different ones are given',
    inClient((serve) => {
      const of = serve(
        defineWorkflow('levels')
          .task('low', { priority: -20 }, () => ({}))
          .task('high', { priority: 40 }, () => ({}))
          .build(),
      );
      return async ({ runner, query }) => {
        const items = inputs(201).map((input, n) => [input, { priority: n - 100 }] as const);
        await runner.startMany(of, items);
        const rows = await query<{ priority: number }>(
          'SELECT DISTINCT priority FROM cloacina_task_execution ORDER BY 1',
        );
        expect(rows.map(({ priority }) => priority)).toEqual(PRIORITY_LEVELS);
        await expect(runner.start(of, {}, { priority: 101 })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
      };
    }),
  );

  it('of tasks that have been due for long rise with priorityAging, and only of these workflows', async () => {
    const schema = freshSchema();
    const aging = defineWorkflow('aging', { priorityAging: '10m' })
      .task('one', () => ({}))
      .build();
    const strict = defineWorkflow('strict')
      .task('one', () => ({}))
      .build();
    const client = await openTenant([aging, strict], { schema, maxConcurrentTasks: 0 });
    for (const each of [aging, strict]) await client.runner.start(each, {}, { priority: -100 });
    await client.query("UPDATE cloacina_task_execution SET run_at = now() - interval '25 minutes'");
    // A round of the sweep finds them.
    await waitFor(async () => {
      const rows = await client.query(
        `SELECT x.workflow, t.priority FROM cloacina_task_execution t
         JOIN cloacina_workflow_execution x ON x.id = t.execution_id ORDER BY 1`,
      );
      return (
        JSON.stringify(rows) ===
        JSON.stringify([
          { workflow: 'aging', priority: -50 },
          { workflow: 'strict', priority: -100 },
        ])
      );
    });
  });

  it('of children are those of their parents, exactly', async () => {
    const child = defineWorkflow('child')
      .task('one', () => ({}))
      .build();
    const parent = defineWorkflow('parent')
      .task('one', { priority: 9 }, async (context) => {
        await context.execute(child, {});
      })
      .build();
    const { runner, query } = await openTenant([child, parent]);
    (await runner.execute(parent, {}, { priority: 7 })).orThrow();
    const rows = await query(
      "SELECT priority FROM cloacina_workflow_execution WHERE workflow = 'child'",
    );
    expect(rows).toEqual([{ priority: 7 }]);
  });
});
