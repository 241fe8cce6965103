import { beforeEach, describe, expect, it } from '@jest/globals';
import { WaitingTurns } from '../../../lib/engine/admission/waiting-turns.js';

/** The keys in the database, by execution. */
const stored = new Map([
  ['e1', 'k1'],
  ['e2', 'k2'],
]);
let reads: string[][];
let turns: WaitingTurns;
beforeEach(() => {
  reads = [];
  turns = new WaitingTurns({
    keysOf: async (ids) => {
      reads.push([...ids]);
      return new Map(ids.flatMap((id) => (stored.has(id) ? [[id, stored.get(id)!]] : [])));
    },
  });
});

describe('WaitingTurns', () => {
  it('takes each key once, sorted, with its ended executions', async () => {
    turns.add('b', ['e5']);
    turns.add('a');
    turns.add('b', ['e6', 'e5']);
    expect(await turns.take(10)).toEqual([
      ['a', []],
      ['b', ['e5', 'e6']],
    ]);
    expect(turns.isEmpty).toBe(true);
    expect(await turns.take(10)).toEqual([]);
  });

  it('takes the keys that came first', async () => {
    for (const key of ['c', 'a', 'b']) turns.add(key);
    expect(await turns.take(2)).toEqual([
      ['a', []],
      ['c', []],
    ]);
    expect(turns.isEmpty).toBe(false);
  });

  it('reads only the keys that it does not remember', async () => {
    turns.remember('e9', 'k9');
    turns.addEnded('e9');
    turns.addEnded('e1');
    expect(turns.isEmpty).toBe(false);
    expect(await turns.take(10)).toEqual([
      ['k1', ['e1']],
      ['k9', ['e9']],
    ]);
    expect(reads).toEqual([['e1']]);
  });

  it('forgets an execution that was deleted', async () => {
    turns.addEnded('gone');
    expect(await turns.take(10)).toEqual([]);
    expect(turns.isEmpty).toBe(true);
  });

  it('looks again for keys whose read failed', async () => {
    const read = new Map([['e1', 'k1']]);
    let isAway = true;
    turns = new WaitingTurns({
      keysOf: async () => {
        if (isAway) throw new Error('away');
        return read;
      },
    });
    turns.addEnded('e1');
    await expect(turns.take(10)).rejects.toThrow('away');
    isAway = false;
    expect(await turns.take(10)).toEqual([['k1', ['e1']]]);
  });
});
