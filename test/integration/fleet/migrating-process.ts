import { migrateFleet } from '../../../lib/tenants/migrations/migrate-fleet.js';
import { openFleet } from './open-fleet.js';

/** A process that migrates the schemas in FLEET_SCHEMAS and tells of each; for a test that kills it. */
const fleet = openFleet({
  url: process.env['FLEET_URL'] ?? '',
  schemas: (process.env['FLEET_SCHEMAS'] ?? '').split(','),
});
const report = await migrateFleet(fleet.migrators, {
  concurrency: 2,
  onProgress: (done) => process.send?.({ done }),
});
process.send?.({ report });
await fleet.close();
process.disconnect();
