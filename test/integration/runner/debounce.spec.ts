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
let begun: number[] = [];
let open = gate();
beforeEach(() => {
  begun = [];
  open = gate();
});
const reindex = defineWorkflow<Input>('reindex')
  .task('first', async (context) => {
    begun.push(context.get('n'));
    await open.passed;
  })
  .task('last', { dependsOn: ['first'] }, () => undefined)
  .build();
const skip = defineWorkflow<Input>('skip', { admission: { concurrency: 1, whenFull: 'skip' } })
  .task('first', () => undefined)
  .build();

describe('start({ debounce })', () => {
  let tenant: OpenTenant;
  beforeAll(async () => {
    tenant = await openTenant([reindex, skip]);
  });

  it('joins starts with one key, and runs the last input', async () => {
    open.open();
    const debounce = { key: 'a', wait: '1h' } as const;
    const first = await tenant.runner.start(reindex, { key: 'a', n: 1 }, { debounce });
    const second = await tenant.runner.start(reindex, { key: 'a', n: 2 }, { debounce });
    const now = { ...debounce, wait: 1 };
    const third = await tenant.runner.start(reindex, { key: 'a', n: 3 }, { debounce: now });
    expect([first.created, second.created, third.created]).toEqual([true, false, false]);
    expect(new Set([first.id, second.id, third.id]).size).toBe(1);
    expect(await third.result()).toMatchObject({ status: 'Completed' });
    expect(begun).toEqual([3]);
  });

  it('starts another execution once one has begun', async () => {
    const debounce = { key: 'a', wait: 1, max: '1m' } as const;
    const first = await tenant.runner.start(reindex, { key: 'a', n: 1 }, { debounce });
    await waitFor(() => begun.length === 1);
    const second = await tenant.runner.start(reindex, { key: 'a', n: 2 }, { debounce });
    expect([second.created, second.id === first.id]).toEqual([true, false]);
    open.open();
    await Promise.all([first.result(), second.result()]);
    expect(begun).toEqual([1, 2]);
  });

  it('is executed with the result of the joined execution', async () => {
    open.open();
    const debounce = { key: 'a', wait: 5 } as const;
    const results = await Promise.all(
      [1, 2].map((n) => tenant.runner.execute(reindex, { key: 'a', n }, { debounce })),
    );
    expect(results.map(({ status }) => status)).toEqual(['Completed', 'Completed']);
  });

  it('runs an input once if the reply was lost and the execution has begun since', async () => {
    const first = await tenant.runner.start(
      reindex,
      { key: 'a', n: 1 },
      { debounce: { key: 'a', wait: '1h' } },
    );
    const { debounces } = tenant.engine.store;
    const send = debounces.start.bind(debounces);
    debounces.start = async (starts) => {
      debounces.start = send;
      await send(starts);
      await waitFor(() => begun.length === 1, { what: 'the begin of the execution' });
      throw new Error('Connection terminated unexpectedly');
    };
    const second = await tenant.runner.start(
      reindex,
      { key: 'a', n: 2 },
      { debounce: { key: 'a', wait: 1 } },
    );
    expect([second.id, second.created]).toEqual([first.id, false]);
    open.open();
    await second.result();
    expect(begun).toEqual([2]);
    const { items } = await tenant.runner.list({ workflow: 'reindex', status: ['Pending'] });
    expect(items).toEqual([]);
  });

  it('never loses the last input, while executions begin in several processes', async () => {
    const two = await openTenant([reindex], { schema: tenant.schema });
    open.open();
    const count = sized(400, 100);
    const ids = new Set<string>();
    for (let n = 1; n <= count; n++) {
      const { runner } = n % 2 === 0 ? tenant : two;
      const debounce = { key: 'a', wait: n % 5, max: 10 };
      ids.add((await runner.start(reindex, { key: 'a', n }, { debounce })).id);
    }
    await waitFor(async () => {
      const ended = await tenant.runner.statuses([...ids]);
      return [...ended.values()].every((status) => status === 'Completed');
    });
    expect(begun).toHaveLength(ids.size);
    expect(new Set(begun).size).toBe(ids.size);
    expect(Math.max(...begun)).toBe(count);
  });

  it.each([
    ['without a key', {}, { wait: '1s' }, 'debounce.key'],
    ['without a wait', {}, { key: 'a' }, 'debounce.wait'],
    ['with a key that may be that of a batch', {}, { key: '\u001ea', wait: 1 }, 'debounce.key'],
    ['with an unknown option', {}, { key: 'a', wait: 1, maximum: 1 }, 'maximum'],
    ['with an idempotency key', { idempotencyKey: 'k' }, { key: 'a', wait: 1 }, 'idempotencyKey'],
    ['with a delay', { delay: 1 }, { key: 'a', wait: 1 }, 'delay'],
    ['with a startBefore', { startBefore: '1m' }, { key: 'a', wait: 1 }, 'startBefore'],
  ])('is refused %s', async (_, options, debounce, message) => {
    await expect(
      tenant.runner.start(reindex, { key: 'a', n: 1 }, { ...options, debounce: debounce as never }),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  it('is refused for an admission that skips starts', async () => {
    const debounce = { key: 'a', wait: 1 };
    await expect(tenant.runner.start(skip, { key: 'a', n: 1 }, { debounce })).rejects.toMatchObject(
      { code: 'INVALID_ARGUMENT' },
    );
  });
});
