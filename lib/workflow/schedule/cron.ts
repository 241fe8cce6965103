import { Cron } from 'croner';
import type { TimeZone } from './time-zone.js';

/** Expressions that are kept parsed. Parsing one takes as long as finding an instant. */
const MAX_PARSED = 1_000;
/** Nothing changes the offset of a zone by more than a day, so only a change this near may repeat local times. */
const NEAR = 4 * 86_400_000;

const parsed = new Map<string, CronExpression>();

/**
 * Parses an expression: 5 or 6 fields (with seconds), or a nickname such as `@daily`.
 *
 * @throws an Error whose message says what is wrong
 */
export function parseCron(expression: string): CronExpression {
  const known = parsed.get(expression);
  if (known !== undefined) return known;
  const cron = new CronExpression(expression);
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(expression, cron);
  return cron;
}

/**
 * The instants of a cron expression in a time zone.
 *
 * Croner finds the local times that match. This class finds their instants, because the rules for changes of the offset
 * have to be ours to promise them:
 *
 * - An expression that allows every hour counts elapsed time: it fires at each instant whose local time matches, so
 *   "every 15 minutes" stays every 15 minutes.
 * - Any other expression fires once for each matching local time: at the change if the zone skips that time, and the first
 *   time if the zone repeats it. Several skipped times have one firing.
 */
export class CronExpression {
  private readonly cron: Cron;
  private readonly allowsEveryHour: boolean;

  constructor(expression: string) {
    const fields = expression.trim().split(/\s+/);
    if (expression.includes('?')) throw new Error("'?' is not supported; use '*'");
    // Croner also takes an ISO 8601 time for an expression.
    if (fields.length === 1 && !expression.startsWith('@')) {
      throw new Error('it must have 5 or 6 fields, or be a nickname such as @daily');
    }
    this.cron = new Cron(expression, { utcOffset: 0, mode: '5-or-6-parts' });
    const hour = expression.trim() === '@hourly' ? '*' : fields[fields.length - 4];
    this.allowsEveryHour = hour === '*' || hour === '*/1' || hour === '0-23';
  }

  /** The first instant after `after`, in milliseconds since 1970; undefined if no time follows. */
  next(zone: TimeZone, after: number): number | undefined {
    return this.allowsEveryHour ? this.nextElapsed(zone, after) : this.nextLocal(zone, after);
  }

  /** Each matching local time once, in their order, which is also that of their instants. */
  private nextLocal(zone: TimeZone, after: number): number | undefined {
    let local = after + zone.offsetAt(after);
    for (;;) {
      const next = this.localAfter(local);
      if (next === undefined) return undefined;
      const instant = zone.instantOf(next);
      if (instant > after) return instant;
      // The second pass of repeated local times: all of them have fired. Go on after the last of them.
      const change = zone.changeAfter(instant, after);
      local = change === undefined ? next : change + zone.offsetAt(instant) - 1;
    }
  }

  /** Each instant whose local time matches: the first one with the present offset, unless the offset changes before. */
  private nextElapsed(zone: TimeZone, after: number): number | undefined {
    let start = after;
    let offset = zone.offsetAt(start);
    let local = start + offset;
    for (;;) {
      const next = this.localAfter(local);
      if (next === undefined) return undefined;
      const instant = next - offset;
      const change = zone.changeAfter(start, Math.min(instant, start + NEAR));
      if (change === undefined && instant - start <= NEAR) return instant;
      // Far away, no local time matches in between, whatever the offsets are.
      start = change ?? instant - NEAR / 2;
      offset = zone.offsetAt(start);
      // The local time of the change itself may match too.
      local = start + offset - 1;
    }
  }

  private localAfter(local: number): number | undefined {
    return this.cron.nextRun(new Date(local))?.getTime();
  }
}
