import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { handlerOf } from '../../../lib/engine/nodes/node-handler.js';
import { SKIPPED_BY_TIMEOUT } from '../../../lib/engine/nodes/skipped-by-timeout.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { NodeSource } from '../../../lib/workflow/node.js';
import { compiled } from '../workflow/some-workflows.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const MINUTE_MS = 60_000;

let clock: ManualClock;
let open: MemoryProcess | undefined;
beforeEach(() => {
  clock = new ManualClock();
});
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** The status of the node's task every 40 minutes, on a store in memory. */
async function statuses(node: NodeSource, count: number): Promise<string[]> {
  open = new MemoryProcess(clock, registered([{ name: 'n', node }], { handlers: {} }));
  await open.open();
  const id = await open.start();
  const seen: string[] = [];
  for (let i = 0; i < count; i++) {
    for (let turns = 0; turns < 20; turns++) await clock.advance(0);
    const { status, skipReason } = await open.task(id);
    seen.push([status, skipReason].filter(Boolean).join(' '));
    await clock.advance(40 * MINUTE_MS);
  }
  return seen;
}

describe('A node on a store in memory', () => {
  it.each<[NodeSource, string]>([
    [{ kind: 'sleep', for: '1h' }, 'Completed'],
    [{ kind: 'wait', signal: 'go', timeout: '1h' }, 'Failed'],
    [{ kind: 'wait', signal: 'go', timeout: '1h', onTimeout: 'skip' }, 'Skipped timeout'],
    [{ kind: 'wait', signal: 'go', timeout: '1h', onTimeout: 'complete' }, 'Completed'],
    [{ kind: 'wait', signal: 'go' }, 'Waiting'],
  ])('%j is Waiting, and after an hour %s', async (node, end) => {
    expect(await statuses(node, 4)).toEqual(['Waiting', 'Waiting', end, end]);
  });
});

describe('The handler of a node', () => {
  const task = (node: NodeSource) =>
    compiled({ name: 'w', tasks: [{ name: 'n', node }] }).tasks[0]!;
  const code = registered([{ name: 'other' }], { handlers: {} });

  it('is there if the workflow is served, whatever tasks the code has', () => {
    const sleep = task({ kind: 'sleep', for: 5 });
    expect(handlerOf(sleep, undefined)).toBeUndefined();
    expect(handlerOf(sleep, code)).toBeDefined();
  });

  it('of a child needs the function that makes its input, if it was started with one', () => {
    const mapped = task({ kind: 'child', workflow: 'c', mapsInput: true });
    expect(handlerOf(mapped, code)).toBeUndefined();
    expect(handlerOf(mapped, { ...code, inputs: new Map([['n', () => ({})]]) })).toBeDefined();
    expect(handlerOf(task({ kind: 'child', workflow: 'c' }), code)).toBeDefined();
  });

  it('tells a skip from a result', async () => {
    const skipping = task({ kind: 'wait', signal: 's', timeout: 5, onTimeout: 'skip' });
    const context = { waitFor: async () => undefined } as never;
    expect(await handlerOf(skipping, code)?.run(context)).toBe(SKIPPED_BY_TIMEOUT);
  });
});
