import { beforeEach, describe, expect, it } from '@jest/globals';
import { OrphanReceiver } from '../../../lib/engine/claims/orphan-receiver.js';
import type { RunnableDefinition } from '../../../lib/engine/definitions/runnable-definition.js';
import { UnreadableDefinitionError } from '../../../lib/errors/index.js';
import { TenantEvents } from '../../../lib/events/tenant-events.js';
import type { TakenOrphan } from '../../../lib/store/port/index.js';
import { EngineScene } from './engine-scene.js';

let scene: EngineScene;
let orphans: OrphanReceiver;
/** What this process knows of the orphans' definition. */
let known: RunnableDefinition | undefined;
let find: () => Promise<RunnableDefinition>;
/** Whether the events have an observer. */
let isObserved: boolean;
beforeEach(() => {
  scene = new EngineScene();
  [known, isObserved] = [scene.definition, false];
  find = async () => scene.definition;
  orphans = new OrphanReceiver({
    clock: scene.clock,
    tenant: 't',
    catalog: { known: () => known, find: () => find() },
    gate: scene.gate,
    abandon: async ({ taskNo }) => void scene.called.push(`abandon ${taskNo}`),
    events: new TenantEvents('t', {
      wants: () => isObserved,
      next: ({ type }) => scene.called.push(type),
    }),
    definitionsUnknown: scene.note('definitionsUnknown'),
  });
});

async function take(abandoned: boolean): Promise<void> {
  await scene.start();
  const rows = await scene.store.claimsOf(scene.lease.instanceId);
  const taken = rows.map((row): TakenOrphan => ({ ...row, abandoned }));
  expect(await orphans.take('lockGone', async () => taken)).toBe(taken);
}

describe('OrphanReceiver', () => {
  it('reads no definition for a recovery without an observer', async () => {
    find = () => Promise.reject(new Error('nothing is to be read'));
    await take(false);
    expect(scene.called).toEqual([]);
  });

  it.each([
    [false, ['task.recovered']],
    [true, ['task.abandoned', 'abandon 0']],
  ])('tells its observers; lost too often: %p', async (abandoned, told) => {
    isObserved = true;
    await take(abandoned);
    expect(scene.called).toEqual(told);
  });

  it('tells that it took tasks of a definition that this process does not know', async () => {
    known = undefined;
    await take(false);
    expect(scene.called).toEqual(['definitionsUnknown']);
  });

  it('leaves tasks of an unreadable definition alone for a while, or until it is known', async () => {
    const { id } = scene.definition;
    known = undefined;
    find = () =>
      Promise.reject(new UnreadableDefinitionError({ id, schema: 's', reason: 'unknown' }));
    expect(orphans.leavesAlone(id)).toBe(false);
    await take(true);
    expect(orphans.leavesAlone(id)).toBe(true);
    known = scene.definition;
    expect(orphans.leavesAlone(id)).toBe(false);
    known = undefined;
    await scene.clock.advance(30_000);
    expect(orphans.leavesAlone(id)).toBe(false);
  });

  it('tries again at once what failed for another reason', async () => {
    known = undefined;
    find = () => Promise.reject(new Error('the database is away'));
    await take(true);
    expect(orphans.leavesAlone(scene.definition.id)).toBe(false);
  });
});
