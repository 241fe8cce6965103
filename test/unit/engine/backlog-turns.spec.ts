import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskHandler } from '../../../lib/discovery/registered-workflow.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

let clock: ManualClock;
let process: MemoryProcess;
/** The workflows of the tasks that have begun, and what ends those that run. */
let begun: string[];
let ends: (() => void)[];

const handler = (name: string): Partial<TaskHandler> => ({
  run: () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.push(resolve));
  },
});
const plain = registered([{ name: 'a' }], {
  name: 'plain',
  handlers: { a: handler('plain') },
});
const limited = registered([{ name: 'a', limit: { name: 'l', concurrency: 100 } }], {
  name: 'limited',
  handlers: { a: handler('limited') },
});

const keyed = registered([{ name: 'a', limit: { name: 'k', key: 'key', concurrency: 100 } }], {
  name: 'keyed',
  handlers: {
    a: {
      run: (context) => {
        begun.push(String(context.get('key')));
        return new Promise<void>((resolve) => ends.push(resolve));
      },
    },
  },
});

async function openWith(slots: number): Promise<void> {
  process = new MemoryProcess(clock, [plain, limited, keyed], { tasks: slots, slots });
  await process.open();
}

async function start(name: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await process.runner.start(name, {});
  await settle();
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 40; turns++) await clock.advance(0);
}

/** Ends the handler that runs longest. All of them are so long that no task is prefetched. */
async function endOne(): Promise<void> {
  await clock.advance(1_000);
  ends.shift()?.();
  await settle();
}

beforeEach(() => {
  clock = new ManualClock();
  [begun, ends] = [[], []];
});
afterEach(async () => {
  while (ends.length > 0) await endOne();
  await process.close();
});

const countOf = (name: string): number => begun.filter((one) => one === name).length;

describe('Tasks with and without a limit that wait for the same slots', () => {
  it.each([1, 2, 4])('take turns: %i slots', async (slots) => {
    await openWith(slots);
    await start('plain', slots + 20);
    await start('limited', 10);
    expect(countOf('plain')).toBe(slots);
    for (let n = 0; n < 12; n++) await endOne();
    expect(Math.abs(countOf('limited') - 6)).toBeLessThanOrEqual(1);
    expect(begun).toHaveLength(slots + 12);
  });

  it('take turns while tasks without a limit are started all the time', async () => {
    await openWith(2);
    await start('plain', 4);
    await start('limited', 3);
    for (let n = 0; n < 12; n++) {
      await start('plain', 1);
      await endOne();
    }
    expect(countOf('limited')).toBe(3);
    expect(begun).toHaveLength(14);
  });

  it('leave no slot free while one of both kinds waits', async () => {
    await openWith(1);
    await start('limited', 3);
    await start('plain', 3);
    for (let n = 0; n < 6; n++) {
      expect(begun).toHaveLength(n + 1);
      await endOne();
    }
    expect([countOf('limited'), countOf('plain')]).toEqual([3, 3]);
  });
});

it.each([1, 2])(
  'Keys that have waited for long get their turn while new ones come all the time: %i slots',
  async (slots) => {
    await openWith(slots);
    const startOf = async (key: string): Promise<void> => {
      await process.runner.start('keyed', { key });
      await settle();
    };
    for (let n = 0; n < slots + 4; n++) await startOf(`old ${n}`);
    for (let n = 0; n < 12; n++) {
      await startOf(`new ${n}`);
      await endOne();
    }
    expect(begun).toHaveLength(slots + 12);
    expect(begun.filter((key) => key.startsWith('old'))).toHaveLength(slots + 4);
  },
);
