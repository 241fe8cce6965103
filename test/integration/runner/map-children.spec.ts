import { beforeEach, describe, expect, it } from '@jest/globals';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { taskFailed } from '../../../lib/workflow/trigger-rule.js';
import { sharedTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const inTenant = sharedTenant({ maxConcurrentTasks: 20 });
const Go = defineSignal<null>('go');
/** The children that fail when they go on. */
const failing = new Set<number>();

const child = defineWorkflow<{ n: number }>('child')
  .task('wait', async (context) => {
    await context.waitFor(Go);
    if (failing.has(context.require('n'))) throw new NonRetryableError('as planned');
  })
  .build();

beforeEach(() => failing.clear());

const items = (): { n: number }[] => [0, 1, 2].map((n) => ({ n }));

interface Child {
  readonly id: string;
  readonly status: string;
  readonly generation: number;
}

/** The children of an execution, by the numbers of their items. */
function childrenOf({ query }: OpenTenant, id: string): Promise<Child[]> {
  return query<Child>(
    `SELECT id, status, generation FROM cloacina_workflow_execution
     WHERE parent_execution_id = $1 ORDER BY parent_item_no`,
    [id],
  );
}

/** The children once all of them wait. */
async function waiting(tenant: OpenTenant, id: string, count = 3): Promise<Child[]> {
  await waitFor(
    async () => {
      const [row] = await tenant.query<{ waiting: number }>(
        `SELECT count(*)::integer AS waiting FROM cloacina_task_execution t
           JOIN cloacina_workflow_execution x ON x.id = t.execution_id
         WHERE x.parent_execution_id = $1 AND t.status = 'Waiting'`,
        [id],
      );
      return row?.waiting === count;
    },
    { what: 'the children' },
  );
  return childrenOf(tenant, id);
}

const statuses = async (tenant: OpenTenant, id: string): Promise<string[]> =>
  (await childrenOf(tenant, id)).map(({ status }) => status);

describe('The children of a map', () => {
  it(
    'are cancelled with the first failure, also if the execution goes on',
    inTenant((serve) => {
      serve(child);
      const fast = serve(
        defineWorkflow('fast-children')
          .mapChildren('each', child, { items, onItemFailure: 'failFast' })
          .task('handle', { dependsOn: ['each'], when: taskFailed('each') }, () => ({ handled: 1 }))
          .build(),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(fast);
        const children = await waiting(tenant, id);
        failing.add(1);
        await tenant.runner.signal(children[1]!.id, Go, null);
        const { status, context } = await tenant.runner.handle(id).result();
        expect({ status, context }).toMatchObject({
          status: 'Completed',
          context: { handled: 1 },
        });
        expect(await statuses(tenant, id)).toEqual(['Cancelled', 'Failed', 'Cancelled']);
      };
    }),
  );

  it(
    'of which items start by their handlers, too',
    inTenant((serve) => {
      serve(child);
      const fast = serve(
        defineWorkflow('fast-handlers')
          .map('each', { items, onItemFailure: 'failFast' }, async (context) => {
            await context.execute(child, context.item);
          })
          .task('handle', { dependsOn: ['each'], when: taskFailed('each') }, () => ({ handled: 1 }))
          .build(),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(fast);
        const children = await waiting(tenant, id);
        failing.add(0);
        await tenant.runner.signal(children[0]!.id, Go, null);
        await tenant.runner.handle(id).result();
        expect(await statuses(tenant, id)).toEqual(['Failed', 'Cancelled', 'Cancelled']);
      };
    }),
  );

  it(
    'are cancelled with the execution, and those that did not complete are retried in place',
    inTenant((serve) => {
      serve(child);
      const all = serve(
        defineWorkflow('all-children').mapChildren('each', child, { items }).build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(all);
        const children = await waiting(tenant, id);
        failing.add(1);
        await runner.signal(children[0]!.id, Go, null);
        await runner.signal(children[1]!.id, Go, null);
        await waitFor(async () => (await runner.get(id))?.tasks[0]?.items?.open === 1, {
          what: 'the ends of two items',
        });
        await runner.cancel(id);
        await waitFor(
          async () => (await statuses(tenant, id)).join() === 'Completed,Failed,Cancelled',
          { what: 'the cancelled child' },
        );

        failing.clear();
        await runner.retry(id);
        // The one that failed has its signal already.
        const retried = await waiting(tenant, id, 1);
        expect(retried.map((one) => one.id)).toEqual(children.map((one) => one.id));
        await runner.signal(retried[2]!.id, Go, null);
        expect((await runner.handle(id).result()).context).toEqual({
          each: { total: 3, completed: 3, failed: 0, cancelled: 0 },
        });
        const ended = await childrenOf(tenant, id);
        expect(ended.map(({ generation }) => generation)).toEqual([0, 1, 1]);
      };
    }),
  );

  it(
    'that failFast has cancelled are retried in place with the one that failed',
    inTenant((serve) => {
      serve(child);
      const fast = serve(
        defineWorkflow('fast-retried')
          .mapChildren('each', child, { items, onItemFailure: 'failFast' })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(fast);
        const children = await waiting(tenant, id);
        failing.add(2);
        await runner.signal(children[2]!.id, Go, null);
        await runner.handle(id).result({ settled: true });
        failing.clear();
        await runner.retry(id);
        const retried = await waiting(tenant, id, 2);
        expect(retried.map((one) => one.id)).toEqual(children.map((one) => one.id));
        for (const one of retried.slice(0, 2)) await runner.signal(one.id, Go, null);
        const { context } = await runner.handle(id).result();
        expect(context).toMatchObject({ each: { completed: 3 } });
      };
    }),
  );
});
