import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClaimReconciler } from '../../../lib/engine/claims/claim-reconciler.js';
import { OrphanReceiver } from '../../../lib/engine/claims/orphan-receiver.js';
import { Abandonment } from '../../../lib/engine/execution/abandonment.js';
import { InputReader } from '../../../lib/engine/memory/input-reader.js';
import { TenantEvents } from '../../../lib/events/tenant-events.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { ContextView } from '../../../lib/workflow/index.js';
import { EngineScene, registered } from './engine-scene.js';
import { tasksOf } from '../../conformance/tasks-of.js';

let scene: EngineScene;
let reconciler: ClaimReconciler;
let maxRecoveryAttempts: number;
beforeEach(() => {
  scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }]));
  maxRecoveryAttempts = 3;
  const abandonment = new Abandonment(
    scene.store.recovery,
    scene.claims,
    new InputReader(scene.store, scene.clock),
    { complete: (claim) => scene.called.push(`abandon ${claim.task.no}`) },
  );
  const orphans = new OrphanReceiver({
    clock: scene.clock,
    tenant: 't',
    catalog: { known: () => scene.definition, find: async () => scene.definition },
    gate: scene.gate,
    abandon: (orphan, definition) => abandonment.abandon(orphan, definition),
    events: new TenantEvents('t', { wants: () => false, next: () => undefined }),
    definitionsUnknown: scene.note('definitionsUnknown'),
  });
  reconciler = new ClaimReconciler({
    clock: scene.clock,
    tenant: 't',
    store: scene.store,
    claims: scene.claims,
    inFlight: scene.inFlight,
    get maxRecoveryAttempts() {
      return maxRecoveryAttempts;
    },
    lease: scene.lease,
    orphans: () => orphans,
    wakeWorkers: scene.note('wakeWorkers'),
  });
});
afterEach(() => reconciler.close());

async function compare(): Promise<void> {
  reconciler.request();
  await reconciler.whenIdle();
}

