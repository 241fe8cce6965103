import { describe, expect, it } from '@jest/globals';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import {
  edgesOf,
  outcomesOf,
  outcomeWeight,
} from '../../../lib/engine/execution/build-outcomes.js';
import { encodeWrites, resultOf } from '../../../lib/engine/execution/task-result.js';
import { EngineScene, registered } from './engine-scene.js';

/** `a` has three dependents, of which one has no handler here and another a limit. */
const fanned = registered(
  [
    { name: 'a' },
    { name: 'low', dependsOn: ['a'] },
    { name: 'high', dependsOn: ['a'], priority: 5 },
    { name: 'elsewhere', dependsOn: ['a'], priority: 9 },
    { name: 'limited', dependsOn: ['a'], limit: { name: 'n', concurrency: 1 }, priority: 9 },
  ],
  { handlers: { elsewhere: null } },
);

async function claimOf(scene: EngineScene): Promise<TaskClaim> {
  const [claim] = await scene.running();
  return claim!;
}

function ended(claim: TaskClaim, writes: Record<string, unknown> = {}) {
  const input = claim.cache.inputOf(claim.task.no);
  const encoded = new Map(
    Object.entries(writes).map(([key, value]) => [
      key,
      value === undefined ? undefined : JSON.stringify(value),
    ]),
  );
  const view = input.view.withWrites(claim.task.no, encoded);
  return resultOf(claim, input, 'Completed', { view, ...encodeWrites(encoded) });
}

/** The names of the dependents that the outcome claims. */
function claimedBy(claim: TaskClaim, room: number): string[] {
  const [outcome] = outcomesOf([ended(claim)], room);
  const { tasks } = claim.definition.workflow;
  return outcome!.dependents.filter((edge) => edge.claim).map((edge) => tasks[edge.taskNo]!.name);
}

describe('outcomesOf', () => {
  it('claims the dependents that may be claimed here, as far as there is room, by priority', async () => {
    const claim = await claimOf(new EngineScene(fanned));
    expect(edgesOf([ended(claim)])).toBe(4);
    expect(claimedBy(claim, 9).sort()).toEqual(['high', 'low']);
    expect(claimedBy(claim, 1)).toEqual(['high']);
    expect(claimedBy(claim, 0)).toEqual([]);
  });

  it('shares the room among outcomes, the first first', async () => {
    const scene = new EngineScene(registered([{ name: 'a' }, { name: 'b', dependsOn: ['a'] }]));
    const claims = [await claimOf(scene), await claimOf(scene)];
    const outcomes = outcomesOf(
      claims.map((claim) => ended(claim)),
      1,
    );
    expect(outcomes.map(({ dependents }) => dependents[0]?.claim)).toEqual([true, false]);
  });

  it('carries the final context with the outcome of a leaf only', async () => {
    const scene = new EngineScene(registered([{ name: 'a' }, { name: 'b', dependsOn: ['a'] }]));
    const [first] = outcomesOf([ended(await claimOf(scene), { x: 1 })], 9);
    expect(first).toMatchObject({ leaf: false, finalContext: null, output: '{"x":1}' });
    const [leaf] = outcomesOf([ended(await claimOf(new EngineScene()), { x: 1 })], 9);
    expect(leaf).toMatchObject({ leaf: true, finalContext: '{"x":1}', dependents: [] });
  });

  it('stores no detail of a task that completed, but for deleted keys', async () => {
    const claim = await claimOf(new EngineScene());
    expect(outcomesOf([ended(claim, { x: 1 })], 0)[0]!.detail).toBeNull();
    const [deleting] = outcomesOf([ended(claim, { x: undefined })], 0);
    expect(deleting!.detail).toEqual({ deletedKeys: ['x'], events: [] });
  });

  it('stores the reason of a skip and the error of a failure, each with its event', async () => {
    const claim = await claimOf(new EngineScene());
    const input = claim.cache.inputOf(0);
    const error = { name: 'Error', message: 'm' };
    const [failed, skipped] = outcomesOf(
      [
        resultOf(claim, input, 'Failed', { error }),
        resultOf(claim, input, 'Skipped', { skipReason: 'rule' }),
      ],
      0,
    );
    expect(failed!.detail).toEqual({ error, events: [{ kind: 'taskFailed', detail: { error } }] });
    expect(skipped!.detail).toEqual({
      skipReason: 'rule',
      events: [{ kind: 'taskSkipped', detail: { reason: 'rule' } }],
    });
  });

  it('weighs an outcome by its dependents and its bytes', async () => {
    const claim = await claimOf(new EngineScene(fanned));
    const leaf = await claimOf(new EngineScene());
    const light = outcomeWeight(ended(leaf));
    expect(outcomeWeight(ended(claim))).toBeGreaterThan(light);
    expect(outcomeWeight(ended(leaf, { x: 'y'.repeat(100_000) }))).toBeGreaterThan(light);
  });
});
