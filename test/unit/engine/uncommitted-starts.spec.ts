import { beforeEach, describe, expect, it } from '@jest/globals';
import { OpenKeys } from '../../../lib/engine/starts/open-keys.js';
import { UncommittedStarts } from '../../../lib/engine/starts/uncommitted-starts.js';
import type { UserTransaction } from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene } from './engine-scene.js';

/** A transaction of a caller, which is open until a test ends it. */
function transaction() {
  const queryRunner = { isReleased: false, isTransactionActive: true };
  const end = (): void => void (queryRunner.isTransactionActive = false);
  return { manager: { queryRunner } as unknown as UserTransaction, end };
}

describe('UncommittedStarts', () => {
  let scene: EngineScene;
  let starts: UncommittedStarts;
  beforeEach(() => {
    scene = new EngineScene();
    starts = new UncommittedStarts(scene.store, scene.clock);
  });

  it('tells of a start once its transaction has committed', async () => {
    const { manager, end } = transaction();
    const id = await scene.start();
    starts.add(id, manager, scene.note('committed'));
    await scene.clock.advance(500);
    expect(scene.called).toEqual([]);
    end();
    await scene.clock.advance(500);
    expect([scene.called, scene.clock.waiting]).toEqual([['committed'], 0]);
  });

  it('tells of no start that was rolled back', async () => {
    const { manager, end } = transaction();
    starts.add('gone', manager, scene.note('committed'));
    end();
    await scene.clock.advance(500);
    expect([scene.called, scene.clock.waiting]).toEqual([[], 0]);
  });

  it('asks again after a database that was away', async () => {
    const { manager, end } = transaction();
    const id = await scene.start();
    const { statuses } = scene.store;
    scene.store.statuses = () => Promise.reject(new MemoryFailure('connection', 'away'));
    starts.add(id, manager, scene.note('committed'));
    end();
    await scene.clock.advance(500);
    expect(scene.called).toEqual([]);
    scene.store.statuses = statuses.bind(scene.store);
    await scene.clock.advance(500);
    expect(scene.called).toEqual(['committed']);
  });

  it('forgets all of them when it is closed', async () => {
    starts.add('x', transaction().manager, scene.note('committed'));
    starts.close();
    expect(scene.clock.waiting).toBe(0);
  });
});

describe('OpenKeys', () => {
  it('holds a key for as long as one of its transactions is open', () => {
    const keys = new OpenKeys();
    const [first, second] = [transaction(), transaction()];
    keys.add('k', first.manager);
    keys.add('k', second.manager);
    first.end();
    expect([keys.isHeld('k'), keys.isHeld('other')]).toEqual([true, false]);
    second.end();
    expect(keys.isHeld('k')).toBe(false);
  });
});
