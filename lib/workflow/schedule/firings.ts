import { createHash } from 'node:crypto';
import type { SchedulePlan } from './schedule-plan.js';

/**
 * A firing that is late by no more than this is on time, in milliseconds. It is more than the longest time after which a
 * process finds a firing whose timer was lost.
 */
const ON_TIME_MS = 60_000;
/** Maximum number that passed-over firings are counted to. */
const MAX_COUNTED = 1_000;
const SECOND = 1_000;

/** Firings that are passed over, because they were missed. */
export interface MissedFirings {
  /** The first and the last of them, in milliseconds since 1970. */
  readonly first: number;
  readonly last: number;
  /** Their number, counted to {@link MAX_COUNTED} at most. */
  readonly count: number;
}

/** One firing that is to be made. */
export interface DueFiring {
  /** The instant of the schedule, in milliseconds since 1970. */
  readonly at: number;
  /** Whether it was missed, and is made up for. */
  readonly isCaughtUp: boolean;
}

export interface DueFirings {
  /** In the order of their instants. */
  readonly due: readonly DueFiring[];
  readonly missed: MissedFirings | undefined;
  /** The next instant that is not due; undefined if no instant follows. */
  readonly next: number | undefined;
}

/** The first instant of the schedule after `after`, without jitter; undefined if no instant follows. */
export function nextInstant(
  { rule, startAt, endAt }: SchedulePlan,
  after: number,
): number | undefined {
  const from = Math.max(after, startAt - 1);
  const next = ((): number | undefined => {
    if (rule.kind === 'at') return rule.at > from ? rule.at : undefined;
    if (rule.kind === 'cron') return rule.cron.next(rule.zone, from);
    const multiple = Math.floor((from - rule.from) / rule.ms) + 1;
    return rule.from + Math.max(multiple, rule.first) * rule.ms;
  })();
  return next === undefined || next > endAt ? undefined : next;
}

/** The first `count` instants after `after`, without jitter. Fewer if the schedule ends before. */
export function nextInstants(plan: SchedulePlan, after: number, count: number): number[] {
  const instants: number[] = [];
  for (let at = nextInstant(plan, after); at !== undefined; at = nextInstant(plan, at)) {
    if (instants.push(at) >= count) break;
  }
  return instants;
}

/**
 * When the firing for an instant is due: later by its jitter. The jitter is drawn from the schedule and the instant, so all
 * processes draw the same.
 */
export function dueTime({ jitterMs }: SchedulePlan, schedule: string, at: number): number {
  if (jitterMs === 0) return at;
  const hash = createHash('sha256').update(`${schedule}@${at}`).digest().readUIntBE(0, 6);
  return at + Math.floor((hash / 2 ** 48) * (jitterMs + 1));
}

/**
 * The firings of a schedule that are to be made now, and those that are passed over.
 *
 * @param from - the first instant that is neither fired nor passed over
 */
export function dueFirings(
  plan: SchedulePlan,
  schedule: string,
  from: number,
  now: number,
): DueFirings {
  const last = lastDue(plan, schedule, from, now);
  if (last === undefined) return { due: [], missed: undefined, next: from };
  const chosen = choose(plan, from, last, now);
  const firstChosen = chosen[0];
  const lastMissed = firstChosen === undefined ? last : lastInstant(plan, from, firstChosen - 1);
  return {
    due: chosen.map((at) => ({ at, isCaughtUp: now - at > plan.jitterMs + ON_TIME_MS })),
    missed: lastMissed === undefined ? undefined : missedBetween(plan, from, lastMissed),
    next: nextInstant(plan, last),
  };
}

/** The firings to make, of those between `from` and `last`. */
function choose(plan: SchedulePlan, from: number, last: number, now: number): number[] {
  const { catchUp, catchUpWindowMs, jitterMs } = plan;
  const onTime = instantsBetween(plan, Math.max(from, now - jitterMs - ON_TIME_MS), last);
  if (catchUp === 'skip') return onTime;
  const earliest = Math.max(from, now - jitterMs - catchUpWindowMs);
  if (catchUp === 'once') {
    return onTime.length > 0 ? onTime : last >= earliest ? [last] : [];
  }
  const cap = Math.max(catchUp.all, onTime.length);
  const latest: number[] = [];
  for (let at: number | undefined = last; at !== undefined && at >= earliest;) {
    if (latest.push(at) >= cap) break;
    at = lastInstant(plan, earliest, at - 1);
  }
  // Firings on time are never passed over, also if the window is shorter.
  return latest.length >= onTime.length ? latest.toReversed() : onTime;
}

/** The last instant of the schedule whose firing is due. Later ones wait, even if their jitter is shorter. */
function lastDue(
  plan: SchedulePlan,
  schedule: string,
  from: number,
  now: number,
): number | undefined {
  let last = lastInstant(plan, from, now - plan.jitterMs);
  let next: number | undefined = last === undefined ? from : nextInstant(plan, last);
  while (next !== undefined && dueTime(plan, schedule, next) <= now) {
    last = next;
    next = nextInstant(plan, next);
  }
  return last;
}

/**
 * The last instant from `from` to `to`. It is searched for by halving: an outage of a year over a schedule of seconds has
 * too many instants to go through.
 */
export function lastInstant(plan: SchedulePlan, from: number, to: number): number | undefined {
  if (from > to) return undefined;
  const firstAfter = (time: number): number | undefined => {
    const next = nextInstant(plan, time);
    return next === undefined || next > to ? undefined : next;
  };
  let found = firstAfter(from - 1);
  if (found === undefined) return undefined;
  // Nearby instants are the usual case, so the steps back from `to` double before the search halves.
  let [low, high] = [found, to];
  for (let step = SECOND; to - step > low; step *= 2) {
    const near = firstAfter(to - step);
    if (near !== undefined) {
      [low, found] = [near, near];
      break;
    }
    high = to - step;
  }
  while (high > low) {
    const middle = low + Math.floor((high - low) / 2);
    const next = firstAfter(middle);
    if (next === undefined) high = middle;
    else [low, found] = [next, next];
  }
  return found;
}

function instantsBetween(plan: SchedulePlan, from: number, to: number): number[] {
  const instants: number[] = [];
  for (let at = nextInstant(plan, from - 1); at !== undefined && at <= to;) {
    instants.push(at);
    at = nextInstant(plan, at);
  }
  return instants;
}

function missedBetween(plan: SchedulePlan, first: number, last: number): MissedFirings {
  return { first, last, count: countInstants(plan, first, last) };
}

/** The number of instants from one to another, both included, counted to 1,000 at most. */
export function countInstants(plan: SchedulePlan, first: number, last: number): number {
  let count = 1;
  for (let at = nextInstant(plan, first); at !== undefined && at <= last; count++) {
    if (count >= MAX_COUNTED) break;
    at = nextInstant(plan, at);
  }
  return count;
}
