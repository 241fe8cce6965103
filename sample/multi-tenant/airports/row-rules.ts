import type { AirportRow } from './airport-row.js';

/** A condition that a tenant requires of rows. `reason` is stored with each row that does not meet it. */
export interface RowRule {
  readonly reason: string;
  readonly accepts: (row: AirportRow) => boolean;
}

/** Passengers book by IATA code, and their tickets show a city and local times. */
export const passengerRules: readonly RowRule[] = [
  { reason: 'no IATA code', accepts: ({ iata }) => iata !== null && iata !== '' },
  {
    reason: 'an IATA code that is not three letters',
    accepts: ({ iata }) => iata === null || iata === '' || /^[A-Z]{3}$/.test(iata),
  },
  { reason: 'no city', accepts: ({ city }) => city !== '' },
  { reason: 'no time zone', accepts: ({ tz }) => tz !== null },
];

/** Cargo is planned by ICAO code. Codes that national authorities assign do not help. */
export const cargoRules: readonly RowRule[] = [
  {
    reason: 'an ICAO code that is not four letters',
    accepts: ({ icao }) => /^[A-Z]{4}$/.test(icao),
  },
  { reason: 'no time zone', accepts: ({ tz }) => tz !== null },
];

/** The rules that a row breaks. A row without any is loaded. */
export function brokenRules(row: AirportRow, rules: readonly RowRule[]): string[] {
  return rules.filter(({ accepts }) => !accepts(row)).map(({ reason }) => reason);
}
