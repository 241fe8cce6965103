import { parseDuration, type Duration } from './duration.js';

/** How long ended executions are kept. Both the tenant's options and those of a workflow have these. */
export interface RetentionPeriods {
  /** How long after its end a Completed execution is deleted, at least 1 min. Default: never. */
  completed?: Duration;
  /** The same of a Failed execution. Default: never. */
  failed?: Duration;
  /** The same of a Cancelled execution. Default: never. */
  cancelled?: Duration;
  /** The number of ended executions of each workflow that are kept whatever their age: the newest ones. Default: 0. */
  keepLast?: number;
}

/** The periods of the executions that have no parent, in milliseconds. Null: they are not deleted. */
export interface RetentionRule {
  readonly completedMs: number | null;
  readonly failedMs: number | null;
  readonly cancelledMs: number | null;
  readonly keepLast: number;
}

/** The rule of executions that are kept forever. */
export const KEEP_ALL: RetentionRule = {
  completedMs: null,
  failedMs: null,
  cancelledMs: null,
  keepLast: 0,
};

/** The shortest period, in milliseconds. Retries of calls may need the execution for some seconds after its end. */
export const MIN_RETENTION_MS = 60_000;

/** The largest `keepLast`: the number of index entries that are scanned to count the newest executions of a workflow. */
export const MAX_KEEP_LAST = 100_000;

/** The rule of periods that were checked before. */
export function retentionRule(periods: RetentionPeriods | false | undefined): RetentionRule {
  if (periods === false || periods === undefined) return KEEP_ALL;
  return {
    completedMs: parseDuration(periods.completed) ?? null,
    failedMs: parseDuration(periods.failed) ?? null,
    cancelledMs: parseDuration(periods.cancelled) ?? null,
    keepLast: periods.keepLast ?? 0,
  };
}

/** Whether the rule deletes anything. */
export function deletesAny({ completedMs, failedMs, cancelledMs }: RetentionRule): boolean {
  return completedMs !== null || failedMs !== null || cancelledMs !== null;
}

/** How long after its end an execution with this status is deleted. Null: never. */
export function periodOf(rule: RetentionRule, status: string): number | null {
  switch (status) {
    case 'Completed':
      return rule.completedMs;
    case 'Failed':
      return rule.failedMs;
    case 'Cancelled':
      return rule.cancelledMs;
    default:
      return null;
  }
}

/** For each status the shortest period of some rules: an execution that it spares is spared by all of them. */
export function shortestPeriods(rules: Iterable<RetentionRule>): Omit<RetentionRule, 'keepLast'> {
  let shortest: Omit<RetentionRule, 'keepLast'> = KEEP_ALL;
  for (const rule of rules) {
    shortest = {
      completedMs: shorter(shortest.completedMs, rule.completedMs),
      failedMs: shorter(shortest.failedMs, rule.failedMs),
      cancelledMs: shorter(shortest.cancelledMs, rule.cancelledMs),
    };
  }
  return shortest;
}

function shorter(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
