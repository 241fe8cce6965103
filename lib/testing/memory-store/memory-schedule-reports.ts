import type {
  Backfill,
  FireReply,
  FiringOutcome,
  FiringQuery,
  FiringRecord,
  ScheduleStatsRow,
  StatsQuery,
} from '../../store/port/index.js';
import { change } from './memory-rows.js';
import { addFiring, areDefined, type MemoryFiring } from './memory-schedules.js';
import { insertScheduled } from './memory-starts.js';
import type { MemoryTables } from './memory-tables.js';

export function firingsOf(
  tables: MemoryTables,
  { schedule, before, limit }: FiringQuery,
): FiringRecord[] {
  return tables.firings
    .filter((one) => one.schedule === schedule && (before === null || one.scheduledFor < before))
    .sort((a, b) => b.scheduledFor - a.scheduledFor)
    .slice(0, limit)
    .map(viewOf);
}

export function firingsBetween(
  tables: MemoryTables,
  name: string,
  from: number,
  to: number,
): FiringRecord[] {
  return tables.firings
    .filter(({ schedule, scheduledFor }) => schedule === name && scheduledFor <= to)
    .filter(({ scheduledFor, until }) => (until ?? scheduledFor) >= from)
    .map(viewOf);
}

export function backfill(
  tables: MemoryTables,
  { schedule: name, version, firings }: Backfill,
): FireReply {
  const definitionsAreStored = areDefined(tables, firings);
  const row = tables.schedules.get(name);
  if (row?.version !== version) return { fired: [false], definitionsAreStored };
  change(row, { version: version + 1 });
  for (const firing of firings) {
    const { scheduledFor, start } = firing;
    const known = tables.firings.findIndex(
      (one) => one.schedule === name && one.scheduledFor === scheduledFor,
    );
    const old = tables.firings[known];
    if (old !== undefined && (old.executionId !== null || old.outcome === 'pruned')) continue;
    if (old !== undefined) tables.firings.splice(known, 1);
    addFiring(tables, name, firing, start === null ? old?.firedAt : undefined);
    if (start !== null) insertScheduled(tables, start);
  }
  return { fired: [true], definitionsAreStored };
}

export function statsOf(tables: MemoryTables, { since, schedule }: StatsQuery): ScheduleStatsRow {
  const firings = tables.firings.filter(
    (one) =>
      (since === null || one.firedAt >= since) && (schedule === null || one.schedule === schedule),
  );
  const times = (outcome: FiringOutcome): number =>
    firings.filter((one) => one.outcome === outcome).reduce((sum, { count }) => sum + count, 0);
  const lags = firings
    .flatMap(({ outcome, dueAt, firedAt }) =>
      outcome === 'started' && dueAt !== null ? [firedAt - dueAt] : [],
    )
    .sort((a, b) => a - b);
  const started = firings.flatMap(({ executionId, ended: end }) =>
    executionId === null ? [] : { status: tables.executions.get(executionId)?.status, end },
  );
  const ended = (wanted: string): number =>
    started.filter(({ status, end }) => (status ?? end) === wanted).length;
  const [completed, failed, cancelled] = ['Completed', 'Failed', 'Cancelled'].map(ended) as [
    number,
    number,
    number,
  ];
  const deleted = started.filter(({ status }) => status === undefined).length;
  const lost = started.filter(({ status, end }) => (status ?? end) === undefined).length;
  return {
    started: times('started'),
    caughtUp: times('caughtUp'),
    manual: times('manual'),
    backfilled: times('backfilled'),
    skipped: times('skipped'),
    missed: times('missed'),
    paused: times('paused'),
    medianLagMs: quantile(lags, 0.5),
    p95LagMs: quantile(lags, 0.95),
    unfinished: started.length - completed - failed - cancelled - lost,
    completed,
    failed,
    cancelled,
    deleted,
  };
}

/** Between the two nearest values, as percentile_cont does. */
function quantile(sorted: readonly number[], share: number): number | null {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)];
  const high = sorted[Math.ceil(at)];
  if (low === undefined || high === undefined) return null;
  return low + (high - low) * (at - Math.floor(at));
}

function viewOf({
  schedule: _,
  dueAt: __,
  no: ___,
  ended: ____,
  ...firing
}: MemoryFiring): FiringRecord {
  return firing;
}
