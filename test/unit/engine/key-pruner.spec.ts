import { describe, expect, it } from '@jest/globals';
import { KeyPruner, type KeyPrunerParts } from '../../../lib/engine/limits/key-pruner.js';
import { LimitPass } from '../../../lib/engine/limits/limit-pass.js';
import { gate } from '../../support/gate.js';

/** A tenant whose pages of keys end with these keys, and the places from which pages were asked for. */
function prunerOf(
  pages: readonly (string | null)[],
  limitedIds = ['1'],
): { readonly pruner: KeyPruner; readonly asked: (string | null)[] } {
  const left = [...pages];
  const asked: (string | null)[] = [];
  const prune: KeyPrunerParts['store']['limits']['prune'] = async (_limits, _idleMs, after) => {
    asked.push(after);
    return { deleted: 0, last: left.shift() ?? null };
  };
  const catalog = {
    limits: new Map(),
    claimable: { ids: [], limitedIds, limitedBy: new Map(), unknownTasks: [], aging: [] },
  };
  return { pruner: new KeyPruner({ store: { limits: { prune } }, catalog }), asked };
}

describe('KeyPruner', () => {
  it('goes through the keys a page a round, and begins again after forty rounds', async () => {
    const { pruner, asked } = prunerOf(['a', 'b', null]);
    for (let round = 0; round < 42; round++) await pruner.round();
    expect(asked).toEqual([null, 'a', 'b']);
    await pruner.round();
    expect(asked).toEqual([null, 'a', 'b', null]);
  });

  it('leaves tenants alone for which the process has no handlers with a limit', async () => {
    const { pruner, asked } = prunerOf([], []);
    await pruner.round();
    expect(asked).toEqual([]);
  });
});

describe('LimitPass', () => {
  it('does not keep the sweep waiting, and goes on with the next tenant after a failure', async () => {
    const { pruner, asked } = prunerOf([]);
    const { passed, open } = gate();
    const failing = { round: () => passed.then(() => Promise.reject(new Error('away'))) };
    const pass = new LimitPass(() => [{ keyPruner: failing }, { keyPruner: pruner }]);
    await pass.over(['one', 'other']);
    expect(asked).toEqual([]);
    open();
    await pass.whenIdle();
    expect(asked).toEqual([null]);
  });
});
