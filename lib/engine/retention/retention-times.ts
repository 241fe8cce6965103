const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** No id of an execution is before it. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** The turn is renewed this often, even if nothing is due, so that another process takes over from a dead one. */
export const MAX_IDLE_MS = HOUR;

/** A full lap is made this often in any case, in milliseconds: the clocks of processes differ, and so do the times in ids. */
export const MAX_FULL_MS = DAY;

/** How long the turn outlasts the time at which its process wants to continue, in milliseconds. */
export const TURN_MARGIN_MS = 2 * MINUTE;

/** The first id of an instant. Ids of executions begin with the time of their start, in milliseconds since 1970. */
export function firstIdAt(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The instant with which an id begins, in milliseconds since 1970. */
export function instantOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Interval of the laps over executions that none of them has seen: a twentieth of the shortest period, 5 s to 10 min. */
export function freshIntervalMs(periodMs: number): number {
  return Math.min(10 * MINUTE, Math.max(5_000, periodMs / 20));
}

/**
 * Interval of the laps from the first execution on, which meet all that is kept longer: a tenth of the shortest period, from
 * 1 min to 1 h, but a hundred times as long as the last one worked, and at most a day.
 */
export function fullIntervalMs(periodMs: number, workedMs: number): number {
  const byPeriod = Math.min(HOUR, Math.max(MINUTE, periodMs / 10));
  return Math.min(DAY, Math.max(byPeriod, 100 * workedMs));
}

/** When executions are read again that could not be read for the archive, in milliseconds: a minute, doubled up to an hour. */
export function readPauseMs(failures: number): number {
  return Math.min(HOUR, MINUTE * 2 ** Math.max(0, failures - 1));
}

/** When the archive is tried again after a number of failures in a row, in milliseconds: a minute, doubled up to ten. */
export function archivePauseMs(failures: number): number {
  return Math.min(10 * MINUTE, MINUTE * 2 ** Math.max(0, failures - 1));
}
