import { Injectable } from '@nestjs/common';
import {
  contextValue,
  type ItemContext,
  MapTask,
  notFailed,
  Schedule,
  Task,
  Workflow,
  type TaskContext,
} from 'nestjs-cloacina';
import type { EntityManager } from 'typeorm';
import { Airport } from '../airports/airport.entity.js';
import { type CountryCount, ImportReport } from '../airports/import-report.entity.js';
import { RejectedRow } from '../airports/rejected-row.entity.js';
import { profileOf } from '../tenants/profiles.js';
import { type Chunk, ChunkLoader, type LoadedChunk } from './chunk-loader.js';
import { DataSet } from './data-set.js';

const CHUNK_ROWS = 1_000;

/** The context carries numbers and small tables. The tasks read the rows from the data set. */
export interface ImportContext {
  /** How many rows to import. Default: all. */
  limit?: number;
  version?: string;
  rows?: number;
  loaded?: number;
  rejected?: number;
  rejectReasons?: Record<string, number>;
  topCountries?: CountryCount[];
}

type Context = TaskContext<ImportContext>;

/** Whether a customer has its base in a city, by whose clock its imports run. */
const isIn =
  (city: string) =>
  (tenant: string): boolean =>
    profileOf(tenant).base.city === city;

/**
 * fetch → chunks (once for each thousand rows) → total → explainRejects (only if rows were rejected) → report; each month
 * while its customers sleep
 */
@Schedule({
  name: 'monthly-import-lisbon',
  cron: '0 3 1 * *',
  timezone: 'Europe/Lisbon',
  jitter: '10m',
  tenants: isIn('Lisbon'),
})
@Schedule({
  name: 'monthly-import-singapore',
  cron: '0 3 1 * *',
  timezone: 'Asia/Singapore',
  jitter: '10m',
  tenants: isIn('Singapore'),
})
@Workflow({ name: 'airport-import', version: '3', timeout: '30m' })
@Injectable()
export class AirportImport {
  constructor(
    private readonly dataSet: DataSet,
    private readonly loader: ChunkLoader,
  ) {}

  @Task({ retry: { maxAttempts: 5, delay: '500ms' }, timeout: '30s' })
  async fetch(context: Context) {
    const { version, rows } = await this.dataSet.load();
    return { version, rows: Math.min(rows.length, context.get('limit') ?? rows.length) };
  }

  /** The rows of a chunk and the outcome of its item are committed together, so no row is written twice. */
  @MapTask({
    dependsOn: ['fetch'],
    items: (context: Pick<Context, 'require'>) => chunksOf(context.require('rows')),
    transactional: true,
    retry: { maxAttempts: 5, delay: '200ms' },
  })
  async chunks(context: ItemContext<Chunk, ImportContext>): Promise<LoadedChunk> {
    const { tenant, executionId: importId, item, manager } = context;
    const version = context.require('version');
    return this.loader.load({ tenant, importId, version, ...item }, manager);
  }

  @Task({ dependsOn: ['chunks'] })
  async total(context: Context) {
    const total = { loaded: 0, rejected: 0 };
    for await (const { value } of context.results<LoadedChunk>('chunks')) {
      total.loaded += value?.loaded ?? 0;
      total.rejected += value?.rejected ?? 0;
    }
    return total;
  }

  @Task({ dependsOn: ['total'], when: contextValue('rejected', 'greaterThan', 0) })
  async explainRejects(context: Context) {
    const found = await context.manager
      .createQueryBuilder()
      .select('reason')
      .addSelect('count(*)::integer', 'rows')
      .from(
        (query) =>
          query
            .select('unnest(rejected.reasons)', 'reason')
            .from(RejectedRow, 'rejected')
            .where('rejected.import_id = :id', { id: context.executionId }),
        'broken',
      )
      .groupBy('reason')
      .orderBy('rows', 'DESC')
      .getRawMany<{ reason: string; rows: number }>();
    return { rejectReasons: Object.fromEntries(found.map(({ reason, rows }) => [reason, rows])) };
  }

  /** With the default rule, this task would be skipped together with `explainRejects`. */
  @Task({ dependsOn: ['total', 'explainRejects'], when: notFailed(), transactional: true })
  async report(context: Context) {
    const topCountries = await topCountriesOf(context.manager, context.executionId);
    await context.manager.insert(ImportReport, {
      importId: context.executionId,
      version: context.require('version'),
      rows: context.require('rows'),
      loaded: context.require('loaded'),
      rejected: context.require('rejected'),
      rejectReasons: context.get('rejectReasons') ?? {},
      topCountries,
    });
    return { topCountries };
  }
}

function chunksOf(rows: number): Chunk[] {
  return Array.from({ length: Math.ceil(rows / CHUNK_ROWS) }, (_, i) => ({
    from: i * CHUNK_ROWS,
    to: Math.min((i + 1) * CHUNK_ROWS, rows),
  }));
}

function topCountriesOf(manager: EntityManager, importId: string): Promise<CountryCount[]> {
  return manager
    .createQueryBuilder(Airport, 'airport')
    .select('airport.country', 'country')
    .addSelect('count(*)::integer', 'airports')
    .where('airport.import_id = :importId', { importId })
    .groupBy('airport.country')
    .orderBy('airports', 'DESC')
    .addOrderBy('country')
    .limit(3)
    .getRawMany<CountryCount>();
}
