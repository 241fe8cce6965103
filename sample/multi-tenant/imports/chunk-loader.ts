import { Injectable } from '@nestjs/common';
import { NonRetryableError } from 'nestjs-cloacina';
import type { EntityManager } from 'typeorm';
import { Airport } from '../airports/airport.entity.js';
import type { AirportRow } from '../airports/airport-row.js';
import { Country } from '../airports/country.entity.js';
import { RejectedRow } from '../airports/rejected-row.entity.js';
import { brokenRules } from '../airports/row-rules.js';
import { toAirport } from '../airports/to-airport.js';
import { profileOf } from '../tenants/profiles.js';
import { CountryCodes } from './country-codes.js';
import { DataSet } from './data-set.js';

/** An item of the map: numbers of rows, `to` is exclusive. The rows are read from the data set. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
}

export interface ChunkImport extends Chunk {
  readonly tenant: string;
  readonly importId: string;
  /** The version of the data set that the numbers of rows belong to. */
  readonly version: string;
}

/** What became of the rows of a chunk. */
export interface LoadedChunk {
  readonly loaded: number;
  readonly rejected: number;
}

/** Writes the rows of one chunk: the valid ones as airports, the others with the rules that they broke. */
@Injectable()
export class ChunkLoader {
  constructor(
    private readonly dataSet: DataSet,
    private readonly countryCodes: CountryCodes,
  ) {}

  /** @param manager - of the transaction that commits the rows together with the outcome of the item */
  async load(chunk: ChunkImport, manager: EntityManager): Promise<LoadedChunk> {
    const { importId, from } = chunk;
    const { rules, base } = profileOf(chunk.tenant);
    const rows = (await this.rowsOf(chunk)).map((row, i) => ({
      importId,
      rowNumber: from + i,
      reasons: brokenRules(row, rules),
      row,
    }));
    const rejected = rows.filter(({ reasons }) => reasons.length > 0);
    const accepted = rows.filter(({ reasons }) => reasons.length === 0).map(({ row }) => row);
    await manager.createQueryBuilder().insert().into(RejectedRow).values(rejected).execute();
    if (accepted.length > 0) {
      await this.insertCountries(accepted, manager);
      const airports = accepted.map((row) => toAirport(row, importId, base));
      await manager.upsert(Airport, airports, ['id']);
    }
    return { loaded: accepted.length, rejected: rejected.length };
  }

  /** Inserts countries in the order of their names, so that chunks that insert the same ones do not deadlock. */
  private async insertCountries(
    rows: readonly AirportRow[],
    manager: EntityManager,
  ): Promise<void> {
    const names = [...new Set(rows.map(({ country }) => country))].sort();
    const countries = names.map((name) => ({ name, code: this.countryCodes.codeOf(name) }));
    await manager
      .createQueryBuilder()
      .insert()
      .into(Country)
      .values(countries)
      .orIgnore()
      .execute();
  }

  private async rowsOf({ version, from, to }: ChunkImport): Promise<readonly AirportRow[]> {
    const loaded = await this.dataSet.load();
    if (loaded.version === version) return loaded.rows.slice(from, to);
    // A deploy changed the data set during the import: row numbers are only valid within one version.
    throw new NonRetryableError(
      `This import is of version ${version} of the data set; this process has ${loaded.version}.`,
    );
  }
}
