import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const A = defineSignal<number>('a');
const B = defineSignal<number>('b');
const HOUR_MS = 3_600_000;

let clock: ManualClock;
let open: MemoryProcess | undefined;
/** The steps that ran, in order. */
let ran: string[];
beforeEach(() => {
  clock = new ManualClock();
  ran = [];
});
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** Lets everything happen that needs no time. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await clock.advance(0);
}

async function process(run: (context: TaskContext) => unknown) {
  const retry = { maxAttempts: 3, delay: 1_000, jitter: false } as const;
  const started = new MemoryProcess(
    clock,
    registered([{ name: 'a', retry }], { handlers: { a: { run } } }),
  );
  open = started;
  await started.open();
  const id = await started.start();
  await settled();
  return {
    status: async () => (await started.task(id)).status,
    send: async (signal: typeof A) => {
      await started.runner.signal(id, signal, 1);
      await settled();
    },
  };
}

describe('Branches of a handler, on a store in memory', () => {
  const note = (context: TaskContext, name: string): Promise<void> =>
    context.step(name, () => void ran.push(name));

  it('go on each when its own wait is over', async () => {
    const branch = async (context: TaskContext, signal: typeof A): Promise<void> => {
      await context.waitFor(signal);
      await note(context, `after ${signal.name}`);
    };
    const task = await process((context) =>
      Promise.all([branch(context, A), branch(context, B)]).then(() => ({})),
    );
    expect(await task.status()).toBe('Waiting');
    await task.send(B);
    expect([ran, await task.status()]).toEqual([['after b'], 'Waiting']);
    await task.send(A);
    expect([ran, await task.status()]).toEqual([['after b', 'after a'], 'Completed']);
  });

  it('come to their waits, whatever steps are before them', async () => {
    const task = await process(async (context) => {
      const asking = async (): Promise<void> => {
        for (const name of ['one', 'two', 'three']) await note(context, name);
        await context.waitFor(A);
        await note(context, 'answered');
      };
      await Promise.all([asking(), context.sleep('reminder', '1d')]);
    });
    expect([ran, await task.status()]).toEqual([['one', 'two', 'three'], 'Waiting']);
    await task.send(A);
    expect([ran.at(-1), await task.status()]).toEqual(['answered', 'Waiting']);
    await clock.advance(25 * HOUR_MS);
    await settled();
    expect(await task.status()).toBe('Completed');
  });

  it('fail the attempt, although others wait', async () => {
    const task = await process((context) => {
      const flaky = context.step('flaky', () => {
        if (ran.push('flaky') < 3) throw new Error('not yet');
      });
      return Promise.all([flaky, context.waitFor(A)]).then(() => ({}));
    });
    for (let second = 0; second < 10; second++) {
      await clock.advance(1_000);
      await settled();
    }
    expect([ran, await task.status()]).toEqual([['flaky', 'flaky', 'flaky'], 'Waiting']);
    await task.send(A);
    expect(await task.status()).toBe('Completed');
  });

  it('may be in the work of a step', async () => {
    const task = await process((context) =>
      context.step('outer', async () => {
        ran.push('outer');
        await Promise.all([context.sleep('inner', '1h'), note(context, 'beside')]);
      }),
    );
    expect([ran, await task.status()]).toEqual([['outer', 'beside'], 'Waiting']);
    await clock.advance(2 * HOUR_MS);
    await settled();
    expect([ran, await task.status()]).toEqual([['outer', 'beside', 'outer'], 'Completed']);
  });

  it('begin nothing after the suspension, even if they catch its signal', async () => {
    const task = await process(async (context) => {
      try {
        await Promise.all([context.waitFor(A), context.waitFor(B)]);
      } catch (error) {
        await note(context, 'compensated');
        throw error;
      }
    });
    expect([ran, await task.status()]).toEqual([[], 'Waiting']);
  });
});
