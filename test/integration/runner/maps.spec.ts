import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { ItemResult } from '../../../lib/discovery/map-options.js';
import { taskFailed } from '../../../lib/workflow/trigger-rule.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { sharedTenant, type OpenTenant } from '../../support/open-tenant.js';

const inTenant = sharedTenant({ maxConcurrentTasks: 50 });

/** The results of a map, all of them. */
async function resultsOf(
  { runner }: OpenTenant,
  ...of: Parameters<OpenTenant['runner']['results']>
): Promise<ItemResult[]> {
  const results: ItemResult[] = [];
  for await (const result of runner.results(...of)) results.push(result);
  return results;
}

describe('A map', () => {
  it(
    'runs once for each item, and is joined when all have ended',
    inTenant((serve) => {
      const squares = serve(
        defineWorkflow<{ numbers: number[] }>('squares')
          .task('load', (context) => ({ loaded: context.require('numbers').length }))
          .map(
            'square',
            { dependsOn: ['load'], items: (context) => context.require('numbers') },
            (context) => ({
              root: context.item,
              square: context.item ** 2,
              of: context.require('loaded'),
              key: context.idempotencyKey,
            }),
          )
          .task('sum', { dependsOn: ['square'] }, async (context) => {
            let sum = 0;
            for await (const { value } of context.results<{ square: number }>('square'))
              sum += value!.square;
            return { sum };
          })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const numbers = Array.from({ length: 30 }, (_, n) => n);
        const result = await runner.execute(squares, { numbers });
        expect(result.context).toMatchObject({
          square: { total: 30, completed: 30, failed: 0, cancelled: 0 },
          sum: numbers.reduce((sum, n) => sum + n ** 2, 0),
        });
        const results = await resultsOf(tenant, result.id, 'square');
        const rest = await resultsOf(tenant, result.id, 'square', { after: 27 });
        expect(rest.map(({ index }) => index)).toEqual([28, 29]);
        expect(await resultsOf(tenant, result.id, 'square', { after: 2 ** 31 })).toEqual([]);
        const call = resultsOf(tenant, result.id, 'square', { after: -1 });
        await expect(call).rejects.toThrow(/after must be the index of an item/);
        expect(results).toEqual(
          numbers.map((n) => ({
            index: n,
            item: n,
            status: 'Completed',
            value: { root: n, square: n ** 2, of: 30, key: `${result.id}:square:${n}` },
            attempt: 1,
          })),
        );
        const { tasks } = (await runner.get(result.id))!;
        expect(tasks.find(({ name }) => name === 'square')).toMatchObject({
          status: 'Completed',
          items: { total: 30, completed: 30, failed: 0, open: 0, isComplete: true },
        });
      };
    }),
  );

  it(
    'without items is completed at once',
    inTenant((serve) => {
      const none = serve(
        defineWorkflow('none')
          .map('each', { items: () => [] as number[] }, ({ item }) => item)
          .map('collected', { items: () => new Set<number>(), collect: true }, ({ item }) => item)
          .build(),
      );
      return async ({ runner }) => {
        expect((await runner.execute(none)).context).toEqual({
          each: { total: 0, completed: 0, failed: 0, cancelled: 0 },
          collected: [],
        });
      };
    }),
  );

  it(
    'collects the values of its items in their order',
    inTenant((serve) => {
      const collect = serve(
        defineWorkflow('collect')
          .map(
            'each',
            {
              items: () => [3, 1, 2],
              collect: true,
              onItemFailure: 'continue',
              retry: { maxAttempts: 1 },
            },
            ({ item }) => {
              if (item === 1) throw new Error('one');
              return item === 2 ? undefined : { item };
            },
          )
          .build(),
      );
      return async ({ runner }) => {
        expect((await runner.execute(collect)).context).toEqual({
          each: [{ item: 3 }, null, null],
        });
      };
    }),
  );

  it(
    'gives its handler chunks of items',
    inTenant((serve) => {
      const chunked = serve(
        defineWorkflow('chunked')
          .map(
            'each',
            { items: () => [1, 2, 3, 4, 5], chunk: 2, collect: true },
            ({ item, index }) => ({ index, sum: item.reduce((sum, n) => sum + n, 0) }),
          )
          .build(),
      );
      return async ({ runner }) => {
        expect((await runner.execute(chunked)).context).toEqual({
          each: [
            { index: 0, sum: 3 },
            { index: 1, sum: 7 },
            { index: 2, sum: 5 },
          ],
        });
      };
    }),
  );

  it(
    'retries each item by itself',
    inTenant((serve) => {
      const retried = serve(
        defineWorkflow('retried')
          .map(
            'each',
            { items: () => [0, 1, 2], retry: { maxAttempts: 3, delay: 1 } },
            ({ item, attempt }) => {
              if (attempt <= item) throw new Error(`attempt ${attempt}`);
              return attempt;
            },
          )
          .build(),
      );
      return async (tenant) => {
        const { id, status } = await tenant.runner.execute(retried);
        expect(status).toBe('Completed');
        const results = await resultsOf(tenant, id, 'each');
        expect(results.map(({ attempt, value }) => [attempt, value])).toEqual([
          [1, 1],
          [2, 2],
          [3, 3],
        ]);
      };
    }),
  );
});

