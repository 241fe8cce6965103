import type { TenantEngine } from '../../engine/tenant-engine.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { InvalidArgumentError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import type { ExecutionStatus } from '../../workflow/index.js';
import type { ExecutionSummary } from '../execution.js';
import type { ExecutionFilter } from '../execution-filter.js';
import type { ExecutionReader } from '../execution-reader.js';
import { checkWorkflow, zeroCounts } from '../list-filter.js';
import type { ServedCalls } from '../served-calls.js';
import { groupFailures } from './failure-groups.js';
import type {
  CappedCount,
  CappedWorkflowCounts,
  CountsByWorkflow,
  FailureGroups,
  FailureOptions,
  NotCompletedStatus,
  Series,
  SeriesOptions,
  StatusCountOptions,
  StatusCounts,
  VersionsOptions,
  WorkflowCountOptions,
  WorkflowVersions,
} from './statistics-types.js';

const DEFAULT_CAP = 10_000;
const MAX_CAP = 100_000;
/** How many of the newest definitions of a workflow are listed. */
const MAX_VERSIONS = 20;
/** How many executions of each workflow a series reads. */
const MAX_SERIES = 5_000;
/** How many Failed executions are grouped, and how many of them a page has. */
const MAX_FAILURES = 2_000;
const FAILURES_PAGE = 500;
/** How many Failed executions are looked at for a page, for those of one workflow among many others. */
const FAILURES_LOOKED_AT = 10_000;

const MINUTE = 60_000;
const RANGES = {
  hour: { bucketMs: MINUTE, buckets: 60 },
  day: { bucketMs: 15 * MINUTE, buckets: 96 },
} as const;

const COUNT_OPTIONS: ReadonlySet<string> = new Set<keyof StatusCountOptions>(['cap']);
const WORKFLOW_COUNT_OPTIONS: ReadonlySet<string> = new Set<keyof WorkflowCountOptions>(['cap']);
const SERIES_OPTIONS: ReadonlySet<string> = new Set<keyof SeriesOptions>(['range', 'workflow']);
const VERSIONS_OPTIONS: ReadonlySet<string> = new Set<keyof VersionsOptions>(['workflow']);
const FAILURE_OPTIONS: ReadonlySet<string> = new Set<keyof FailureOptions>(['workflow']);

export interface StatisticsParts {
  readonly engine: Pick<TenantEngine, 'store' | 'clock'>;
  readonly reader: Pick<ExecutionReader, 'list'>;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/**
 * Numbers for dashboards, at `runner.statistics`. Each call reads a bounded number of rows, whatever the size of the tables, and
 * says where it stopped.
 *
 * @example
 * ```ts
 * const { byStatus } = await runner.statistics.counts();
 * const { groups } = await runner.statistics.failures();
 * await runner.retryMany(groups[0].filter);
 * ```
 */
export class CloacinaStatistics {
  /** @internal Applications use `runner.statistics`. */
  constructor(private readonly parts: StatisticsParts) {}

  /**
   * Counts the executions of each status, exactly up to a cap, without those of the library's own workflows. Of a large
   * table, a part is read for the number of Completed executions; so this number may be smaller than the cap and have more
   * behind it, as `isCapped` says.
   *
   * @throws InvalidArgumentError for an invalid option
   * @throws DatabaseUnavailableError if the database was unavailable for `startTimeout`, as all methods of this class
   */
  counts(options: StatusCountOptions = {}): Promise<StatusCounts> {
    return this.run(async () => {
      checkCallOptions('counts()', options, COUNT_OPTIONS);
      const cap = checkCap(options.cap);
      const { counts, oldestDue } = await this.parts.engine.store.statistics.counts(cap);
      const byStatus = Object.fromEntries(
        Object.keys(zeroCounts()).map((status) => {
          const found = counts.find((one) => one.status === status);
          return [status, { count: found?.count ?? 0, isCapped: found?.isCapped ?? false }];
        }),
      ) as Record<ExecutionStatus, CappedCount>;
      return { byStatus, ...(oldestDue === null ? {} : { oldestDue }) };
    });
  }

  /**
   * Counts the executions of each workflow of the application that are not Completed. Of each status, the newest are read up
   * to a cap: if the tenant has more, the counts of the status are lower limits, as `isCapped` says.
   *
   * @throws InvalidArgumentError for an invalid option
   * @example
   * ```ts
   * for (const { workflow, byStatus } of (await runner.statistics.byWorkflow()).workflows) {
   *   console.log(workflow, byStatus.Failed.count, byStatus.Failed.isCapped);
   * }
   * ```
   */
  byWorkflow(options: WorkflowCountOptions = {}): Promise<CountsByWorkflow> {
    return this.run(async () => {
      checkCallOptions('byWorkflow()', options, WORKFLOW_COUNT_OPTIONS);
      const cap = checkCap(options.cap);
      const { counts, capped } = await this.parts.engine.store.statistics.byWorkflow(cap);
      const workflows = new Map<string, CappedWorkflowCounts>();
      for (const { workflow, status, count } of counts) {
        const row = workflows.get(workflow) ?? { workflow, byStatus: noneOf(capped) };
        workflows.set(workflow, row);
        row.byStatus[status as NotCompletedStatus].count = count;
      }
      return {
        workflows: [...workflows.values()].sort((a, b) => (a.workflow < b.workflow ? -1 : 1)),
        capped: NOT_COMPLETED.filter((status) => capped.includes(status)),
      };
    });
  }

