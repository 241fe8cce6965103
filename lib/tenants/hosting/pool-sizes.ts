import type { Tenant } from './tenant.js';

const sizes = new WeakMap<Tenant, () => number>();

/** Notes how many connections the login of a tenant has. The number changes with the processes that share the server. */
export function notePoolSize(tenant: Tenant, size: () => number): void {
  sizes.set(tenant, size);
}

/** How many connections this process may open for the login of a tenant. Undefined for a tenant that is not served. */
export function poolSizeOf(tenant: Tenant): number | undefined {
  return sizes.get(tenant)?.();
}
