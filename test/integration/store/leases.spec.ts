import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PoolSession } from '../../../lib/store/postgres/session/pool-session.js';
import { openStore, type OpenStore } from './open-store.js';
import {
  newClaimant,
  noLease,
  outcomeOf,
  parallel,
  startOf,
  workflow,
} from '../../conformance/workflows.js';
import type { Claimant, LeaseWrite } from '../../../lib/store/port/index.js';

let open: OpenStore;
let definition = 100;

beforeAll(async () => {
  open = await openStore();
});
afterAll(() => open.close());

interface Lease {
  readonly name: string;
  readonly lock_epoch: string | null;
  readonly lock_session: string | null;
  readonly process_id: string;
  readonly seconds: number;
}

async function leaseOf({ instanceId }: Claimant): Promise<Lease | undefined> {
  const { rows } = await open.admin.query<Lease>(
    `SELECT name, lock_epoch, lock_session, process_id, extract(epoch FROM expires_at - clock_timestamp())::float AS seconds
     FROM ${open.tables.lease} WHERE instance_id = $1`,
    [instanceId],
  );
  return rows[0];
}

const chain = workflow([[], [0]]);

/** Each statement that claims, once: a start, a claim, a completion. */
const claiming: [string, (lease: LeaseWrite) => Promise<unknown>][] = [
  ['a start', (lease) => open.store.start([startOf(chain)], lease, false)],
  ['a start with a key', (lease) => open.store.start([startOf(chain)], lease, true)],
  [
    'a claim',
    async (lease) => {
      const of = parallel(1, { definitionId: String(++definition) });
      await open.store.start([startOf(of, { claims: 0 })], { ...lease, write: false }, false);
      expect(await open.store.claim([String(definition)], [], 1, lease)).toHaveLength(1);
    },
  ],
  [
    'a completion',
    async (lease) => {
      const item = startOf(chain);
      await open.store.start([item], { claimant: newClaimant(), write: false }, false);
      const { readied } = await open.store.complete([outcomeOf(chain, item.id, 0)], lease);
      expect(readied).toEqual([expect.objectContaining({ claimed: true })]);
    },
  ],
];

test.each(claiming)('%s writes the lease of the process that claims', async (_, send) => {
  const claimant = newClaimant();
  await send({ claimant, write: true });
  const lease = await leaseOf(claimant);
  expect(lease).toMatchObject({
    name: claimant.name,
    lock_epoch: claimant.lockEpoch,
    lock_session: claimant.lockSession,
    process_id: claimant.processId,
  });
  expect(lease?.seconds).toBeGreaterThan(25);
  expect(lease?.seconds).toBeLessThanOrEqual(30);
});

test.each(claiming)('%s leaves the lease alone when it is held already', async (_, send) => {
  const claimant = newClaimant();
  await send({ claimant, write: false });
  expect(await leaseOf(claimant)).toBeUndefined();
});

test('a lease that is there is renewed, and says what its process says now', async () => {
  const claimant = newClaimant();
  await claiming[0]![1]({ claimant: { ...claimant, leaseDurationMs: 1 }, write: true });
  await claiming[2]![1]({ claimant: { ...claimant, lockEpoch: 'next' }, write: true });
  const lease = await leaseOf(claimant);
  expect(lease?.lock_epoch).toBe('next');
  expect(lease?.seconds).toBeGreaterThan(25);
});

test('a claim that is rolled back leaves no lease, so none stands without the other', async () => {
  const claimant = newClaimant();
  await open.store
    .start(
      [startOf(chain), startOf(chain, { input: '{"a":"\\u0000"}' })],
      { claimant, write: true },
      false,
    )
    .catch(() => undefined);
  expect(await leaseOf(claimant)).toBeUndefined();
  expect(await open.store.claimsOf(claimant.instanceId)).toEqual([]);
});

describe('a lease', () => {
  /** A process that holds one and a claim under it. */
  async function holder(): Promise<{ claimant: Claimant; id: string }> {
    const claimant = newClaimant();
    const item = startOf(parallel(1));
    await open.store.start([item], { claimant, write: true }, false);
    return { claimant, id: item.id };
  }
  const end = (id: string, claimant: Claimant) =>
    open.store.complete([outcomeOf(parallel(1), id, 0)], noLease(claimant));

  test('is released by its owner alone', async () => {
    const [mine, other] = [await holder(), await holder()];
    for (const { id, claimant } of [mine, other]) await end(id, claimant);
    expect(await open.store.releaseLease(mine.claimant.instanceId)).toBe(true);
    expect(await leaseOf(mine.claimant)).toBeUndefined();
    expect(await leaseOf(other.claimant)).toBeDefined();
  });

  test('stays as long as a running task names its owner, whatever that one remembers', async () => {
    const { claimant, id } = await holder();
    expect(await open.store.releaseLease(claimant.instanceId)).toBe(false);
    expect(await leaseOf(claimant)).toBeDefined();
    await end(id, claimant);
    expect(await open.store.releaseLease(claimant.instanceId)).toBe(true);
    expect(await leaseOf(claimant)).toBeUndefined();
  });

  test('of many tenants in a statement, those stay under which a task runs', async () => {
    const [holding, done] = [await holder(), await holder()];
    await end(done.id, done.claimant);
    const leases = [holding, done].map(({ claimant: { instanceId } }) => ({
      tenant: open.tables,
      instanceId,
    }));
    expect(await new PoolSession(open.pools).release(leases)).toEqual([false, true]);
    expect(await leaseOf(holding.claimant)).toBeDefined();
    expect(await leaseOf(done.claimant)).toBeUndefined();
  });
});
