import type { MigrationInterface } from 'typeorm';
import { prepareSchema } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { openFleet } from '../fleet/open-fleet.js';

/** Makes a tenant with the tables of these migrations. Returns its schema. */
export async function makeTenant(
  url: string,
  migrations: readonly (new () => MigrationInterface)[],
): Promise<string> {
  const schema = freshSchema('moving');
  if (url === databaseUrl()) await prepareSchema(schema);
  const fleet = openFleet({ url, schemas: [schema], migrations: [...migrations] });
  try {
    await fleet.migrators[0]?.ensure();
  } finally {
    await fleet.close();
  }
  return schema;
}
