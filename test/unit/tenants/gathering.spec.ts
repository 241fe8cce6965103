import { describe, expect, it } from '@jest/globals';
import { MicroBatcher, type PendingItem } from '../../../lib/runtime/micro-batcher.js';
import { gate } from '../../support/gate.js';
import { systemClock } from '../../../lib/runtime/clock.js';

/** Notes the batches; each waits at the gate of its number. */
function noting(inTurn: boolean, gates = [gate(), gate(), gate()]) {
  const batches: number[][] = [];
  const work = async (batch: readonly PendingItem<number, string>[]): Promise<void> => {
    const passed = gates[batches.length]?.passed;
    batches.push(batch.map(({ item }) => item));
    await passed;
    for (const { item, resolve } of batch) resolve(`${item}`);
  };
  return {
    gathering: new MicroBatcher({ clock: systemClock, oneAtATime: inTurn }, work),
    batches,
    gates,
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Gathering', () => {
  it('does together what is asked for in one turn of the event loop', async () => {
    const { gathering, batches, gates } = noting(false);
    gates[0]?.open();
    expect(await Promise.all([1, 2, 3].map((item) => gathering.add(item)))).toEqual([
      '1',
      '2',
      '3',
    ]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('gathers while a batch is under way, in turn', async () => {
    const { gathering, batches, gates } = noting(true);
    const first = gathering.add(1);
    await turn();
    const others = [gathering.add(2), gathering.add(3)];
    await turn();
    expect(batches).toEqual([[1]]);
    gates[0]?.open();
    gates[1]?.open();
    expect(await Promise.all([first, ...others])).toEqual(['1', '2', '3']);
    expect(batches).toEqual([[1], [2, 3]]);
  });

  it('lets nobody wait for the batch before, not in turn', async () => {
    const { gathering, batches, gates } = noting(false);
    const slow = gathering.add(1);
    await turn();
    gates[1]?.open();
    expect(await gathering.add(2)).toBe('2');
    gates[0]?.open();
    expect(await slow).toBe('1');
    expect(batches).toEqual([[1], [2]]);
  });

  it('fails what a batch leaves open, and goes on', async () => {
    let tries = 0;
    const gathering = new MicroBatcher<number, void>(
      { clock: systemClock, oneAtATime: true },
      async (batch) => {
        if (tries++ === 0) {
          batch[0]?.resolve();
          throw new Error('broken');
        }
        for (const { resolve } of batch) resolve();
      },
    );
    const [first, second] = [gathering.add(1), gathering.add(2)];
    await first;
    await expect(second).rejects.toThrow('broken');
    await gathering.add(3);
  });
});
