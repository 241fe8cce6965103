import { Injectable } from '@nestjs/common';
import { NonRetryableError, Task, Workflow, type TaskContext } from 'nestjs-cloacina';
import { Airport } from '../airports/airport.entity.js';
import type { AirportRow } from '../airports/airport-row.js';
import { Country } from '../airports/country.entity.js';
import { RejectedRow } from '../airports/rejected-row.entity.js';
import { brokenRules } from '../airports/row-rules.js';
import { toAirport } from '../airports/to-airport.js';
import { profileOf } from '../tenants/profiles.js';
import { CountryCodes } from './country-codes.js';
import { DataSet } from './data-set.js';

/** The context carries numbers and small tables. The tasks read the rows from the data set. */
export interface ChunkContext {
  importId: string;
  version: string;
  /** From 1 to `chunks`. */
  chunk: number;
  chunks: number;
  /** Row numbers; `to` is exclusive. */
  from: number;
  to: number;
  rejected?: number;
  codes?: Record<string, string | null>;
  loaded?: number;
}

type Context = TaskContext<ChunkContext>;

/** One chunk of an import: validate → enrich → load. One class serves all tenants; `context.tenant` names the tenant. */
@Workflow({ name: 'airport-chunk', timeout: '10m' })
@Injectable()
export class AirportChunk {
  constructor(
    private readonly dataSet: DataSet,
    private readonly countryCodes: CountryCodes,
  ) {}

  /** The rejected rows and the outcome of this task are committed together, so no row is written twice. */
  @Task({ transactional: true })
  async validate(context: Context) {
    const importId = context.require('importId');
    const from = context.require('from');
    const { rules } = profileOf(context.tenant);
    const rejects = (await this.rowsOf(context))
      .map((row, i) => ({ importId, rowNumber: from + i, reasons: brokenRules(row, rules), row }))
      .filter(({ reasons }) => reasons.length > 0);
    await context.manager.createQueryBuilder().insert().into(RejectedRow).values(rejects).execute();
    return { rejected: rejects.length };
  }

  @Task({ dependsOn: ['validate'] })
  async enrich(context: Context) {
    const countries = new Set((await this.acceptedRows(context)).map(({ country }) => country));
    const codes = [...countries]
      .sort()
      .map((country) => [country, this.countryCodes.codeOf(country)] as const);
    return { codes: Object.fromEntries(codes) };
  }

  /** Inserts countries in the order of their names, so that chunks that insert the same ones do not deadlock. */
  @Task({ dependsOn: ['enrich'], transactional: true, retry: { maxAttempts: 5, delay: '200ms' } })
  async load(context: Context) {
    const { base } = profileOf(context.tenant);
    const rows = await this.acceptedRows(context);
    const airports = rows.map((row) => toAirport(row, context.require('importId'), base));
    const countries = Object.entries(context.require('codes')).map(([name, code]) => ({
      name,
      code,
    }));
    const { manager } = context;
    if (airports.length > 0) {
      await manager
        .createQueryBuilder()
        .insert()
        .into(Country)
        .values(countries)
        .orIgnore()
        .execute();
      await manager.upsert(Airport, airports, ['id']);
    }
    return { loaded: airports.length };
  }

  private async acceptedRows(context: Context): Promise<AirportRow[]> {
    const { rules } = profileOf(context.tenant);
    return (await this.rowsOf(context)).filter((row) => brokenRules(row, rules).length === 0);
  }

  private async rowsOf(context: Context): Promise<readonly AirportRow[]> {
    const { version, rows } = await this.dataSet.load();
    if (version !== context.require('version')) {
      // A deploy changed the data set during the import: row numbers are only valid within one version.
      throw new NonRetryableError(
        `This import is of version ${context.require('version')} of the data set; this process has ${version}.`,
      );
    }
    return rows.slice(context.require('from'), context.require('to'));
  }
}
