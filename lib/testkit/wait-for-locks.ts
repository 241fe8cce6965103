import { systemClock } from '../runtime/clock.js';
import type { BulkStore, TenantStore } from '../store/port/index.js';

/** Pause before executions are tried again whose rows were locked, in milliseconds of real time. */
const PAUSE_MS = 10;
/** How long they are tried again, in milliseconds of real time. */
const PATIENCE_MS = 10_000;

/**
 * Has bulk calls wait in real time for rows that other sessions have locked, such as a claim that is under way. The library
 * pauses on the clock of the test: while time stands still, such a pause has no end.
 */
export function waitForLocks(store: TenantStore): TenantStore {
  const { bulk } = store;
  const original = {
    control: bulk.control.bind(bulk),
    delete: bulk.delete.bind(bulk),
    reset: bulk.reset.bind(bulk),
  } satisfies Partial<BulkStore>;
  bulk.control = (action, ids, ...how) =>
    untilNoneIsLeft(
      ids,
      (left) => original.control(action, left, ...how),
      (one, next) => ({ changed: [...one.changed, ...next.changed], left: next.left }),
    );
  bulk.delete = (ids) =>
    untilNoneIsLeft(ids, original.delete, (one, next) => ({
      deleted: [...one.deleted, ...next.deleted],
      left: next.left,
    }));
  bulk.reset = (ids, decide) =>
    untilNoneIsLeft(
      ids,
      (left) => original.reset(left, decide),
      (one, next) => ({ reset: [...one.reset, ...next.reset], left: next.left }),
    );
  return store;
}

async function untilNoneIsLeft<T extends { readonly left: readonly string[] }>(
  ids: readonly string[],
  send: (ids: readonly string[]) => Promise<T>,
  join: (one: T, next: T) => T,
): Promise<T> {
  const end = systemClock.now() + PATIENCE_MS;
  let reply = await send(ids);
  while (reply.left.length > 0 && systemClock.now() < end) {
    await systemClock.sleep(PAUSE_MS);
    reply = join(reply, await send(reply.left));
  }
  return reply;
}
