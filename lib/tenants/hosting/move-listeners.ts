import type { Tenant } from './tenant.js';

const listeners = new WeakMap<Tenant, Set<() => void>>();

/** Calls `listener` when this process hears that a move of the tenant has changed its state, until the returned function is called. */
export function onMoveOf(tenant: Tenant, listener: () => void): () => void {
  const all = listeners.get(tenant) ?? new Set();
  listeners.set(tenant, all);
  all.add(listener);
  return () => all.delete(listener);
}

/** Tells the listeners of a tenant. */
export function tellMoveOf(tenant: Tenant): void {
  for (const listener of listeners.get(tenant) ?? []) listener();
}
