import { describe, expect, it } from '@jest/globals';
import { KeyedMutex } from '../../../lib/runtime/keyed-mutex.js';
import { gate } from '../../support/gate.js';

describe('Turns', () => {
  it('does what is asked for one name in turn, however it goes, and does not hold up others', async () => {
    const turns = new KeyedMutex();
    const done: string[] = [];
    const first = gate();
    const a = turns.run('a', async () => {
      await first.passed;
      done.push('a1');
      throw new Error('failed');
    });
    const second = turns.run('a', async () => void done.push('a2'));
    await turns.run('b', async () => void done.push('b'));
    expect(done).toEqual(['b']);
    first.open();
    await expect(a).rejects.toThrow('failed');
    await second;
    expect(done).toEqual(['b', 'a1', 'a2']);
  });

  it('begins at once when nothing is under way', () => {
    let begun = false;
    void new KeyedMutex().run('a', async () => void (begun = true));
    expect(begun).toBe(true);
  });

  it('is settled when all that was asked for is done, also what came meanwhile', async () => {
    const turns = new KeyedMutex();
    const [first, second] = [gate(), gate()];
    let last = false;
    void turns.run('a', () => first.passed);
    const settled = turns.settled().then(() => last);
    void turns.run('a', async () => {
      await second.passed;
      last = true;
    });
    first.open();
    second.open();
    expect(await settled).toBe(true);
    expect(Reflect.get(turns, 'last')).toEqual(new Map());
  });
});
