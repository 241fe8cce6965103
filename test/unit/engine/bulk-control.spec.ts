import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { BulkControl } from '../../../lib/engine/bulk/bulk-control.js';
import { MAX_BULK, type BulkStore } from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene } from './engine-scene.js';

let scene: EngineScene;
let bulk: BulkControl;
let sent: number[];
let warn: jest.SpiedFunction<Logger['warn']>;
beforeEach(() => {
  scene = new EngineScene();
  sent = [];
  warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
  bulk = new BulkControl({
    clock: scene.clock,
    tenant: 't',
    store: scene.store,
    claims: scene.claims,
    ends: {
      tell: (id) => scene.called.push(`ended ${id}`),
      maybe: (id) => scene.called.push(`maybe ${id}`),
    },
    control: { told: (action, id) => scene.called.push(`${action} ${id}`) },
    wakeWorkers: scene.note('wakeWorkers'),
    retries: {
      catalog: { find: async () => scene.definition },
      dueIn: (ms) => scene.called.push(`due in ${ms}`),
      endChildrenOf: async (id) => scene.called.push(`children of ${id}`) > 0,
    },
  });
});
afterEach(() => warn.mockRestore());

/** Runs before each statement; what it returns is left. */
function beforeEachStatement(see: (ids: readonly string[]) => readonly string[]): void {
  const { control } = scene.store.bulk;
  const real: BulkStore['control'] = control.bind(scene.store.bulk);
  scene.store.bulk.control = async (action, ids, reason) => {
    sent.push(ids.length);
    const locked = new Set(see(ids));
    const free = ids.filter((id) => !locked.has(id));
    return { ...(await real(action, free, reason)), left: [...locked] };
  };
}

async function started(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await scene.start({ claims: 0 }));
  return ids;
}

describe('BulkControl', () => {
  it('sends a hundred in a statement, and announces each change', async () => {
    beforeEachStatement(() => []);
    const ids = await started(MAX_BULK + 20);
    expect(await bulk.control('cancel', ids, null)).toEqual(ids);
    expect(sent).toEqual([MAX_BULK, 20]);
    expect(scene.called).toEqual(ids.flatMap((id) => [`ended ${id}`, `cancel ${id}`]));
  });

  it('drops the claims of what it cancels', async () => {
    const [claim] = await scene.running();
    await bulk.control('cancel', [claim!.executionId], null);
    expect(scene.claims.holds(claim!)).toBe(false);
  });

  it('wakes workers after a resume', async () => {
    const ids = await started(1);
    await bulk.control('pause', ids, null);
    await bulk.control('resume', ids, null);
    expect(scene.called).toEqual([`pause ${ids[0]}`, `resume ${ids[0]}`, 'wakeWorkers']);
  });

  it('tries those again that are left, while it makes progress', async () => {
    const ids = await started(3);
    let held = ids.slice(0, 2);
    beforeEachStatement(() => {
      const now = held;
      held = held.slice(1);
      return now;
    });
    const control = bulk.control('cancel', ids, null);
    await scene.clock.advance(0);
    await scene.clock.advance(1_000);
    expect((await control).toSorted()).toEqual(ids.toSorted());
    expect(warn).not.toHaveBeenCalled();
  });

  it('leaves out what stays locked, with a word in the log', async () => {
    const [locked, free] = await started(2);
    beforeEachStatement((ids) => ids.filter((id) => id === locked));
    const control = bulk.control('cancel', [locked!, free!], null);
    await scene.clock.advance(0);
    await scene.clock.advance(60_000);
    expect(await control).toEqual([free]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toContain(`left out 1 executions`);
    expect(warn.mock.calls[0]?.[0]).toContain(locked);
  });

  it('sends nothing more when its signal is aborted', async () => {
    const ids = await started(MAX_BULK + 1);
    const stop = new AbortController();
    beforeEachStatement(() => {
      stop.abort(new Error('cancelled'));
      return [];
    });
    const control = bulk.control('cancel', ids, null, { signal: stop.signal });
    await expect(control).rejects.toThrow('cancelled');
    expect(sent).toEqual([MAX_BULK]);
  });

  it('repeats a statement after a conflict', async () => {
    const ids = await started(1);
    let fails = true;
    beforeEachStatement(() => {
      if (!fails) return [];
      fails = false;
      throw new MemoryFailure('conflict', 'deadlock');
    });
    const control = bulk.control('cancel', ids, null);
    await scene.clock.advance(0);
    await scene.clock.advance(1_000);
    expect(await control).toEqual(ids);
  });

  it('tells of ends that an earlier send may have stored', async () => {
    const [before, now] = await started(2);
    await scene.store.cancel(before!, null);
    await bulk.control('cancel', [before!, now!], null, { repeat: (work) => work(true) });
    expect(scene.called).toEqual([`ended ${now}`, `cancel ${now}`, `maybe ${before}`]);
  });

  it('deletes trees, and returns those that it deleted', async () => {
    const [over, open] = await started(2);
    await scene.store.cancel(over!, null);
    expect(await bulk.delete([over!, open!])).toEqual([over]);
  });
});
