import type { Tenant } from '../tenants/hosting/tenant.js';

const numbers = new WeakMap<Tenant, number>();
let last = 0;

/**
 * A number of its own for each tenant of this process. A tenant that was removed and added again has another one, because
 * nothing that was read of the former may be shown of the latter.
 */
export function identityOf(tenant: Tenant): number {
  const known = numbers.get(tenant);
  if (known !== undefined) return known;
  numbers.set(tenant, ++last);
  return last;
}

/** The same for the same tenants in the same order. */
export function keyOf(tenants: readonly Tenant[]): string {
  return tenants.map(identityOf).join(' ');
}
