import type { CheckedNumbers, LimitTable } from '../../workflow/limit.js';
import type { ClaimChoice, ClaimedTask } from './claims.js';
import type { MapKey } from './items.js';
import type { LeaseWrite } from './leases.js';

/** A key whose due tasks are to be claimed. */
export interface LimitRequest {
  /** The limit and the key, as in the rows of tasks. */
  readonly limitKey: string;
  /** The numbers of the running code. Those that were set at run time take precedence. */
  readonly numbers: CheckedNumbers;
  /** The definitions with tasks of the key that may be claimed. Default: all those of the claim. */
  readonly definitions?: readonly string[];
  /** For a key that is joined with that of a map: the concurrency of the map. */
  readonly mapConcurrency?: number;
}

/** The due tasks that a claim may take. */
export interface LimitedChoice extends ClaimChoice {
  readonly definitions: readonly string[];
  /** Tasks of the definitions for which this process has no handler. */
  readonly unknown: readonly (readonly [definition: string, task: number])[];
}

/**
 * What a claim found of a key:
 * - `done`: all its due tasks are claimed, or its slots or tokens are used up. The end of a task, or time, brings more.
 * - `more`: it may have more due tasks, and room for them, but this claim had no room.
 * - `locked`: another process claims for this key, or for its limit, at this moment.
 */
export type KeyFate = 'done' | 'more' | 'locked';

/** A key after a claim. */
export interface ClaimedKey {
  readonly limitKey: string;
  readonly fate: KeyFate;
  /** Number of tasks that were claimed. */
  readonly claimed: number;
  /** When the rate allows the next task to begin, in milliseconds. Null unless the rate has stopped the claim. */
  readonly tokenInMs: number | null;
  /** The rate that has stopped the claim. Null unless a rate has. */
  readonly rate: TokenRate | null;
  /** Whether the limit has a total, set by the code or at run time. */
  readonly hasTotal: boolean;
}

/** How tokens come. */
export interface TokenRate {
  /** Time between two tokens, in milliseconds. */
  readonly everyMs: number;
  /** Max number of tokens that are kept. */
  readonly burst: number;
}

/** The claimed tasks of several keys. */
export interface LimitedClaims {
  readonly claims: readonly ClaimedTask[];
  /** In the order of the request. Keys that were not looked at, because there was no room for them, may be missing. */
  readonly keys: readonly ClaimedKey[];
}

/** Numbers to set at run time: undefined leaves a number as it is, null takes that of the code again. */
export interface LimitChange {
  readonly concurrency?: number | null | undefined;
  readonly rate?: CheckedNumbers['rate'] | null | undefined;
  /** Only of a limit, not of a key. */
  readonly total?: number | null | undefined;
  /** Only of a key. */
  readonly weight?: number | null | undefined;
}

/** A task that holds a slot. */
export interface SlotHolder {
  readonly executionId: string;
  readonly taskNo: number;
  readonly itemNo: number;
  readonly definitionId: string;
}

/** A key of a limit, as it is now. */
export interface LimitKeyRow {
  readonly limitKey: string;
  /** Numbers that were set for the key, or else for its limit. Null: those of the code. */
  readonly concurrency: number | null;
  readonly rate: number | null;
  readonly rateMs: number | null;
  readonly burst: number | null;
  /** The total that was set for the limit. Null: that of the code. */
  readonly total: number | null;
  readonly weight: number;
  /** Tasks that run, and for a strict key those that will run again. */
  readonly holders: readonly SlotHolder[];
  /** Number of due tasks, counted up to a thousand. */
  readonly waiting: number;
  /** How long the first of them has been due, in milliseconds. Null if no task is due. */
  readonly oldestForMs: number | null;
  /** When the rate allows the next task to begin, in milliseconds; at most 0 if now. Null without a rate so far. */
  readonly tokenInMs: number | null;
}

/** A page of the rows of keys after a pruning. */
export interface PrunedKeys {
  readonly deleted: number;
  /** The last key of the page. Null on the last page. */
  readonly last: string | null;
}

/** Which keys a read returns. */
export interface LimitKeysPage {
  /** The name of their limit; null for all limits. */
  readonly name: string | null;
  /** The key before them; null for the first one on. */
  readonly after: string | null;
  readonly count: number;
  /** The names of the strict limits. */
  readonly strict?: readonly string[];
}

/** Claims tasks with a limit, and reads and sets the numbers of limits. */
export interface LimitStore {
  /**
   * Call when the process has handlers for tasks with a limit. Its sweeps and timers look for them then; before, only some
   * sweeps do.
   */
  use(): void;
  /**
   * Keys with due tasks of the definitions, in their order, from the first one behind `after` on.
   *
   * @param after - null: from the first key on
   * @param areFew - whether few tasks are probably due, so that it is worth to look for these first. Default: false
   */
  dueKeys(
    definitions: readonly string[],
    after: string | null,
    count: number,
    areFew?: boolean,
  ): Promise<string[]>;
  /**
   * Claims due tasks of the keys, within their limits. Each key gets its turn in the order of the request: one task for
   * each key before any gets a second one, as far as their weights are equal.
   *
   * @param room - number of tasks to claim
   */
  claim(
    keys: readonly LimitRequest[],
    room: number,
    choice: LimitedChoice,
    lease: LeaseWrite,
  ): Promise<LimitedClaims>;
  /** Sets numbers of a limit. */
  setLimit(name: string, change: LimitChange): Promise<void>;
  /** Sets numbers of one key. */
  setKey(limitKey: string, change: LimitChange): Promise<void>;
  /**
   * These keys, as far as they are known.
   *
   * @param strict - the names of the strict limits
   */
  keysOf(limitKeys: readonly string[], strict?: readonly string[]): Promise<LimitKeyRow[]>;
  /** Keys in their order, without those of maps. A key is known from its first claim on, until it is pruned. */
  keys(page: LimitKeysPage): Promise<LimitKeyRow[]>;
  /**
   * Forgets a page of the keys that are not used: no numbers are set for them, no task holds a slot or is due later, and
   * all tokens are back.
   *
   * @param limits - the numbers of the running code. Keys of other limits stay, except those of maps
   * @param idleMs - how long ago the last task of the key has begun at least, in milliseconds
   * @param after - the last key of the previous page
   */
  prune(limits: LimitTable, idleMs: number, after: string | null): Promise<PrunedKeys>;
  /** Forgets the key of a map that is Completed. Does nothing if a manual retry has reset it since. */
  closeMap(map: MapKey, limitKey: string): Promise<void>;
}
