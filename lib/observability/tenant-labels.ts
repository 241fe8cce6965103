/** The value of the tenant's label for all tenants beyond the limit. */
const OTHER_TENANTS = '_other';

/**
 * Bounds the number of values of the tenant's label: each of them is a series of its own in every metric. The first tenants
 * keep their names, and all others share one value.
 */
export class TenantLabels {
  private readonly known = new Set<string>();

  /** @param max - maximum number of names. 0: there is no label */
  constructor(private readonly max: number) {}

  /** Undefined without a label. */
  of(tenant: string): string | undefined {
    if (this.max === 0) return undefined;
    if (this.known.has(tenant)) return tenant;
    if (this.known.size >= this.max) return OTHER_TENANTS;
    this.known.add(tenant);
    return tenant;
  }
}
