import type { Clocks } from '../store/postgres/clocks.js';
import type { TenantManager } from '../tenants/hosting/tenant-manager.js';
import type { ConfigurationCheck } from './configuration-check.js';

/** What the process of an application runs on, in place of the system's clocks and the tenants' databases. */
export interface Platform {
  readonly clocks: Clocks;
  /** Creates the object that opens and runs the tenants. */
  createManager(boot: ConfigurationCheck): TenantManager;
}
