import { beforeEach, describe, expect, it } from '@jest/globals';
import { BackgroundTurns } from '../../../lib/runtime/background-turns.js';
import { gate, type Gate } from '../../support/gate.js';

describe('BackgroundTurns', () => {
  let begun: string[];
  let gates: Gate[];
  let turns: BackgroundTurns<string>;
  beforeEach(() => {
    begun = [];
    gates = [];
    turns = new BackgroundTurns(async (name) => {
      const { passed, open } = gate();
      gates.push({ passed, open });
      begun.push(name);
      await passed;
      if (name === 'failing') throw new Error('The server is away.');
    });
  });

  async function endAll(): Promise<void> {
    for (let steps = 0; steps < 50; steps++) {
      gates.shift()?.open();
      await Promise.resolve();
    }
    await turns.whenIdle();
  }

  it('works for one item at a time, and returns at once', async () => {
    turns.add(['a', 'b']);
    turns.add(['c']);
    expect(begun).toEqual(['a']);
    await endAll();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('gives an item one turn while it waits, and another one if it comes during its turn', async () => {
    turns.add(['a', 'b']);
    turns.add(['a', 'b']);
    await endAll();
    expect(begun).toEqual(['a', 'b', 'a']);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'gives a turn to an item that comes %i steps after the end of the last turn',
    async (steps) => {
      turns.add(['a']);
      gates.shift()?.open();
      for (let n = 0; n < steps; n++) await Promise.resolve();
      turns.add(['b']);
      await endAll();
      expect(begun).toEqual(['a', 'b']);
    },
  );

  it('gives a turn to an item that comes right after a round without any', async () => {
    turns.add([]);
    turns.add(['a']);
    await endAll();
    expect(begun).toEqual(['a']);
  });

  it('goes on after a failure, and after it was idle', async () => {
    turns.add(['failing', 'a']);
    await endAll();
    turns.add(['a']);
    await endAll();
    expect(begun).toEqual(['failing', 'a', 'a']);
  });
});
