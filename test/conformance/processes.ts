import { expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type {
  AnnouncedIdentity,
  Announcement,
  NewDefinition,
  ServingRow,
} from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { newClaimant, outcomeOf, parallel, startOf } from './workflows.js';

export function describeProcesses(tested: TestedStore): void {
  const identity = (): AnnouncedIdentity => ({ processId: uuid(), name: 'host:1', format: 2 });

  const announcement = (change: Partial<Announcement> = {}): Announcement => ({
    tenant: tested.store.handle,
    state: 'claiming',
    slots: 10,
    definitions: [],
    limits: '{}',
    ...change,
  });

  async function definition(name: string, tasks: readonly string[]): Promise<NewDefinition> {
    const id = tested.newDefinition();
    const graph = { tasks: tasks.map((task) => ({ name: task })) };
    const stored = { id, hash: `hash of ${id}`, name, definition: graph };
    await tested.store.definitions.register([
      { ...stored, version: undefined, description: undefined },
    ]);
    return { ...stored, version: undefined, description: undefined };
  }

  async function found(processId: string, workflow: string): Promise<ServingRow | undefined> {
    const { serving } = await tested.store.processes.read(workflow);
    return serving.find((process) => process.processId === processId);
  }

  test('are known by what they have announced last, until they withdraw', async () => {
    const { session } = tested.behind;
    const process = identity();
    const [bill, ship] = [await definition('bill', ['a', 'b']), await definition('ship', ['c'])];
    const definitions = [ship.id, bill.id];
    const limits = '{"stripe":{"concurrency":4}}';
    await session.announce(process, [announcement({ definitions, limits })]);
    expect(await found(process.processId, 'bill')).toEqual({
      ...process,
      state: 'claiming',
      slots: 10,
      isAway: false,
      since: expect.any(Date),
      workflows: ['bill', 'ship'],
      limits,
      taskNames: ['a', 'b'],
    });
    expect(await found(process.processId, 'other')).toMatchObject({ taskNames: null });
    const change = { state: 'paused', slots: 0, definitions: [] } as const;
    await session.announce(process, [announcement(change)]);
    expect(await found(process.processId, 'bill')).toMatchObject({
      state: 'paused',
      slots: 0,
      workflows: [],
      taskNames: null,
    });
    expect(await session.withdraw(process.processId, [tested.store.handle])).toEqual([true]);
    expect(await found(process.processId, 'bill')).toBeUndefined();
  });

  test('keep the time since which they serve the tenant', async () => {
    const { session } = tested.behind;
    const process = identity();
    await session.announce(process, [announcement()]);
    const before = await found(process.processId, 'w');
    await session.announce(process, [announcement({ state: 'draining' })]);
    expect(await found(process.processId, 'w')).toEqual({ ...before, state: 'draining' });
    await session.withdraw(process.processId, [tested.store.handle]);
  });

  test('have claims, each of which counts once', async () => {
    const claimant = { ...newClaimant(), lockEpoch: null, lockSession: null };
    const of = parallel(3);
    const item = startOf(of);
    await tested.store.start([item], { claimant, write: true }, false);
    const owner = async () =>
      (await tested.store.processes.read('w')).owners.find(
        ({ instanceId }) => instanceId === claimant.instanceId,
      );
    expect(await owner()).toEqual({
      instanceId: claimant.instanceId,
      processId: claimant.processId,
      name: claimant.name,
      claimed: 3,
      lost: null,
    });
    await tested.store.complete([outcomeOf(of, item.id, 0)], { claimant, write: false });
    expect(await owner()).toMatchObject({ claimed: 2 });
    await tested.behind.session.renew(
      [{ tenant: tested.store.handle, instanceId: claimant.instanceId }],
      -1_000,
    );
    expect(await owner()).toMatchObject({ lost: 'leaseOver' });
  });

  test('are lost once their lock is gone and they have no connection', async () => {
    const claimant = newClaimant();
    await tested.store.start([startOf(parallel(1))], { claimant, write: true }, false);
    const { owners } = await tested.store.processes.read('w');
    const owner = owners.find(({ instanceId }) => instanceId === claimant.instanceId);
    expect(owner).toMatchObject({ claimed: 1, lost: 'lockGone' });
  });
}
