import { MemoryRole } from './memory-role.js';
import { countByWorkflow, countCapped, readSeries, readVersions } from '../memory-statistics.js';
import type {
  CappedCounts,
  SeriesQuery,
  SeriesReply,
  StatisticsStore,
  VersionRow,
  VersionsQuery,
  WorkflowCountsReply,
} from '../../../store/port/index.js';

/** Counts of executions, in memory. */
export class MemoryStatisticsStore extends MemoryRole implements StatisticsStore {
  counts(cap: number): Promise<CappedCounts> {
    return this.run((tables) => countCapped(tables, cap));
  }

  byWorkflow(cap: number): Promise<WorkflowCountsReply> {
    return this.run((tables) => countByWorkflow(tables, cap));
  }

  series(query: SeriesQuery): Promise<SeriesReply> {
    return this.run((tables) => readSeries(tables, query));
  }

  versions(query: VersionsQuery): Promise<VersionRow[]> {
    return this.run((tables) => readVersions(tables, query));
  }
}