describe('ClaimReconciler', () => {
  it('changes nothing where memory and database agree', async () => {
    const claims = await scene.running();
    await compare();
    expect(claims.map((claim) => claim.lost)).toEqual([false, false]);
    expect([scene.called, reconciler.isPending]).toEqual([[], false]);
  });

  it('loses what only memory has', async () => {
    const [first, second] = await scene.running();
    await scene.takeAway();
    await compare();
    expect([first!.lost, second!.lost, first!.signal.aborted]).toEqual([true, true, true]);
    expect(scene.claims.size).toBe(0);
  });

  it('leaves alone what is being recorded just now', async () => {
    const [settled, other] = await scene.running();
    settled!.stage = 'settled';
    await scene.takeAway();
    await compare();
    expect([settled!.lost, other!.lost]).toEqual([false, true]);
  });

  it('leaves alone what its handler has ended since the comparison began', async () => {
    const [claim] = await scene.running();
    await scene.takeAway();
    reconciler.request();
    claim!.stage = 'settled';
    await reconciler.whenIdle();
    expect(claim!.lost).toBe(false);
  });

  it('gives back what only the database has, at the cost of a recovery', async () => {
    const id = await scene.start();
    await compare();
    expect(scene.called).toEqual(['wakeWorkers']);
    const tasks = await tasksOf(scene.store, [id]);
    expect(tasks).toMatchObject([
      { status: 'Ready', recoveryAttempts: 1 },
      { status: 'Ready', recoveryAttempts: 1 },
    ]);
    const [event] = await scene.store.recovery.events({
      executionId: id,
      since: null,
      before: null,
      limit: 1,
    });
    expect(event).toMatchObject({ cause: 'reconciled' });
  });

  it('fails what only the database has, once that was lost too often', async () => {
    maxRecoveryAttempts = 0;
    const id = await scene.start();
    await compare();
    expect(scene.called).toEqual(['abandon 0', 'abandon 1']);
    expect(await scene.statusesOf(id)).toEqual(['Running', 'Running']);
    expect(scene.lease.isHeld).toBe(true);
  });

  it('waits for claims whose replies are on the way', async () => {
    const landed = scene.inFlight.begin();
    const id = await scene.start();
    reconciler.request();
    const claims = await scene.adopt(id);
    landed();
    await reconciler.whenIdle();
    expect(scene.called).toEqual([]);
    expect(claims.some((claim) => claim.lost)).toBe(false);
  });

  it('leaves alone what has ended since the database was read', async () => {
    const claims = await scene.running();
    const read = scene.store.claimsOf.bind(scene.store);
    scene.store.claimsOf = async (instance) => {
      const rows = await read(instance);
      for (const claim of claims) scene.claims.release(claim);
      return rows;
    };
    await compare();
    expect(scene.called).toEqual([]);
    expect(await scene.statusesOf(claims[0]!.executionId)).toEqual(['Running', 'Running']);
  });

  it('compares once more for a doubt that comes up meanwhile', async () => {
    let readings = 0;
    const read = scene.store.claimsOf.bind(scene.store);
    scene.store.claimsOf = (instance) => {
      readings++;
      return read(instance);
    };
    reconciler.request();
    reconciler.request();
    reconciler.request();
    await reconciler.whenIdle();
    expect(readings).toBe(2);
  });

  it('compares again after a comparison that failed', async () => {
    const [claim] = await scene.running();
    await scene.takeAway();
    scene.failNext('claimsOf', new MemoryFailure('connection', 'away'));
    await compare();
    expect([reconciler.isPending, claim!.lost]).toEqual([true, false]);
    await scene.clock.advance(250);
    await reconciler.whenIdle();
    expect([reconciler.isPending, claim!.lost]).toEqual([false, true]);
  });

  it('takes nothing of an instance that has lost its lease meanwhile', async () => {
    const id = await scene.start();
    scene.store.recovery.takeUnknown = async () => {
      scene.called.push('takeUnknown');
      return [];
    };
    const landed = scene.inFlight.begin();
    reconciler.request();
    scene.lease.lost();
    landed();
    await reconciler.whenIdle();
    expect(scene.called).toEqual([]);
    expect(await scene.statusesOf(id)).toEqual(['Running', 'Running']);
  });

  it('in doubt of the history forgets outcomes, and writes a lease that may be gone', async () => {
    const [claim] = await scene.running();
    const { cache } = claim as TaskClaim;
    cache.record(1, { status: 'Completed', view: ContextView.empty });
    scene.lease.doubt();
    reconciler.doubt();
    await reconciler.whenIdle();
    expect(cache.outcome(1)).toBeUndefined();
    expect(scene.lease.isHeld).toBe(true);
    expect(scene.store.handle.leases.has(scene.lease.instanceId)).toBe(true);
  });

  it('in doubt of the history writes no lease for claims that are gone', async () => {
    await scene.running();
    await scene.takeAway();
    scene.lease.doubt();
    reconciler.doubt();
    await reconciler.whenIdle();
    expect(scene.lease.isHeld).toBe(false);
  });

  it('is still in doubt after a comparison during which another doubt came up', async () => {
    const [claim] = await scene.running();
    const { cache } = claim as TaskClaim;
    const landed = scene.inFlight.begin();
    reconciler.doubt();
    await scene.clock.advance(0);
    cache.record(1, { status: 'Completed', view: ContextView.empty });
    reconciler.doubt();
    landed();
    await reconciler.whenIdle();
    expect(cache.outcome(1)).toBeUndefined();
  });

  it('in doubt of the history writes no lease for an instance that is new', async () => {
    await scene.running();
    const read = scene.store.claimsOf.bind(scene.store);
    scene.store.claimsOf = async (instance) => {
      const rows = await read(instance);
      scene.lease.lost();
      return rows;
    };
    reconciler.doubt();
    await reconciler.whenIdle();
    expect(scene.store.handle.leases.has(scene.lease.instanceId)).toBe(false);
  });

  it('plans no other comparison when it is closed during one that fails', async () => {
    scene.failNext('claimsOf', new MemoryFailure('connection', 'away'));
    reconciler.request();
    reconciler.close();
    await reconciler.whenIdle();
    expect([reconciler.isPending, scene.clock.waiting]).toEqual([false, 0]);
  });

  it('compares nothing once it is closed', async () => {
    const [claim] = await scene.running();
    await scene.takeAway();
    reconciler.close();
    await compare();
    expect([claim!.lost, reconciler.isPending]).toEqual([false, false]);
  });
});
