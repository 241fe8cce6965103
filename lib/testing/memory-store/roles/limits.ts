import { MemoryRole } from './memory-role.js';
import {
  closeMapLimit,
  limitKeys,
  pruneKeys,
  setKey,
  setLimit,
  theseLimitKeys,
} from '../memory-limit-keys.js';
import { claimLimited, dueKeys } from '../memory-limits.js';
import type {
  LeaseWrite,
  LimitChange,
  LimitedChoice,
  LimitedClaims,
  LimitKeyRow,
  LimitKeysPage,
  LimitRequest,
  LimitStore,
  MapKey,
  PrunedKeys,
} from '../../../store/port/index.js';
import type { LimitTable } from '../../../workflow/limit.js';

/** Claims tasks with a limit, and reads and sets the numbers of limits, in memory. */
export class MemoryLimitStore extends MemoryRole implements LimitStore {
  /** A sweep in memory always looks for tasks with a limit. */
  use(): void {}

  dueKeys(definitions: readonly string[], after: string | null, count: number): Promise<string[]> {
    return this.run((tables) => dueKeys(tables, definitions, after, count));
  }

  claim(
    keys: readonly LimitRequest[],
    room: number,
    choice: LimitedChoice,
    lease: LeaseWrite,
  ): Promise<LimitedClaims> {
    return this.run((tables) => claimLimited(tables, keys, room, choice, lease));
  }

  setLimit(name: string, change: LimitChange): Promise<void> {
    return this.run((tables) => setLimit(tables, name, change));
  }

  setKey(limitKey: string, change: LimitChange): Promise<void> {
    return this.run((tables) => setKey(tables, limitKey, change));
  }

  keysOf(keys: readonly string[], strict: readonly string[] = []): Promise<LimitKeyRow[]> {
    return this.run((tables) => theseLimitKeys(tables, keys, strict));
  }

  keys(page: LimitKeysPage): Promise<LimitKeyRow[]> {
    return this.run((tables) => limitKeys(tables, page));
  }

  prune(limits: LimitTable, idleMs: number, after: string | null): Promise<PrunedKeys> {
    return this.run((tables) => pruneKeys(tables, limits, idleMs, after));
  }

  closeMap(map: MapKey, limitKey: string): Promise<void> {
    return this.run((tables) => closeMapLimit(tables, map, limitKey));
  }
}
