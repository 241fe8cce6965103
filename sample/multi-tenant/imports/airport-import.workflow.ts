import { Injectable } from '@nestjs/common';
import {
  contextValue,
  NonRetryableError,
  notFailed,
  Task,
  Workflow,
  type Execution,
  type TaskContext,
} from 'nestjs-cloacina';
import type { EntityManager } from 'typeorm';
import { Airport } from '../airports/airport.entity.js';
import { type CountryCount, ImportReport } from '../airports/import-report.entity.js';
import { RejectedRow } from '../airports/rejected-row.entity.js';
import { AirportChunk } from './airport-chunk.workflow.js';
import { DataSet } from './data-set.js';

const CHUNK_ROWS = 1_000;

export interface ImportContext {
  /** How many rows to import. Default: all. */
  limit?: number;
  version?: string;
  rows?: number;
  chunkIds?: string[];
  loaded?: number;
  rejected?: number;
  rejectReasons?: Record<string, number>;
  topCountries?: CountryCount[];
}

type Context = TaskContext<ImportContext>;

/** fetch → startChunks → collect → explainRejects (only if rows were rejected) → report */
@Workflow({ name: 'airport-import', version: '1', timeout: '30m' })
@Injectable()
export class AirportImport {
  constructor(private readonly dataSet: DataSet) {}

  @Task({ retry: { maxAttempts: 5, delay: '500ms' }, timeout: '30s' })
  async fetch(context: Context) {
    const { version, rows } = await this.dataSet.load();
    return { version, rows: Math.min(rows.length, context.get('limit') ?? rows.length) };
  }

  /** Starts the chunks in the task's own transaction: either all of them exist once, or none. */
  @Task({ dependsOn: ['fetch'], transactional: true })
  async startChunks(context: Context) {
    const { runner } = context;
    const rows = context.require('rows');
    const chunks = Math.ceil(rows / CHUNK_ROWS);
    const chunkIds: string[] = [];
    for (let chunk = 1; chunk <= chunks; chunk++) {
      const { id } = await runner.start(
        AirportChunk,
        {
          importId: context.executionId,
          version: context.require('version'),
          chunk,
          chunks,
          from: (chunk - 1) * CHUNK_ROWS,
          to: Math.min(chunk * CHUNK_ROWS, rows),
        },
        { manager: context.manager },
      );
      chunkIds.push(id);
    }
    return { chunkIds };
  }

  /** Waits with deferUntil, which holds no slot: a waiting handler could occupy the slot that the chunks need. */
  @Task({ dependsOn: ['startChunks'] })
  async collect(context: Context) {
    let chunks: Execution[] = [];
    await context.deferUntil(
      async () => {
        chunks = await this.chunksOf(context);
        return chunks.every(({ completedAt }) => completedAt !== undefined);
      },
      { every: '250ms', timeout: '20m' },
    );
    const failed = chunks.filter(({ status }) => status !== 'Completed');
    if (failed.length > 0) {
      const what = failed.map(({ id, status }) => `${id} ${status}`).join(', ');
      throw new NonRetryableError(`${failed.length} of ${chunks.length} chunks: ${what}`);
    }
    return { loaded: sum(chunks, 'loaded'), rejected: sum(chunks, 'rejected') };
  }

  @Task({ dependsOn: ['collect'], when: contextValue('rejected', 'greaterThan', 0) })
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
  @Task({ dependsOn: ['collect', 'explainRejects'], when: notFailed(), transactional: true })
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

  private async chunksOf(context: Context): Promise<Execution[]> {
    const { runner } = context;
    const found = await Promise.all(context.require('chunkIds').map((id) => runner.get(id)));
    return found.filter((chunk) => chunk !== null);
  }
}

function sum(chunks: readonly Execution[], key: 'loaded' | 'rejected'): number {
  return chunks.reduce((total, { context }) => total + Number(context[key]), 0);
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
