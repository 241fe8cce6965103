import type { CloacinaTenantOptions } from 'nestjs-cloacina';
import { Airport } from '../airports/airport.entity.js';
import { Country } from '../airports/country.entity.js';
import { CreateAirportTables1767225600000 } from '../airports/create-airport-tables.migration.js';
import { ImportReport } from '../airports/import-report.entity.js';
import { RejectedRow } from '../airports/rejected-row.entity.js';
import type { TenantProfile } from './profiles.js';

/** The options of a customer, for `forTenant` and for `CloacinaTenants.add`. */
export function tenantOptions({ name, schema }: TenantProfile): CloacinaTenantOptions {
  return {
    tenant: name,
    schema,
    maxConcurrentTasks: 4,
    entities: [Airport, Country, RejectedRow, ImportReport],
    migrations: [CreateAirportTables1767225600000],
  };
}
