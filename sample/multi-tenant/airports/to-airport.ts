import type { AirportRow } from './airport-row.js';
import type { Airport } from './airport.entity.js';

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

const METRES_PER_FOOT = 0.3048;
const EARTH_RADIUS_KM = 6_371;

/** The entity of a row that passed the rules. */
export function toAirport(row: AirportRow, importId: string, base: Place): Airport {
  return {
    id: row.id,
    name: row.name,
    city: row.city === '' ? null : unescaped(row.city),
    country: row.country,
    iata: row.iata === '' ? null : row.iata,
    icao: row.icao,
    latitude: row.latitude,
    longitude: row.longitude,
    elevationMetres: Math.round(row.altitude * METRES_PER_FOOT),
    timeZone: row.tz ?? '',
    distanceKm: Math.round(distanceKm(base, row)),
    importId,
  };
}

/** Removes backslashes: the data set has cities such as `Port O\'Connor`. */
function unescaped(text: string): string {
  return text.replaceAll(String.raw`\'`, "'");
}

/** Along a great circle. */
function distanceKm(a: Place, b: Place): number {
  const [latA, lonA, latB, lonB] = [a.latitude, a.longitude, b.latitude, b.longitude].map(
    (degrees) => (degrees * Math.PI) / 180,
  ) as [number, number, number, number];
  const chord =
    Math.sin((latB - latA) / 2) ** 2 +
    Math.cos(latA) * Math.cos(latB) * Math.sin((lonB - lonA) / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}
