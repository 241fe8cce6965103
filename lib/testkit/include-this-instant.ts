import type { TenantStore } from '../store/port/index.js';

/**
 * Has bulk calls take the executions of their own instant. They take what is older than they are. While time stands still,
 * all that was started before a call is as old as the call.
 */
export function includeThisInstant(store: TenantStore): TenantStore {
  const { bulk } = store;
  const begin = bulk.now.bind(bulk);
  bulk.now = async () => {
    const { createdAtMicros, id } = await begin();
    return { createdAtMicros: String(BigInt(createdAtMicros) + 1n), id };
  };
  return store;
}
