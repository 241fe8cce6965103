import { beforeEach, describe, expect, it } from '@jest/globals';
import { TenantLease } from '../../../lib/engine/lease/tenant-lease.js';

let lockSession: string | null;
let renewals: number;
let lease: TenantLease;
beforeEach(() => {
  lockSession = 'session';
  renewals = 0;
  const identity = () => ({ processId: 'p', name: 'host/1', lockEpoch: 'e', lockSession });
  lease = new TenantLease(identity, 30_000, () => renewals++);
});

const stands = () => [lease.isHeld, lease.mayStand];

describe('TenantLease', () => {
  it('does not stand at first, and names its process', () => {
    expect(stands()).toEqual([false, false]);
    expect(lease.withoutClaim()).toEqual({
      write: false,
      claimant: {
        processId: 'p',
        name: 'host/1',
        lockEpoch: 'e',
        lockSession: 'session',
        instanceId: lease.instanceId,
        leaseDurationMs: 30_000,
      },
    });
    expect(stands()).toEqual([false, false]);
  });

  it('is announced with the statement that writes it, if it has to be', () => {
    const identity = () => ({ processId: 'p', name: 'host/1', lockEpoch: 'e', lockSession: 's' });
    const announced = new TenantLease(
      identity,
      30_000,
      () => undefined,
      () => true,
    );
    const write = announced.forClaim();
    expect(write.claimant.announcesLease).toBe(true);
    announced.written(write);
    expect(announced.forClaim().claimant.announcesLease).toBe(false);
    expect(lease.forClaim().claimant.announcesLease).toBe(false);
  });

  it('may stand while the statement that writes it is under way, and stands after that', () => {
    const write = lease.forClaim();
    expect([write.write, ...stands()]).toEqual([true, false, true]);
    lease.written(write);
    expect([...stands(), renewals]).toEqual([true, true, 0]);
    expect(lease.forClaim().write).toBe(false);
  });

  it('is written by each statement until one is known to have written it', () => {
    expect([lease.forClaim().write, lease.forClaim().write]).toEqual([true, true]);
  });

  it('does not stand for certain by a statement that wrote none', () => {
    lease.forClaim();
    lease.written(lease.withoutClaim());
    expect(stands()).toEqual([false, true]);
  });

  it('is renewed where it tells of a control connection that is gone', () => {
    const write = lease.forClaim();
    lockSession = 'another';
    lease.written(write);
    expect([...stands(), renewals]).toEqual([true, true, 1]);
  });

  it('goes on under another instance when it was lost, and takes no earlier write for its own', () => {
    const write = lease.forClaim();
    const before = lease.instanceId;
    lease.lost();
    expect(lease.instanceId).not.toBe(before);
    lease.written(write);
    lease.found(before);
    expect(stands()).toEqual([false, false]);
    lease.found(lease.instanceId);
    expect(stands()).toEqual([true, true]);
  });

  it.each(['doubt', 'releasing'] as const)('is written anew after %s', (what) => {
    lease.written(lease.forClaim());
    lease[what]();
    expect(stands()).toEqual([false, true]);
    expect(lease.forClaim().write).toBe(true);
  });

  it('does not stand once it is released', () => {
    lease.written(lease.forClaim());
    lease.releasing();
    lease.released();
    expect(stands()).toEqual([false, false]);
  });
});
