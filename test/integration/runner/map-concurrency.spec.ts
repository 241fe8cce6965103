import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const ITEMS = 300;

describe('The concurrency of a map', () => {
  it('is the number of items that run at a time, in all processes together', async () => {
    let running = 0;
    let most = 0;
    const ran = new Map<number, number>();
    const limited = defineWorkflow('limited')
      .map(
        'each',
        {
          items: () => Array.from({ length: ITEMS }, (_, n) => n),
          concurrency: 4,
          retry: { maxAttempts: 3, delay: 1 },
        },
        async ({ item, attempt }) => {
          running++;
          most = Math.max(most, running);
          ran.set(item, (ran.get(item) ?? 0) + 1);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          if (item % 10 === 0 && attempt === 1) throw new Error('again');
          return item;
        },
      )
      .build();
    const schema = freshSchema();
    const options = { schema, maxConcurrentTasks: 10 };
    const [first] = await Promise.all([
      openTenant([limited], options),
      openTenant([limited], options),
      openTenant([limited], options),
    ]);
    const { context } = await first.runner.execute(limited);
    expect(context.each).toMatchObject({ completed: ITEMS });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    expect([...ran].filter(([item, runs]) => runs !== (item % 10 === 0 ? 2 : 1))).toEqual([]);
    await waitFor(async () => (await first.query(`SELECT FROM cloacina_limit_slot`)).length === 0, {
      what: 'the end of the limit',
    });
  });

  it('holds beside a limit of the items, which they share with others', async () => {
    const running = { map: 0, keys: new Map<string, number>() };
    const most = { map: 0, key: 0 };
    const enter = async (key: string, isItem: boolean): Promise<void> => {
      const ofKey = (running.keys.get(key) ?? 0) + 1;
      running.keys.set(key, ofKey);
      if (isItem) running.map++;
      most.map = Math.max(most.map, running.map);
      most.key = Math.max(most.key, ofKey);
      await new Promise((resolve) => setImmediate(resolve));
      running.keys.set(key, (running.keys.get(key) ?? 0) - 1);
      if (isItem) running.map--;
    };
    const limit = { name: 'mailer', concurrency: 3 };
    const sends = defineWorkflow<{ region: string }>('sends')
      .task('send', { limit: { ...limit, key: 'region' } }, (context) =>
        enter(context.require('region'), false),
      )
      .build();
    const notifies = defineWorkflow('notifies')
      .map(
        'each',
        {
          items: () => Array.from({ length: 60 }, (_, n) => ({ region: `r${n % 2}` })),
          concurrency: 5,
          limit: { ...limit, key: 'item.region' },
          retry: { maxAttempts: 2, delay: 1 },
        },
        async ({ item, index, attempt }) => {
          await enter(item.region, true);
          if (index % 10 === 0 && attempt === 1) throw new Error('again');
        },
      )
      .build();
    const schema = freshSchema();
    const options = { schema, maxConcurrentTasks: 20 };
    const [{ runner }] = await Promise.all([
      openTenant([sends, notifies], options),
      openTenant([sends, notifies], options),
    ]);
    const maps = await Promise.all([1, 2].map(() => runner.start(notifies)));
    const others = Array.from({ length: 40 }, (_, n) =>
      runner.execute(sends, { region: `r${n % 2}` }),
    );
    await Promise.all([...others, ...maps.map((map) => map.result())]);
    expect(most.key).toBe(3);
    expect(most.map).toBeLessThanOrEqual(6);
    const { items } = await runner.limits.list({ name: 'mailer' });
    expect(items.map(({ key, inUse, waiting }) => [key, inUse, waiting])).toEqual([
      ['r0', 0, 0],
      ['r1', 0, 0],
    ]);
  });

  it('holds beside a limit of the items that has more room', async () => {
    let running = 0;
    let most = 0;
    const roomy = defineWorkflow('roomy')
      .map(
        'each',
        {
          items: () => Array.from({ length: 60 }, (_, n) => ({ region: `r${n % 2}` })),
          concurrency: 2,
          limit: { name: 'roomy', key: 'item.region', concurrency: 50 },
        },
        async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
        },
      )
      .build();
    const { runner } = await openTenant([roomy], { maxConcurrentTasks: 20 });
    const { context } = await runner.execute(roomy);
    expect(context.each).toMatchObject({ completed: 60 });
    expect(most).toBeLessThanOrEqual(2);
  });

  it('fails a map with an item that has no key', async () => {
    const keyless = defineWorkflow('keyless')
      .map(
        'each',
        {
          items: () => [{ region: 'a' }, {}],
          limit: { name: 'mailer', key: 'item.region', concurrency: 1 },
          retry: { maxAttempts: 1 },
        },
        () => undefined,
      )
      .build();
    const { runner } = await openTenant([keyless]);
    await expect(runner.execute(keyless)).rejects.toThrow(
      'Item 2 of map "each" at item.region is missing, and limit "mailer" needs it as the key.',
    );
  });

  it('is not used by items that wait or that are retried later', async () => {
    const order: string[] = [];
    const waiting = defineWorkflow('waiting')
      .map(
        'each',
        { items: () => [0, 1, 2, 3], concurrency: 1, retry: { maxAttempts: 2, delay: '1h' } },
        async (context) => {
          if (context.item === 0) await context.sleep('long', '1h');
          if (context.item === 1) throw new Error('later');
          order.push(`${context.item}`);
        },
      )
      .build();
    const tenant = await openTenant([waiting], { schema: freshSchema() });
    const { id } = await tenant.runner.start(waiting);
    await waitFor(() => order.length === 2, { what: 'the other items' });
    expect(order.toSorted()).toEqual(['2', '3']);
    await tenant.runner.cancel(id);
  });

  it.each(['cancelled', 'deleted'])('is forgotten after the map was %s', async (how) => {
    const limited = defineWorkflow('forgotten')
      .map('each', { items: () => [0, 1, 2], concurrency: 1 }, async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      })
      .build();
    const { runner, query, engine } = await openTenant([limited], { schema: freshSchema() });
    const { id } = await runner.start(limited);
    const holders = (): Promise<{ held: number }[]> =>
      query('SELECT cardinality(h_execution) AS held FROM cloacina_limit_slot');
    await waitFor(async () => (await holders())[0]?.held === 1, { what: 'a slot that is held' });
    const prune = () => engine.store.limits.prune(engine.catalog.limits, 3_600_000, null);
    const later = (): Promise<unknown> =>
      query(`UPDATE cloacina_limit_slot
             SET h_at = ARRAY(SELECT at - interval '2 hours' FROM unnest(h_at) AS h(at))`);
    await later();
    // A task that runs for hours holds its slot.
    await prune();
    expect(await holders()).toHaveLength(1);
    await runner.cancel(id);
    if (how === 'deleted') {
      await query(`DELETE FROM cloacina_task_execution WHERE execution_id = $1`, [id]);
    }
    // A claim that looks for a free slot may have locked the row.
    await waitFor(
      async () => {
        await prune();
        return (await holders()).length === 0;
      },
      { what: 'the end of the limit' },
    );
  });

  it('holds after a manual retry', async () => {
    let failing = true;
    let running = 0;
    let most = 0;
    const retried = defineWorkflow('retried')
      .map(
        'each',
        { items: () => Array.from({ length: 20 }, (_, n) => n), concurrency: 2 },
        async ({ item }) => {
          running++;
          most = Math.max(most, running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          if (failing && item > 5) throw new NonRetryableError('no');
        },
      )
      .build();
    const { runner } = await openTenant([retried], { schema: freshSchema() });
    const { id } = await runner.execute(retried, {}, { settled: true });
    failing = false;
    await runner.retry(id);
    expect((await runner.handle(id).result()).context).toMatchObject({ each: { completed: 20 } });
    expect(most).toBeLessThanOrEqual(2);
  });
});
