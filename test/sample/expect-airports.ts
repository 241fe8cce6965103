import { expect } from '@jest/globals';
import { rowsOf } from '../support/scratch-database.js';
import { expectedImports } from './expected-import.js';

export const tenants = ['acme', 'globex'] as const;

export function schemaOf(tenant: string): string {
  return tenant === 'legacy' ? 'public' : `tenant_${tenant}`;
}

/** The tenant's schema has the airports that it must have, in every column that needs no calculation on a sphere. */
export async function expectAirportsOf(
  database: string,
  tenant: keyof typeof expectedImports,
): Promise<void> {
  const expected = expectedImports[tenant];
  const airports = await rowsOf(
    database,
    `SELECT id, name, city, country, iata, icao, elevation_metres, time_zone
     FROM ${schemaOf(tenant)}.airport ORDER BY id`,
  );
  expect(airports).toEqual(expected.airports);
}
