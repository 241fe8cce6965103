import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { ItemPosition, ItemResult } from '../../../lib/discovery/map-options.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { sharedTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const inTenant = sharedTenant({ maxConcurrentTasks: 20 });

async function resultsOf({ runner }: OpenTenant, id: string, name = 'each'): Promise<ItemResult[]> {
  const results: ItemResult[] = [];
  for await (const result of runner.results(id, name)) results.push(result);
  return results;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Counts of the statuses of items. */
async function countsOf(tenant: OpenTenant, id: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status } of await resultsOf(tenant, id)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe('With failFast', () => {
  it(
    'the first failure cancels the items that have not ended',
    inTenant((serve) => {
      let begun = 0;
      const fast = serve(
        defineWorkflow('fast')
          .map('each', { items: () => upTo(500), onItemFailure: 'failFast' }, async (context) => {
            begun++;
            if (context.item === 3) throw new NonRetryableError('three');
            if (context.item < 3) return context.item;
            await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
            return undefined;
          })
          .build(),
      );
      return async (tenant) => {
        const result = await tenant.runner.execute(fast, {}, { settled: true });
        expect(result.error).toMatchObject({ code: 'ITEMS_FAILED', cause: { message: 'three' } });
        expect(await countsOf(tenant, result.id)).toMatchObject({ Failed: 1 });
        const { Cancelled = 0, Completed = 0 } = await countsOf(tenant, result.id);
        expect(Cancelled + Completed).toBe(499);
        expect(Cancelled).toBeGreaterThan(490);
        // The slots of this process, and no more.
        expect(begun).toBeLessThan(50);
        expect(result.tasks[0]!.items).toMatchObject({ open: 0, failed: Cancelled + 1 });
      };
    }),
  );
});

describe('The execution of a map', () => {
  it(
    'is cancelled with its items',
    inTenant((serve) => {
      const slow = serve(
        defineWorkflow('slow')
          .map('each', { items: () => upTo(100) }, async ({ signal }) => {
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(slow);
        await waitFor(async () => (await runner.get(id))?.tasks[0]?.items?.open === 100, {
          what: 'items',
        });
        expect((await runner.get(id))!.waitingFor).toMatchObject({ reason: 'items', task: 'each' });
        await runner.cancel(id);
        expect(await countsOf(tenant, id)).toEqual({ Cancelled: 100 });
        expect((await runner.get(id))!.tasks[0]).toMatchObject({
          status: 'Cancelled',
          items: { total: 100, completed: 0, failed: 100, open: 0 },
        });
      };
    }),
  );

  it(
    'is paused and resumed with its items',
    inTenant((serve) => {
      const gates = new Map<number, () => void>();
      const paused = serve(
        defineWorkflow('paused')
          .map('each', { items: () => upTo(40) }, async ({ item }) => {
            await new Promise<void>((resolve) => gates.set(item, resolve));
          })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id } = await runner.start(paused);
        await waitFor(() => gates.size === 20, { what: 'full slots' });
        await runner.pause(id);
        for (const open of gates.values()) open();
        await waitFor(async () => (await countsOf(tenant, id)).Completed === 20, {
          what: 'the end of the running items',
        });
        expect(await countsOf(tenant, id)).toEqual({ Completed: 20, Ready: 20 });
        expect(gates.size).toBe(20);
        await runner.resume(id);
        await waitFor(() => gates.size === 40, { what: 'the other items' });
        for (const open of gates.values()) open();
        expect((await runner.handle(id).result()).context).toMatchObject({
          each: { completed: 40 },
        });
      };
    }),
  );

  it(
    'is retried with the items that did not complete, or with all',
    inTenant((serve) => {
      const runs = new Map<number, number>();
      let made = 0;
      let failing = true;
      const again = serve(
        defineWorkflow('again')
          .map(
            'each',
            {
              items: () => {
                made++;
                return upTo(10);
              },
            },
            ({ item }) => {
              runs.set(item, (runs.get(item) ?? 0) + 1);
              if (failing && item % 2 === 1) throw new NonRetryableError('odd');
              return item;
            },
          )
          .task('after', { dependsOn: ['each'] }, () => {
            if (failing) throw new NonRetryableError('after');
          })
          .build(),
      );
      return async (tenant) => {
        const { runner } = tenant;
        const { id, status } = await runner.execute(again, {}, { settled: true });
        expect(status).toBe('Failed');
        failing = false;
        await runner.retry(id);
        expect((await runner.get(id))!.tasks[0]!.items).toMatchObject({ total: 10 });
        const { context } = await runner.handle(id).result();
        expect(context).toMatchObject({ each: { total: 10, completed: 10, failed: 0 } });
        expect(upTo(10).map((item) => runs.get(item))).toEqual([1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
        expect(made).toBe(1);
        const results = await resultsOf(tenant, id);
        expect(results.map(({ value }) => value)).toEqual(upTo(10));
      };
    }),
  );

  it(
    'runs all items again if the retry asks for it, and makes them anew if its input has changed',
    inTenant((serve) => {
      const runs: number[] = [];
      let count = 2;
      let failing = true;
      const anew = serve(
        defineWorkflow('anew')
          .task('load', () => {
            if (count === 1) throw new NonRetryableError('load');
            return { count };
          })
          .map(
            'each',
            { dependsOn: ['load'], items: (context) => upTo(context.require('count')) },
            ({ item }) => {
              runs.push(item);
              if (failing && item === 1) throw new NonRetryableError('one');
            },
          )
          .build(),
      );
      return async ({ runner }) => {
        const { id } = await runner.execute(anew, {}, { settled: true });
        failing = false;
        await runner.retry(id, { items: 'all' });
        await runner.handle(id).result();
        expect(runs.toSorted()).toEqual([0, 0, 1, 1]);
        count = 1;
        const other = await runner.execute(anew, {}, { settled: true });
        count = 3;
        await runner.retry(other.id);
        expect((await runner.handle(other.id).result()).context).toMatchObject({
          each: { total: 3, completed: 3 },
        });
      };
    }),
  );
});

/** More than the 5,000 items that are stored at once. */
const TWO_PARTS = 5_200;

describe('The items of a map', () => {
  it(
    'come from a generator in parts, which run while the next are read',
    inTenant((serve) => {
      let seen: (() => void) | undefined;
      const first = new Promise<void>((resolve) => (seen = resolve));
      const streamed = serve(
        defineWorkflow('streamed')
          .map(
            'each',
            {
              maxItems: 20_000,
              items: async function* () {
                for (let n = 0; n < 5_000; n++) yield n;
                await first;
                for (let n = 5_000; n < TWO_PARTS; n++) yield n;
              },
            },
            ({ item }) => {
              if (item === 4_999) seen?.();
              return item;
            },
          )
          .build(),
      );
      return async (tenant) => {
        const { id, context } = await tenant.runner.execute(streamed);
        expect(context.each).toMatchObject({ total: TWO_PARTS, completed: TWO_PARTS });
        const results = await resultsOf(tenant, id);
        expect(results.map(({ value }) => value)).toEqual(upTo(TWO_PARTS));
      };
    }),
  );

  it(
    'go on behind those that are stored when the function fails',
    inTenant((serve) => {
      const positions: (ItemPosition | undefined)[] = [];
      async function* numbers(from: number): AsyncGenerator<number> {
        for (let n = from; n < TWO_PARTS; n++) yield n;
        if (positions.length === 1) throw new Error('the cursor is gone');
      }
      const build = (name: string, reads: boolean) =>
        serve(
          defineWorkflow(name)
            .map(
              'each',
              {
                retry: { maxAttempts: 2, delay: 1 },
                items: (_, from) => {
                  positions.push(
                    from && reads ? { ...from, after: from.after, count: from.count } : from,
                  );
                  return numbers(reads ? (from?.count ?? 0) : 0);
                },
              },
              ({ item }) => item,
            )
            .build(),
        );
      const goesOn = build('goes on', true);
      const begins = build('begins anew', false);
      return async (tenant) => {
        for (const workflow of [goesOn, begins]) {
          positions.length = 0;
          const { id, context } = await tenant.runner.execute(workflow);
          expect(context.each).toMatchObject({ total: TWO_PARTS, completed: TWO_PARTS });
          expect(positions).toHaveLength(2);
          const results = await resultsOf(tenant, id);
          expect(results.map(({ value }) => value)).toEqual(upTo(TWO_PARTS));
          if (workflow === goesOn)
            expect(positions[1]).toMatchObject({ after: 4_999, count: 5_000 });
        }
      };
    }),
  );

  it(
    'are not more than maxItems; those that run already are cancelled with the map',
    inTenant((serve) => {
      const many = serve(
        defineWorkflow<{ array: boolean }>('many')
          .map(
            'each',
            {
              maxItems: 5_500,
              items: (context) => (context.require('array') ? upTo(6_000) : new Set(upTo(6_000))),
            },
            () => undefined,
          )
          .build(),
      );
      return async (tenant) => {
        const array = await tenant.runner.execute(many, { array: true }, { settled: true });
        expect(array.error).toMatchObject({ code: 'TOO_MANY_ITEMS' });
        expect(await resultsOf(tenant, array.id)).toEqual([]);
        const set = await tenant.runner.execute(many, { array: false }, { settled: true });
        expect(set.error).toMatchObject({ code: 'TOO_MANY_ITEMS' });
        const counts = await countsOf(tenant, set.id);
        expect((counts.Cancelled ?? 0) + (counts.Completed ?? 0)).toBe(5_000);
      };
    }),
  );

  it(
    'may not wait, write, or be something else than JSON',
    inTenant((serve) => {
      const build = (name: string, items: unknown) =>
        serve(
          defineWorkflow(name)
            .map('each', { items: items as () => unknown[] }, () => undefined)
            .build(),
        );
      const waits = build('waits', (context: { sleep(name: string, ms: number): unknown }) =>
        context.sleep('a', 10),
      );
      const writes = build('writes', (context: { set(key: string, value: number): void }) => {
        context.set('a', 1);
        return [];
      });
      const text = build('text', () => 'abc');
      const bigint = build('bigint', () => [1, 2n]);
      return async ({ runner }) => {
        const codeOf = async (workflow: typeof waits) =>
          (await runner.execute(workflow, {}, { settled: true })).error?.code;
        expect(await codeOf(waits)).toBe('NOT_ALLOWED');
        expect(await codeOf(writes)).toBe('NOT_ALLOWED');
        expect(await codeOf(text)).toBe('INVALID_ARGUMENT');
        expect(await codeOf(bigint)).toBe('INVALID_CONTEXT');
      };
    }),
  );

  it(
    'wait, have steps, and start children as tasks do',
    inTenant((serve) => {
      const steps: number[] = [];
      const child = serve(
        defineWorkflow<{ n: number }>('doubled')
          .task('double', (context) => ({ double: context.require('n') * 2 }))
          .build(),
      );
      const waits = serve(
        defineWorkflow('items that wait')
          .map('each', { items: () => [1, 2, 3], collect: true }, async (context) => {
            await context.step('once', () => void steps.push(context.item));
            await context.sleep('a moment', 5);
            return (await context.execute(child, { n: context.item })).double;
          })
          .mapChildren('children', child, {
            items: () => [{ n: 4 }, { n: 5 }],
            output: 'double',
            collect: true,
          })
          .build(),
      );
      return async ({ runner }) => {
        const { context } = await runner.execute(waits);
        expect(context).toEqual({ each: [2, 4, 6], children: [8, 10] });
        expect(steps.toSorted()).toEqual([1, 2, 3]);
      };
    }),
  );
});
