import { BUILT_IN_PREFIX } from './built-in-names.js';
import type { Duration } from './duration.js';

/** How many tasks of a key may begin in a time. */
export interface Rate {
  /** The number of tasks of each key that may begin in `per`: 1 to 1,000,000. */
  readonly limit: number;
  /** The time in which `limit` tasks may begin, at least a millisecond. */
  readonly per: Duration;
  /**
   * The number of tasks that may begin at once after a quiet time, 1 to 100,000. So at most `limit` + `burst` tasks
   * begin in any time of the length `per`. Default: a tenth of `limit`, at least 1.
   */
  readonly burst?: number;
}

/** The numbers of a limit. Those that are left out limit nothing. */
export interface LimitNumbers {
  /** The number of tasks of each key that may run at a time, 0 to 1,000. Default: 1,000. */
  readonly concurrency?: number;
  /** How many tasks of each key may begin in a time. Default: any number. */
  readonly rate?: Rate;
  /** The number of tasks of all keys together that may run at a time, 0 to 1,000. Default: any number. */
  readonly total?: number;
}

/** A limit that tasks name. {@link defineLimit} makes one. */
export interface LimitDefinition extends LimitNumbers {
  /** The name, 1 to 100 characters, unique in the application. */
  readonly name: string;
  /**
   * `strict`: first in, first out. A task of the key that has begun holds its slot until it has ended, also while it waits for
   * its next attempt, sleeps, waits for a message, is deferred or is paused. Needs `concurrency: 1`. Default: a task holds its
   * slot only while it runs.
   */
  readonly order?: 'strict';
}

/** The limit of a task, with the path of its key. */
export interface TaskLimitOptions extends LimitDefinition {
  /**
   * The path of the key in the input, such as `accountId` or `customer.id`. For the items of a map also in the item: `item`, or
   * `item.accountId`. The value there is a string, a number or a boolean. Default: all tasks that name the limit share one
   * key.
   */
  readonly key?: string;
}

/** The limit of a task: its name, if another task has its numbers, or the limit itself. */
export type LimitRef = string | TaskLimitOptions;

/** A checked rate, in whole microseconds, so that the database computes without rounding. */
export interface CheckedRate {
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
}

/** Checked numbers. */
export interface CheckedNumbers {
  readonly concurrency?: number;
  readonly rate?: CheckedRate;
  readonly total?: number;
  /** Whether a task holds its slot until it has ended. */
  readonly isStrict?: true;
}

/**
 * The limit of a task as it is hashed and stored. Its numbers are not stored: they are those of the running code, so that a
 * deploy changes them for unfinished executions too.
 */
export interface TaskLimit {
  readonly name: string;
  /** A path in the input, or of a map in the item. Absent: one key for the whole limit. */
  readonly key?: string;
}

/** The numbers of limits by their names. */
export type LimitTable = ReadonlyMap<string, CheckedNumbers>;

/** Max number of slots of a key, and of all keys of a limit. Their holders are kept in one row. */
export const MAX_CONCURRENCY = 1_000;
/** The concurrency of a key whose holders are not kept. */
export const UNLIMITED = 2 ** 31 - 1;
/** The limit of tasks with a `fairKey`. It has no numbers, so its keys only take turns. */
export const FAIR_LIMIT = `${BUILT_IN_PREFIX}fair`;
/** Max characters of the name of a limit, and of a key. Together they fit into an entry of an index. */
export const MAX_LIMIT_NAME_LENGTH = 100;
export const MAX_LIMIT_KEY_LENGTH = 500;
/** Separates the name of a limit from the key. Names have no control characters. */
const SEPARATOR = '\u001f';
/**
 * Separates the key of an item from that of its map, if the map has a concurrency beside the limit. Keys do not contain it.
 * It sorts before {@link SEPARATOR}, so the items of a key are between the key and its successor.
 */
export const MAP_SEPARATOR = '\u001e';

/** The burst of a rate that has none: a tenth of its limit, so that late timers don't lose a part of the rate. */
export function defaultBurst(limit: number): number {
  return Math.max(1, Math.ceil(limit / 10));
}

/**
 * The time until the next token of a rate, in milliseconds, at most the interval between two tokens. A row may have a later
 * time, from a slower rate that it had before.
 */
export function untilNextToken(tokenInMs: number, { limit, perMs }: CheckedRate): number {
  return Math.min(tokenInMs, Math.ceil(perMs / limit));
}

/** The number of slots of a key for which neither the code nor a call has given one. */
export function defaultConcurrency(name: string): number {
  return name === FAIR_LIMIT ? UNLIMITED : MAX_CONCURRENCY;
}

/** The stored form of a limit and a key. */
export function limitKeyOf(name: string, key: string): string {
  return `${name}${SEPARATOR}${key}`;
}

/** The name and the key in a stored form. */
export function splitLimitKey(limitKey: string): { readonly name: string; readonly key: string } {
  const at = limitKey.indexOf(SEPARATOR);
  return at < 0
    ? { name: limitKey, key: '' }
    : { name: limitKey.slice(0, at), key: slotKeyOf(limitKey).slice(at + 1) };
}

/** Joins the key of an item and that of its map. The item counts for both. */
export function joinLimitKeys(limitKey: string, mapKey: string): string {
  return `${limitKey}${MAP_SEPARATOR}${mapKey}`;
}

/** The key whose slots a task with this key takes: without that of the map. */
export function slotKeyOf(limitKey: string): string {
  const at = mapSeparatorIn(limitKey);
  return at < 0 ? limitKey : limitKey.slice(0, at);
}

/** The key of the map that an item counts for beside its limit. Undefined for other tasks. */
export function mapKeyIn(limitKey: string): string | undefined {
  const at = mapSeparatorIn(limitKey);
  return at < 0 ? undefined : limitKey.slice(at + 1);
}

/** Names of the library's own limits have the same character, so it is looked for behind the name. */
function mapSeparatorIn(limitKey: string): number {
  const key = limitKey.indexOf(SEPARATOR);
  return key < 0 ? -1 : limitKey.indexOf(MAP_SEPARATOR, key);
}