describe('The failure of items', () => {
  const failing = (item: number, failed: number): number => {
    if (item < failed) throw new NonRetryableError(`item ${item}`);
    return item;
  };

  it(
    'fails the map after all have run, which a task may handle',
    inTenant((serve) => {
      const fails = serve(
        defineWorkflow('fails')
          .map('each', { items: () => [0, 1, 2, 3] }, ({ item }) => failing(item, 2))
          .task('handle', { dependsOn: ['each'], when: taskFailed('each') }, () => ({
            handled: true,
          }))
          .build(),
      );
      const unhandled = serve(
        defineWorkflow('unhandled')
          .map('each', { items: () => [0, 1, 2, 3] }, ({ item }) => failing(item, 2))
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const handled = await runner.execute(fails, {}, { settled: true });
        expect(handled).toMatchObject({ status: 'Completed', context: { handled: true } });
        const result = await runner.execute(unhandled, {}, { settled: true });
        expect(result).toMatchObject({
          status: 'Failed',
          error: {
            code: 'ITEMS_FAILED',
            message: expect.stringContaining('2 of 4 items of task "each" failed'),
            cause: { message: 'item 0' },
          },
        });
        const failed = await resultsOf(tenant, result.id, 'each', { status: 'Failed' });
        expect(failed).toMatchObject([
          { index: 0, item: 0, error: { message: 'item 0' } },
          { index: 1, item: 1, error: { message: 'item 1' } },
        ]);
        expect((await runner.get(result.id))!.tasks[0]).toMatchObject({
          items: { total: 4, completed: 2, failed: 2, open: 0 },
        });
      };
    }),
  );

  it(
    'is tolerated up to a number or a share',
    inTenant((serve) => {
      const build = (name: string, tolerate: number) =>
        serve(
          defineWorkflow<{ failed: number }>(name)
            .map(
              'each',
              { items: () => Array.from({ length: 10 }, (_, n) => n), onItemFailure: { tolerate } },
              (context) => failing(context.item, context.require('failed')),
            )
            .build(),
        );
      const byNumber = build('tolerated number', 2);
      const byShare = build('tolerated share', 0.2);
      return async ({ runner }) => {
        for (const workflow of [byNumber, byShare]) {
          const two = await runner.execute(workflow, { failed: 2 });
          expect(two.context.each).toEqual({ total: 10, completed: 8, failed: 2, cancelled: 0 });
          const three = await runner.execute(workflow, { failed: 3 }, { settled: true });
          expect(three.error?.code).toBe('ITEMS_FAILED');
        }
      };
    }),
  );
});
