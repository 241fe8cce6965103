import type { ServingProcess } from '../runner/explain/explanation.js';
import type { Series as RunnerSeries } from '../runner/statistics/index.js';
import type { ExecutionStatus } from '../workflow/index.js';
import type { ProcessRow, Series, SeriesBucket, StatusCounts } from './http-types.js';

const STATUSES: readonly ExecutionStatus[] = [
  'Pending',
  'Running',
  'Paused',
  'Finishing',
  'Completed',
  'Failed',
  'Cancelled',
];
const MAX_NAMED = 20;
const BUCKETS = { hour: [60_000, 60], day: [900_000, 96] } as const;

/** The sum of the counts of tenants. It is a lower limit as soon as one of them is. */
export function sumCounts(all: readonly StatusCounts[]): StatusCounts {
  const sums = STATUSES.map((status) => [
    status,
    {
      count: all.reduce((sum, counts) => sum + counts[status].count, 0),
      isCapped: all.some((counts) => counts[status].isCapped),
    },
  ]);
  return Object.fromEntries(sums) as StatusCounts;
}

/** The sum of the series of tenants; of durations the largest, because quantiles can't be added. */
export function sumSeries(
  range: 'hour' | 'day',
  all: readonly RunnerSeries[],
  isComplete: boolean,
  now: number,
): Series {
  const [bucketMs, length] = BUCKETS[range];
  const end = (Math.floor(now / bucketMs) + 1) * bucketMs;
  const buckets = new Map<number, SeriesBucket>();
  for (let at = end - length * bucketMs; at < end; at += bucketMs) {
    const none = { started: 0, completed: 0, failed: 0, cancelled: 0, medianMs: null, p95Ms: null };
    buckets.set(at, { at: new Date(at).toISOString(), ...none });
  }
  let since: Date | undefined;
  for (const series of all) {
    if (
      series.completeSince !== undefined &&
      (since === undefined || series.completeSince > since)
    ) {
      since = series.completeSince;
    }
    for (const { at, ...bucket } of series.buckets) {
      const sum = buckets.get(at.getTime());
      if (sum === undefined) continue;
      for (const name of ['started', 'completed', 'failed', 'cancelled'] as const) {
        sum[name] += bucket[name];
      }
      sum.medianMs = larger(sum.medianMs, bucket.medianMs);
      sum.p95Ms = larger(sum.p95Ms, bucket.p95Ms);
    }
  }
  return {
    range,
    bucketMs,
    buckets: [...buckets.values()],
    isComplete: isComplete && since === undefined,
    ...(since === undefined ? {} : { completeSince: since.toISOString() }),
  };
}

function larger(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** The processes of several tenants. A process that serves many of them is one row. */
export function mergeProcesses(
  all: readonly { readonly tenant: string; readonly processes: readonly ServingProcess[] }[],
): ProcessRow[] {
  const rows = new Map<string, ProcessRow>();
  for (const { tenant, processes } of all) {
    for (const { since, serves, claimed, ...process } of processes) {
      const row = rows.get(process.id);
      if (row === undefined) {
        rows.set(process.id, {
          ...process,
          serves: [...serves],
          claimed,
          since: since.toISOString(),
          tenants: 1,
          tenantNames: [tenant],
        });
        continue;
      }
      row.claimed += claimed;
      row.tenants++;
      if (row.tenantNames.length < MAX_NAMED) row.tenantNames.push(tenant);
      row.serves = [...new Set([...row.serves, ...serves])].sort();
      // A process is as well as it is in the tenant where it is worst.
      if (row.state === 'claiming') row.state = process.state;
      if (since.toISOString() < row.since) row.since = since.toISOString();
    }
  }
  return [...rows.values()].sort(
    (a, b) => Number(b.isThis) - Number(a.isThis) || (a.name < b.name ? -1 : 1),
  );
}
