import type {
  CappedCounts,
  SeriesQuery,
  SeriesReply,
  SeriesRow,
  VersionRow,
  VersionsQuery,
  WorkflowCountsReply,
  WorkflowStatusCount,
} from '../../store/port/index.js';
import { isBuiltInName } from '../../workflow/index.js';
import type { MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

export function countCapped(tables: MemoryTables, cap: number): CappedCounts {
  const counts = new Map<string, number>();
  for (const { status, workflow } of tables.executions.values()) {
    if (isBuiltInName(workflow)) continue;
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  const due = [...tables.tasks.values()].flat().flatMap(({ runAt, paused, limitKey }) => {
    const isDue = runAt !== null && runAt <= tables.now() && !paused && limitKey === null;
    return isDue ? [runAt] : [];
  });
  return {
    counts: [...counts].map(([status, count]) => ({
      status,
      count: Math.min(count, cap),
      isCapped: count > cap,
    })),
    oldestDue: due.length === 0 ? null : new Date(Math.min(...due)),
  };
}

export function countByWorkflow(tables: MemoryTables, cap: number): WorkflowCountsReply {
  const open = [...tables.executions.values()].filter(
    ({ status, workflow }) => status !== 'Completed' && !isBuiltInName(workflow),
  );
  const counts: WorkflowStatusCount[] = [];
  const capped: string[] = [];
  for (const [status, all] of groupBy(open, (one) => one.status)) {
    if (all.length > cap) capped.push(status);
    const newest = all.sort((a, b) => b.createdAt - a.createdAt).slice(0, cap + 1);
    for (const [workflow, of] of groupBy(newest, (one) => one.workflow)) {
      counts.push({ workflow, status, count: of.length });
    }
  }
  return { counts, capped };
}

export function readSeries(tables: MemoryTables, query: SeriesQuery): SeriesReply {
  const { from, bucketMs, workflow, cap } = query;
  const byWorkflow = groupBy(
    [...tables.executions.values()].filter(
      (one) =>
        one.createdAt >= from &&
        (workflow === null ? !isBuiltInName(one.workflow) : one.workflow === workflow),
    ),
    (one) => one.workflow,
  );
  const read: MemoryExecution[] = [];
  let since: number | null = null;
  for (const executions of byWorkflow.values()) {
    const newest = executions.sort((a, b) => b.createdAt - a.createdAt).slice(0, cap);
    read.push(...newest);
    const oldest = newest.at(-1);
    if (newest.length === cap && oldest !== undefined) {
      since = Math.max(since ?? oldest.createdAt, oldest.createdAt);
    }
  }
  const buckets = groupBy(read, (one) => Math.floor((one.createdAt - from) / bucketMs));
  const rows = [...buckets].sort(([a], [b]) => a - b).map(([no, ones]) => rowOf(no, ones));
  return { rows, completeSince: since === null ? null : new Date(since) };
}

/** It has no bound but that of the definitions. */
export function readVersions(
  tables: MemoryTables,
  { workflow, cap, limit }: VersionsQuery,
): VersionRow[] {
  const started = [...tables.executions.values()].filter((one) => one.workflow === workflow);
  const isOpen = (one: MemoryExecution): boolean => !ENDED.has(one.status);
  const rows = [...tables.definitions.values()]
    .filter(({ name }) => name === workflow)
    .sort((a, b) => b.registered - a.registered)
    .map(({ id, version, registeredAt }): VersionRow => {
      const of = started.filter((one) => one.definitionId === id);
      const times = of.map(({ createdAt }) => createdAt);
      const since = times.filter((at) => at >= registeredAt);
      const open = of.filter(isOpen).length;
      return {
        definitionId: id,
        version: version ?? null,
        registeredAt: new Date(registeredAt),
        firstStartedAt: since.length === 0 ? null : new Date(Math.min(...since)),
        lastStartedAt: times.length === 0 ? null : new Date(Math.max(...times)),
        open: Math.min(open, cap),
        isCapped: open > cap,
      };
    });
  return rows.filter(({ open }, no) => no < limit || open > 0).slice(0, limit * 2);
}

const ENDED: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Cancelled']);

function groupBy<K>(
  executions: readonly MemoryExecution[],
  keyOf: (execution: MemoryExecution) => K,
): Map<K, MemoryExecution[]> {
  const groups = new Map<K, MemoryExecution[]>();
  for (const execution of executions) {
    const key = keyOf(execution);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [execution]);
    else group.push(execution);
  }
  return groups;
}

function rowOf(bucket: number, executions: readonly MemoryExecution[]): SeriesRow {
  const of = (status: string): MemoryExecution[] =>
    executions.filter((one) => one.status === status);
  const durations = of('Completed')
    .map(({ startedAt, completedAt }) => (completedAt ?? 0) - (startedAt ?? 0))
    .sort((a, b) => a - b);
  return {
    bucket,
    started: executions.length,
    completed: durations.length,
    failed: of('Failed').length,
    cancelled: of('Cancelled').length,
    medianMs: quantile(durations, 0.5),
    p95Ms: quantile(durations, 0.95),
  };
}

/** The first of the sorted values of which at least this share is not larger, as PostgreSQL's `percentile_disc`. */
function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
