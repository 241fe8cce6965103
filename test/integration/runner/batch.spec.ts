import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';

interface Input {
  key: string;
  n: number;
}
let batches: number[][] = [];
let open = gate();
beforeEach(() => {
  batches = [];
  open = gate();
});
const index = defineWorkflow<Input>('index')
  .task('all', async (context) => {
    const inputs = await context.batch<Input>();
    batches.push(inputs.map(({ n }) => n));
    await open.passed;
    return { count: inputs.length };
  })
  .build();
const skip = defineWorkflow<Input>('skip', { admission: { concurrency: 1, whenFull: 'skip' } })
  .task('first', () => undefined)
  .build();
const turns = defineWorkflow<Input>('turns', { admission: { key: 'key', concurrency: 1 } })
  .task('all', async (context) => {
    batches.push((await context.batch<Input>()).map(({ n }) => n));
  })
  .build();
const limited = defineWorkflow<Input>('limited')
  .task('all', { limit: { name: 'batches', key: 'key', concurrency: 1 } }, async (context) => {
    batches.push((await context.batch<Input>()).map(({ n }) => n));
  })
  .build();

const hour = { key: 'a', size: 3, wait: '1h' } as const;

describe('start({ batch })', () => {
  let one: OpenTenant;
  let runner: OpenTenant['runner'];
  beforeAll(async () => {
    one = await openTenant([index, turns, limited, skip]);
    ({ runner } = one);
  });

  it.each([
    ['without more', index],
    ['with an admission', turns],
    ['with a limit', limited],
  ])('collects inputs, and begins when it is full: %s', async (_, workflow) => {
    open.open();
    const handles = [];
    for (const n of [1, 2, 3]) {
      handles.push(await runner.start(workflow, { key: 'a', n }, { batch: hour }));
    }
    expect(handles.map(({ created }) => created)).toEqual([true, false, false]);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(await handles[2]!.result()).toMatchObject({ status: 'Completed' });
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('begins after its wait with the inputs that it has', async () => {
    open.open();
    const batch = { ...hour, wait: 1 };
    const { id, result } = await runner
      .execute(index, { key: 'a', n: 1 }, { batch })
      .then((ended) => ({ id: ended.id, result: ended }));
    expect(result.context).toMatchObject({ key: 'a', n: 1, count: 1 });
    expect(batches).toEqual([[1]]);
    expect((await runner.get(id))?.status).toBe('Completed');
  });

  it('makes another execution for an input that comes after the begin', async () => {
    const first = await runner.start(index, { key: 'a', n: 1 }, { batch: { ...hour, wait: 0 } });
    await waitFor(() => batches.length === 1);
    const second = await runner.start(index, { key: 'a', n: 2 }, { batch: { ...hour, wait: 0 } });
    expect([second.created, second.id === first.id]).toEqual([true, false]);
    open.open();
    await Promise.all([first.result(), second.result()]);
    expect(batches).toEqual([[1], [2]]);
  });

  it('gives an execution without a batch its own input', async () => {
    open.open();
    await runner.execute(index, { key: 'a', n: 7 });
    expect(batches).toEqual([[7]]);
  });

  it('reads the same inputs in a later attempt and after a manual retry', async () => {
    const seen: number[][] = [];
    const failing = defineWorkflow<Input>('failing')
      .task('all', { retry: { maxAttempts: 2, delay: 0 } }, async (context) => {
        seen.push((await context.batch<Input>()).map(({ n }) => n));
        if (seen.length < 3) throw new Error('again');
      })
      .build();
    const { runner: own } = await openTenant([failing]);
    const batch = { ...hour, size: 2 };
    const { id } = await own.start(failing, { key: 'a', n: 1 }, { batch });
    await own.start(failing, { key: 'a', n: 2 }, { batch });
    await waitFor(async () => (await own.get(id))?.status === 'Failed');
    const next = await own.start(failing, { key: 'a', n: 3 }, { batch });
    expect(next.created).toBe(true);
    await own.retry(id);
    await waitFor(async () => (await own.get(id))?.status === 'Completed');
    expect(seen).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it('has each input in exactly one batch, while eight starters race with the begins', async () => {
    open.open();
    const two = await openTenant([index], { schema: one.schema });
    const perStarter = sized(100, 20);
    const ids = new Set<string>();
    let created = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, starter) => {
        const starting = starter % 2 === 0 ? one : two;
        for (let n = 0; n < perStarter; n++) {
          const batch = { key: `${n % 2}`, size: 7, wait: n % 4 };
          const input = { key: 'a', n: starter * perStarter + n };
          const handle = await starting.runner.start(index, input, { batch });
          ids.add(handle.id);
          if (handle.created) created++;
        }
      }),
    );
    await waitFor(async () => {
      const statuses = await one.runner.statuses([...ids]);
      return [...statuses.values()].every((status) => status === 'Completed');
    });
    const all = Array.from({ length: 8 * perStarter }, (_, n) => n);
    expect(batches.flat().toSorted((a, b) => a - b)).toEqual(all);
    expect(batches).toHaveLength(ids.size);
    expect(created).toBe(ids.size);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(7);
  });

  it.each([
    ['without a key', {}, { size: 2, wait: 1 }, 'batch.key'],
    ['without a wait', {}, { key: 'a', size: 2 }, 'batch.wait'],
    ['without a size', {}, { key: 'a', wait: 1 }, 'batch.size'],
    ['with a size above 1,000', {}, { key: 'a', wait: 1, size: 1_001 }, 'batch.size'],
    ['with an unknown option', {}, { ...hour, max: 1 }, 'max'],
    ['with an idempotency key', { idempotencyKey: 'k' }, hour, 'idempotencyKey'],
    ['with a delay', { delay: 1 }, hour, 'delay'],
    ['with a debounce', { debounce: { key: 'a', wait: 1 } }, hour, 'debounce'],
  ])('is refused %s', async (_, options, batch, message) => {
    await expect(
      runner.start(index, { key: 'a', n: 1 }, { ...options, batch: batch as never }),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  it('is refused for an admission that skips starts', async () => {
    await expect(runner.start(skip, { key: 'a', n: 1 }, { batch: hour })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
