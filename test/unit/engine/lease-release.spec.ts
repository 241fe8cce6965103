import { beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseRelease } from '../../../lib/engine/lease/lease-release.js';
import { LeaseRenewals } from '../../../lib/engine/lease/lease-renewals.js';
import { TablesMissingError } from '../../../lib/errors/index.js';
import { MemoryFailure, MemorySession } from '../../../lib/testing/memory-store/index.js';
import { EngineScene } from './engine-scene.js';

let scene: EngineScene;
let release: LeaseRelease;
let isBusy: boolean;
beforeEach(() => {
  scene = new EngineScene();
  scene.state.on('live');
  isBusy = false;
  release = new LeaseRelease({
    clock: scene.clock,
    state: scene.state,
    store: scene.store,
    lease: scene.lease,
    claims: scene.claims,
    isBusy: () => isBusy,
    stillHeld: scene.note('stillHeld'),
  });
});

/** Writes the lease, as a statement that claims does. */
async function writeLease(): Promise<void> {
  const write = scene.lease.forClaim();
  await scene.store.writeLease(write);
  scene.lease.written(write);
}

/** Whether the database has the lease. */
const stored = () => scene.store.handle.leases.has(scene.lease.instanceId);

describe('LeaseRelease', () => {
  it('deletes the lease, and allows no claim until it is deleted', async () => {
    await writeLease();
    const released = release.runOnce();
    expect([scene.state.mayClaim, scene.lease.isHeld]).toEqual([false, false]);
    expect(await released).toBe(true);
    expect([scene.state.mayClaim, scene.lease.mayStand, stored()]).toEqual([true, false, false]);
  });

  it('keeps the lease of a tenant at work', async () => {
    await writeLease();
    isBusy = true;
    expect(release.begin()).toBe(false);
    expect([scene.state.mayClaim, scene.lease.isHeld]).toEqual([true, true]);
  });

  it('begins once at a time, and not without a lease', async () => {
    expect(release.begin()).toBe(false);
    await writeLease();
    expect([release.begin(), release.begin()]).toEqual([true, false]);
  });

  it('tells of claims in the database that keep the lease', async () => {
    await writeLease();
    await scene.start();
    await release.runOnce();
    expect(scene.called).toEqual(['stillHeld']);
    expect([scene.lease.mayStand, stored()]).toEqual([true, true]);
  });

  it('does not know whether the lease stands after a failure', async () => {
    await writeLease();
    scene.store.releaseLease = () => Promise.reject(new MemoryFailure('connection', 'away'));
    expect(await release.runOnce()).toBe(true);
    expect([scene.called, scene.state.mayClaim]).toEqual([[], true]);
    expect([scene.lease.isHeld, scene.lease.mayStand]).toEqual([false, true]);
  });

  it('tries again at the end of a drain, until the time is over', async () => {
    await writeLease();
    let tries = 0;
    scene.store.releaseLease = () => {
      tries++;
      return Promise.reject(new MemoryFailure('connection', 'away'));
    };
    const over = release.runFor(50);
    // The first try has failed, and waits.
    await scene.clock.advance(0);
    await scene.clock.advance(100);
    await over;
    expect([tries, scene.clock.waiting]).toEqual([3, 0]);
  });

  it('does not try again where the tables are gone', async () => {
    await writeLease();
    scene.store.releaseLease = () => Promise.reject(new TablesMissingError('s'));
    await release.runFor(50);
    expect(scene.clock.now()).toBe(0);
  });

  it('does not try while claims are held', async () => {
    await writeLease();
    await scene.running();
    scene.store.releaseLease = () => Promise.reject(new Error('nothing is to be deleted'));
    await release.runFor(50);
    expect(scene.lease.isHeld).toBe(true);
  });
});

describe('LeaseRenewals', () => {
  let session: MemorySession;
  let renewals: LeaseRenewals;
  beforeEach(() => {
    session = new MemorySession(scene.database);
    const tenant = {
      store: scene.store,
      lease: scene.lease,
      release,
      claims: scene.claims,
      get isBusy() {
        return isBusy;
      },
      reconcileClaims: scene.note('reconcile'),
      leaseLost: scene.note('leaseLost'),
    };
    renewals = new LeaseRenewals({
      clock: scene.clock,
      leaseDurationMs: 30_000,
      tenants: () => [tenant],
      session: () => session,
    });
  });

  it('renews the lease of a tenant at work, three times in its duration', async () => {
    await writeLease();
    isBusy = true;
    renewals.start();
    await scene.clock.advance(10_000);
    renewals.stop();
    const { expiresAt } = scene.store.handle.leases.get(scene.lease.instanceId)!;
    expect(expiresAt).toBe(scene.clock.wallTime() + 30_000);
    expect(scene.called).toEqual(['reconcile']);
  });

  it('finds a lease that it was not told of, where claims are held', async () => {
    await scene.store.writeLease(scene.lease.forClaim());
    await scene.running();
    isBusy = true;
    await renewals.runOnce();
    expect([scene.lease.isHeld, scene.called]).toEqual([true, ['reconcile']]);
  });

  it('tells of a lease that the database does not have any more', async () => {
    await writeLease();
    isBusy = true;
    scene.store.handle.leases.clear();
    await renewals.runOnce();
    expect(scene.called).toEqual(['leaseLost']);
  });

  it('tells of no lease that was lost while it was renewed', async () => {
    await writeLease();
    isBusy = true;
    session.renew = async () => {
      scene.lease.lost();
      return [false];
    };
    await renewals.runOnce();
    expect(scene.called).toEqual([]);
  });

  it('renews no lease that does not stand', async () => {
    await scene.running();
    isBusy = true;
    await renewals.runOnce();
    expect(scene.called).toEqual([]);
  });

  it('lets go of the lease of an idle tenant', async () => {
    await writeLease();
    await renewals.runOnce();
    expect([scene.lease.mayStand, scene.state.isReleasing, stored()]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('lets tasks be claimed again after a release that failed', async () => {
    await writeLease();
    session.release = () => Promise.reject(new MemoryFailure('connection', 'away'));
    await renewals.runOnce();
    expect([scene.state.mayClaim, scene.lease.mayStand]).toEqual([true, true]);
  });
});
