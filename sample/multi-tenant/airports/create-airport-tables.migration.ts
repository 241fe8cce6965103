import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The names are unqualified: the library runs migrations with the tenant's schema first in the search_path. */
export class CreateAirportTables1767225600000 implements MigrationInterface {
  readonly name = 'CreateAirportTables1767225600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE country (
        name text PRIMARY KEY,
        code text
      );
      CREATE TABLE airport (
        id integer PRIMARY KEY,
        name text NOT NULL,
        city text,
        country text NOT NULL REFERENCES country,
        iata text,
        icao text NOT NULL,
        latitude double precision NOT NULL,
        longitude double precision NOT NULL,
        elevation_metres integer NOT NULL,
        time_zone text NOT NULL,
        distance_km integer NOT NULL,
        import_id uuid NOT NULL
      );
      CREATE INDEX airport_country_idx ON airport (country);
      CREATE TABLE rejected_row (
        import_id uuid NOT NULL,
        row_number integer NOT NULL,
        reasons text[] NOT NULL,
        row jsonb NOT NULL,
        PRIMARY KEY (import_id, row_number)
      );
      CREATE TABLE import_report (
        import_id uuid PRIMARY KEY,
        version text NOT NULL,
        rows integer NOT NULL,
        loaded integer NOT NULL,
        rejected integer NOT NULL,
        reject_reasons jsonb NOT NULL,
        top_countries jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE import_report, rejected_row, airport, country');
  }
}
