import { beforeEach, describe, expect, it } from '@jest/globals';
import { ClaimLostError } from '../../../lib/errors/index.js';
import type { ClaimRow, TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { ContextView } from '../../../lib/workflow/index.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
beforeEach(() => {
  scene = new EngineScene(registered([{ name: 'a' }, { name: 'b', dependsOn: ['a'] }]));
});

const ROW: ClaimRow = {
  executionId: 'x',
  taskNo: 0,
  itemNo: 0,
  wakes: 0,
  hasSteps: false,
  token: 10,
  attempt: 0,
  recoveryAttempts: 0,
  unmetDependencies: 0,
  deferredForMs: null,
  priority: 0,
};

function adopt(row: Partial<ClaimRow> = {}, generation = 0): TaskClaim | undefined {
  return scene.claims.adopt({ ...ROW, ...row }, generation, scene.definition);
}

describe('ClaimTable', () => {
  it('takes up a claim once', () => {
    const claim = adopt()!;
    expect(adopt()).toBeUndefined();
    expect(scene.claims.holds(claim)).toBe(true);
    expect(scene.claims.knows(ROW)).toBe(true);
    expect(scene.claims.knows({ ...ROW, token: 12 })).toBe(false);
    expect(scene.claims.ofExecution('x')).toEqual([claim]);
    expect(scene.claims.isActive('x')).toBe(true);
  });

  it('takes up nothing from a reply that is older than what it knows, and doubts the history', () => {
    scene.claims.onDoubt = scene.note('doubt');
    const claim = adopt()!;
    expect(adopt({ token: 8 })).toBeUndefined();
    expect(scene.called).toEqual(['doubt']);
    expect(claim.lost).toBe(false);
  });

  it('loses the earlier claim of a task when it is claimed again', () => {
    const earlier = adopt()!;
    const later = adopt({ token: 12 })!;
    expect(earlier.lost).toBe(true);
    expect(earlier.signal.reason).toBeInstanceOf(ClaimLostError);
    scene.claims.release(earlier);
    expect(scene.claims.holds(later)).toBe(true);
    expect(later.lost).toBe(false);
  });

  it('forgets an execution with its last claim, and tells', () => {
    scene.claims.onIdle = (id) => scene.called.push(id);
    const [first, second] = [adopt()!, adopt({ taskNo: 1 })!];
    expect(second.cache).toBe(first.cache);
    scene.claims.release(first);
    expect(scene.called).toEqual([]);
    scene.claims.release(second);
    expect(scene.called).toEqual(['x']);
    expect(scene.claims.isActive('x')).toBe(false);
    expect(adopt()!.cache).not.toBe(first.cache);
  });

  it('keeps nothing of an execution in which a claim was lost', () => {
    const [lost, other] = [adopt()!, adopt({ taskNo: 1 })!];
    scene.claims.lose(lost);
    expect(scene.claims.holds(lost)).toBe(false);
    expect(scene.claims.cacheOf('x', scene.definition, 0)).not.toBe(other.cache);
    expect(other.lost).toBe(false);
  });

  it('begins a new memory with each manual retry', () => {
    const { cache } = adopt()!;
    expect(scene.claims.cacheOf('x', scene.definition, 0)).toBe(cache);
    expect(scene.claims.cacheOf('x', scene.definition, 1)).not.toBe(cache);
  });

  it.each(['release', 'lose'] as const)(
    'keeps the memory of a manual retry when it has to %s a claim of before it',
    (how) => {
      const earlier = adopt()!;
      const { cache } = adopt({ taskNo: 1 }, 1)!;
      scene.claims[how](earlier);
      expect(scene.claims.cacheOf('x', scene.definition, 1)).toBe(cache);
      expect(scene.claims.isActive('x')).toBe(true);
    },
  );

  it('forgets an execution of which no claim was taken up', () => {
    const cache = scene.claims.cacheOf('x', scene.definition, 0);
    scene.claims.forgetIdle('x');
    expect(scene.claims.cacheOf('x', scene.definition, 0)).not.toBe(cache);
    const claim = adopt()!;
    scene.claims.forgetIdle('x');
    expect(scene.claims.cacheOf('x', scene.definition, 0)).toBe(claim.cache);
  });

  it('keeps the outcomes that a held claim is built on, and no others', () => {
    const { cache } = adopt({ taskNo: 1 })!;
    for (const no of [0, 1]) cache.record(no, { status: 'Completed', view: ContextView.empty });
    scene.claims.forgetOutcomes();
    expect([0, 1].map((no) => cache.outcome(no) !== undefined)).toEqual([true, false]);
  });

  it('knows which claims ended while the database was read', async () => {
    const [first, second] = [adopt()!, adopt({ taskNo: 1 })!];
    scene.claims.release(first);
    const found = await scene.claims.watchReleases(async (wasReleased) => {
      scene.claims.release(second);
      return [ROW, { ...ROW, taskNo: 1 }, { ...ROW, taskNo: 1, token: 12 }].map(wasReleased);
    });
    expect(found).toEqual([false, true, false]);
  });
});
