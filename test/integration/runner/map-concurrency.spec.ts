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
    await prune();
    expect(await holders()).toEqual([]);
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
