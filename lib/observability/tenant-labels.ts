import { BoundedNames } from './bounded-names.js';

/** The value of the tenant's label for all tenants beyond the limit. */
const OTHER_TENANTS = '_other';

/** The values of the tenant's label. */
export class TenantLabels {
  private readonly names: BoundedNames | undefined;

  /** @param max - maximum number of names. 0: there is no label */
  constructor(max: number) {
    this.names = max === 0 ? undefined : new BoundedNames(max, OTHER_TENANTS);
  }

  /** Undefined without a label. */
  of(tenant: string): string | undefined {
    return this.names?.of(tenant);
  }
}
