import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Claimant, LeaseWrite } from '../../../lib/store/store.js';
import { openStore, type OpenStore } from './open-store.js';
import { newClaimant, outcomeOf, parallel, startOf, workflow } from './workflows.js';

let open: OpenStore;
let definition = 0;

beforeAll(async () => {
  open = await openStore();
});
afterAll(() => open.close());

interface Lease {
  readonly name: string;
  readonly lock_epoch: string | null;
  readonly process_id: string;
  readonly seconds: number;
}

async function leaseOf({ instanceId }: Claimant): Promise<Lease | undefined> {
  const { rows } = await open.admin.query<Lease>(
    `SELECT name, lock_epoch, process_id, extract(epoch FROM expires_at - clock_timestamp())::float AS seconds
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
      const of = parallel(1, { definitionId: ++definition + 100 });
      await open.store.start([startOf(of, { claims: 0 })], { ...lease, write: false }, false);
      expect(await open.store.claim([definition + 100], [], 1, lease)).toHaveLength(1);
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

test('a lease is released by its owner alone', async () => {
  const [mine, other] = [newClaimant(), newClaimant()];
  for (const claimant of [mine, other]) await claiming[0]![1]({ claimant, write: true });
  await open.store.releaseLease(mine.instanceId);
  expect(await leaseOf(mine)).toBeUndefined();
  expect(await leaseOf(other)).toBeDefined();
});
