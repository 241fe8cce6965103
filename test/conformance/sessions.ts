import { expect, test } from '@jest/globals';
import type { Claimant, DueTime } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { newClaimant, noLease, outcomeOf, parallel, startOf } from './workflows.js';

const one = parallel(1);

export function describeSessions(tested: TestedStore): void {
  /** A process that has a lease and a claim under it. */
  async function holder(): Promise<{ claimant: Claimant; id: string }> {
    const claimant = newClaimant();
    const item = startOf(one);
    await tested.store.start([item], { claimant, write: true }, false);
    return { claimant, id: item.id };
  }
  const leasesOf = (claimants: readonly Claimant[]) =>
    claimants.map(({ instanceId }) => ({ tenant: tested.store.handle, instanceId }));
  const end = (id: string, claimant: Claimant) =>
    tested.store.complete([outcomeOf(one, id, 0)], noLease(claimant));

  test('renew the leases that are there, and tell of those that are not', async () => {
    const { claimant } = await holder();
    const before = await tested.behind.leaseOf(claimant);
    const leases = leasesOf([claimant, newClaimant()]);
    expect(await tested.behind.session.renew(leases, 3_600_000)).toEqual([true, false]);
    const after = await tested.behind.leaseOf(claimant);
    expect(Number(after?.expires_at)).toBeGreaterThan(Number(before?.expires_at) + 1_800_000);
  });

  test('release the leases under which no task runs', async () => {
    const [holding, done] = [await holder(), await holder()];
    await end(done.id, done.claimant);
    const leases = leasesOf([holding.claimant, done.claimant]);
    expect(await tested.behind.session.release(leases)).toEqual([false, true]);
    expect(await tested.behind.leaseOf(holding.claimant)).toBeDefined();
    expect(await tested.behind.leaseOf(done.claimant)).toBeUndefined();
  });

  test('tell the leases of a tenant, and who holds claims without one', async () => {
    const [holding, lost] = [await holder(), await holder()];
    await tested.store.recovery.endLease(lost.claimant.instanceId, 'former');
    const { handle } = tested.store;
    const { tenants } = await tested.behind.session.sweep([handle]);
    const [leases] = await tested.behind.session.leases([handle]);
    const { instanceId, processId, name, lockEpoch, lockSession } = holding.claimant;
    const expected = { tenant: 0, instanceId, processId, name, lockEpoch, lockSession };
    for (const found of [tenants[0]?.leases, leases]) {
      const own = found?.find((lease) => lease.instanceId === instanceId);
      expect(own).toMatchObject({ ...expected, readOnly: false, login: expect.any(String) });
      expect(own?.overForMs).toBeLessThan(0);
      expect(found?.some((lease) => lease.instanceId === lost.claimant.instanceId)).toBe(false);
    }
    expect(tenants[0]?.unleased).toContain(lost.claimant.instanceId);
    expect(tenants[0]?.unleased).not.toContain(instanceId);
    expect(tenants[0]?.schemaId).toEqual(expect.any(String));
  });

  test('have the same fingerprint of a tenant until something changes, and none if there is something to do', async () => {
    const { store, behind } = tested;
    const fingerprint = async () =>
      (await behind.session.sweep([store.handle])).tenants[0]?.fingerprint;
    // What other tests have left is done by then, or in the way of this one.
    await behind.empty();
    const idle = await fingerprint();
    expect(idle).toEqual(expect.any(String));
    expect(await fingerprint()).toBe(idle);
    const { id, claimant } = await holder();
    // A claim with a lease is nothing to do, and nothing that another process has to know.
    expect(await fingerprint()).toBe(idle);
    await store.recovery.endLease(claimant.instanceId, 'former');
    expect(await fingerprint()).toBeUndefined();
    await store.writeLease({ claimant: { ...claimant, leaseDurationMs: -1_000 }, write: true });
    expect(await fingerprint()).toBeUndefined();
    await store.writeLease({ claimant, write: true });
    await end(id, claimant);
    const later = startOf(one, { claims: 0 });
    await store.start([later], noLease(), false);
    expect(await fingerprint()).toBeUndefined();
    await behind.changeTask(later.id, 0, { runInMs: 1_800_000 });
    const withLater = await fingerprint();
    expect(withLater).toEqual(expect.any(String));
    expect(withLater).not.toBe(idle);
    expect(await fingerprint()).toBe(withLater);
    await behind.changeTask(later.id, 0, { runInMs: 900_000 });
    expect(await fingerprint()).not.toBe(withLater);
    await store.cancel(later.id, null);
    expect(await fingerprint()).toBe(idle);
  });

  test('tell when the next task and the next deadline of a tenant are due', async () => {
    const { store, behind } = tested;
    const items = [startOf(parallel(1, { timeoutMs: 3_600_000 })), startOf(one, { claims: 0 })];
    const later = startOf(one, { claims: 0 });
    await store.start([...items, later], noLease(), false);
    await behind.setDeadline(items[0]!.id, -7_200_000);
    await behind.changeTask(items[1]!.id, 0, { runInMs: -1 });
    await behind.changeTask(later.id, 0, { runInMs: 1_800_000 });
    for (const due of [
      (await behind.session.dueTimes([store.handle]))[0],
      (await behind.session.sweep([store.handle])).tenants[0]?.due,
    ]) {
      expect(first(due, 'task')).toBeLessThanOrEqual(0);
      expect(first(due, 'deadline')).toBeLessThan(-3_600_000);
      // What stays due doesn't hide what comes after it.
      const next = due?.filter(({ inMs }) => inMs > 0) ?? [];
      expect(first(next, 'task')).toBeLessThanOrEqual(1_800_000);
    }
    // What has become due lately is seen, although another has been due for long.
    const lately = startOf(one, { claims: 0 });
    await store.start([lately], noLease(), false);
    await behind.changeTask(items[1]!.id, 0, { runInMs: -3_600_000 });
    const times = (await behind.session.dueTimes([store.handle]))[0]!
      .filter(({ kind, inMs }) => kind === 'task' && inMs <= 0)
      .map(({ inMs }) => inMs);
    expect(Math.min(...times)).toBeLessThanOrEqual(-3_600_000);
    expect(Math.max(...times)).toBeGreaterThan(-3_600_000);
    for (const { id } of [...items, lately, later]) await store.cancel(id, null);
    const [due] = await behind.session.dueTimes([store.handle]);
    expect(first(due, 'deadline')).toBeGreaterThan(-3_600_000);
  });
}

/** In how many milliseconds the first of a kind is due; Infinity where there is none. */
function first(due: readonly DueTime[] | undefined, kind: DueTime['kind']): number {
  return Math.min(...(due ?? []).filter((time) => time.kind === kind).map(({ inMs }) => inMs));
}
