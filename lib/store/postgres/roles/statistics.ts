import { PostgresRole } from './postgres-role.js';
import { countByWorkflow, countCapped, readSeries } from '../statements/statistics.js';
import { readVersions } from '../statements/workflow-versions.js';
import type {
  CappedCounts,
  SeriesQuery,
  SeriesReply,
  StatisticsStore,
  VersionRow,
  VersionsQuery,
  WorkflowCountsReply,
} from '../../port/index.js';

/** Counts of executions, on PostgreSQL. */
export class PostgresStatisticsStore extends PostgresRole implements StatisticsStore {
  async counts(cap: number): Promise<CappedCounts> {
    const rows = await this.db.cold.run(countCapped, [cap]);
    return {
      counts: rows.map(({ status, count, isCapped }) => ({ status, count, isCapped })),
      oldestDue: rows[0]?.oldestDue ?? null,
    };
  }

  async byWorkflow(cap: number): Promise<WorkflowCountsReply> {
    const rows = await this.db.cold.run(countByWorkflow, [cap]);
    return {
      counts: rows.flatMap(({ workflow, status, count }) =>
        workflow === null ? [] : [{ workflow, status, count }],
      ),
      capped: [...new Set(rows.flatMap(({ status, isCapped }) => (isCapped ? [status] : [])))],
    };
  }

  async series({ from, bucketMs, workflow, cap }: SeriesQuery): Promise<SeriesReply> {
    const rows = await this.db.cold.run(readSeries, [new Date(from), bucketMs, workflow, cap]);
    return {
      rows: rows.map(({ completeSince: _, ...row }) => row),
      completeSince: rows[0]?.completeSince ?? null,
    };
  }

  versions({ workflow, cap, limit }: VersionsQuery): Promise<VersionRow[]> {
    return this.db.cold.run(readVersions, [workflow, cap, limit]);
  }
}
