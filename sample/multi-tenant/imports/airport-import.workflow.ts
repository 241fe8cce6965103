import { Injectable } from '@nestjs/common';
import {
  contextValue,
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
import { AirportChunk, type ChunkContext } from './airport-chunk.workflow.js';
import { DataSet } from './data-set.js';

const CHUNK_ROWS = 1_000;

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

/** fetch → loadChunks → explainRejects (only if rows were rejected) → report; each month while its customers sleep */
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
@Workflow({ name: 'airport-import', version: '2', timeout: '30m' })
@Injectable()
export class AirportImport {
  constructor(private readonly dataSet: DataSet) {}

  @Task({ retry: { maxAttempts: 5, delay: '500ms' }, timeout: '30s' })
  async fetch(context: Context) {
    const { version, rows } = await this.dataSet.load();
    return { version, rows: Math.min(rows.length, context.get('limit') ?? rows.length) };
  }

  /** Starts the chunks together, each once, and waits for all of them without occupying a slot. */
  @Task({ dependsOn: ['fetch'] })
  async loadChunks(context: Context) {
    const rows = context.require('rows');
    const chunks = Math.ceil(rows / CHUNK_ROWS);
    const done = await context.executeAll(
      Array.from(
        { length: chunks },
        (_, i) =>
          [
            AirportChunk,
            {
              importId: context.executionId,
              version: context.require('version'),
              chunk: i + 1,
              chunks,
              from: i * CHUNK_ROWS,
              to: Math.min((i + 1) * CHUNK_ROWS, rows),
            },
            { key: i + 1 },
          ] as const,
      ),
    );
    return { loaded: sum(done, 'loaded'), rejected: sum(done, 'rejected') };
  }

  @Task({ dependsOn: ['loadChunks'], when: contextValue('rejected', 'greaterThan', 0) })
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
  @Task({ dependsOn: ['loadChunks', 'explainRejects'], when: notFailed(), transactional: true })
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

function sum(chunks: readonly Partial<ChunkContext>[], key: 'loaded' | 'rejected'): number {
  return chunks.reduce((total, chunk) => total + (chunk[key] ?? 0), 0);
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