  /**
   * Counts the executions of the last hour or day by the time of their creation, with their durations. Of each workflow, the
   * newest 5,000 are read, and fewer of more than ten workflows: 50,000 of a tenant.
   *
   * @throws InvalidArgumentError for an invalid option
   */
  series(options: SeriesOptions): Promise<Series> {
    return this.run(async () => {
      checkCallOptions('series()', options, SERIES_OPTIONS);
      const { bucketMs, buckets } = checkRange(options.range);
      const workflow = checkWorkflow(options.workflow) ?? null;
      const { clock, store } = this.parts.engine;
      // Buckets begin at full minutes and quarters of an hour, so that they stay the same between two calls.
      const end = (Math.floor(clock.wallTime() / bucketMs) + 1) * bucketMs;
      const from = end - buckets * bucketMs;
      const query = { from, bucketMs, workflow, cap: MAX_SERIES };
      const { rows, completeSince } = await store.statistics.series(query);
      const byBucket = new Map(rows.map((row) => [row.bucket, row]));
      return {
        bucketMs,
        buckets: Array.from({ length: buckets }, (_, no) => {
          const { bucket: _no, ...numbers } = byBucket.get(no) ?? { ...EMPTY, bucket: no };
          return { at: new Date(from + no * bucketMs), ...numbers };
        }),
        ...(completeSince === null ? {} : { completeSince }),
      };
    });
  }

  /**
   * Groups the Failed executions by their cause: workflow, task, name and code of the error, and its message without numbers and
   * ids. The newest 2,000 are read, and those of one workflow among the newest 10,000.
   *
   * @throws InvalidArgumentError for an invalid option
   * @example
   * ```ts
   * for (const { workflow, task, message, count } of (await runner.statistics.failures()).groups) {
   *   console.log(count, workflow, task, message);
   * }
   * ```
   */
  failures(options: FailureOptions = {}): Promise<FailureGroups> {
    return this.parts.served.run(async () => {
      checkCallOptions('failures()', options, FAILURE_OPTIONS);
      const read: ExecutionSummary[] = [];
      let cursor: string | null | undefined;
      while (cursor !== null && read.length < MAX_FAILURES) {
        const filter: ExecutionFilter = {
          ...(options.workflow === undefined ? {} : { workflow: options.workflow }),
          status: 'Failed',
          limit: FAILURES_PAGE,
          maxRead: FAILURES_LOOKED_AT,
          ...(cursor === undefined ? {} : { cursor }),
        };
        // A failed poll is a failure of the application's code.
        const page = await this.parts.reader.list(filter, true);
        read.push(...page.items);
        cursor = page.nextCursor;
        // The look of the page has ended. Others may be behind it.
        if (page.items.length < FAILURES_PAGE) break;
      }
      return { groups: groupFailures(read), isComplete: cursor === null };
    });
  }

  /**
   * Lists the definitions of a workflow, with the first and the last start of each, and how many executions are still pinned to it:
   * after a deploy, executions of the release before finish with their old graph.
   *
   * @throws InvalidArgumentError for an invalid option
   * @example
   * ```ts
   * const { versions } = await runner.statistics.versions({ workflow: 'order' });
   * for (const { version, open, lastStartedAt } of versions) console.log(version, open.count, lastStartedAt);
   * ```
   */
  versions(options: VersionsOptions): Promise<WorkflowVersions> {
    return this.run(async () => {
      checkCallOptions('versions()', options, VERSIONS_OPTIONS);
      const workflow = checkWorkflow(options.workflow);
      if (workflow === undefined) throw new InvalidArgumentError('workflow', 'is missing');
      const query = { workflow, cap: DEFAULT_CAP, limit: MAX_VERSIONS };
      const rows = await this.parts.engine.store.statistics.versions(query);
      return {
        versions: rows.map(
          ({ version, firstStartedAt, lastStartedAt, open, isCapped, ...row }) => ({
            ...row,
            ...(version === null ? {} : { version }),
            ...(firstStartedAt === null ? {} : { firstStartedAt }),
            ...(lastStartedAt === null ? {} : { lastStartedAt }),
            open: { count: open, isCapped },
          }),
        ),
      };
    });
  }

  private run<T>(work: () => Promise<T>): Promise<T> {
    const { served, whileUnavailable } = this.parts;
    return served.run(() => whileUnavailable.run(work));
  }
}

const EMPTY = {
  started: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  medianMs: null,
  p95Ms: null,
} as const;

const NOT_COMPLETED: readonly NotCompletedStatus[] = [
  'Pending',
  'Running',
  'Paused',
  'Finishing',
  'Failed',
  'Cancelled',
];

/** Counts of a workflow without executions. */
function noneOf(capped: readonly string[]): Record<NotCompletedStatus, CappedCount> {
  return Object.fromEntries(
    NOT_COMPLETED.map((status) => [status, { count: 0, isCapped: capped.includes(status) }]),
  ) as Record<NotCompletedStatus, CappedCount>;
}

function checkCap(cap: number = DEFAULT_CAP): number {
  if (Number.isInteger(cap) && cap >= 1 && cap <= MAX_CAP) return cap;
  throw new InvalidArgumentError(
    'cap',
    `must be a whole number from 1 to ${MAX_CAP}, not ${formatValue(cap)}`,
  );
}

function checkRange(range: 'hour' | 'day'): (typeof RANGES)['hour' | 'day'] {
  if (range === 'hour' || range === 'day') return RANGES[range];
  throw new InvalidArgumentError('range', `must be 'hour' or 'day', not ${formatValue(range)}`);
}
