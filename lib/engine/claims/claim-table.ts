import { ClaimLostError } from '../../errors/index.js';
import { ExecutionCache } from '../memory/execution-cache.js';
import { claimKey, TaskClaim, tokenKey, type ClaimRow } from './task-claim.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { ClaimKey } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * The claims that this process holds in one tenant, and the caches of their executions.
 */
export class ClaimTable {
  /** Called when the last claim of this process in an execution has ended. */
  onIdle: (executionId: string) => void = () => undefined;
  /** Called for a reply with a claim older than the held one: the database may have gone back in time. */
  onDoubt: () => void = () => undefined;
  /** Called when a claim that held a slot of a limit has ended. */
  onSlotFree: (limitKey: string) => void = () => undefined;
  private readonly claims = new Map<string, TaskClaim>();
  private readonly caches = new Map<string, ExecutionCache>();
  /** Set during a comparison: the claims that ended since it began, which its read may still show. */
  private releasedMeanwhile: Set<string> | undefined;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  get size(): number {
    return this.claims.size;
  }

  all(): TaskClaim[] {
    return [...this.claims.values()];
  }

  /** Whether this very claim has not ended yet. */
  holds(claim: TaskClaim): boolean {
    return this.claims.get(claim.key) === claim;
  }

  ofExecution(executionId: string): TaskClaim[] {
    return this.all().filter((claim) => claim.executionId === executionId);
  }

  /** The execution's cache. Created if there is none, and created anew if the execution was retried since. */
  cacheOf(executionId: string, definition: RunnableDefinition, generation: number): ExecutionCache {
    const known = this.caches.get(executionId);
    if (known !== undefined && known.generation === generation) return known;
    const cache = new ExecutionCache(executionId, definition.workflow, generation);
    this.caches.set(executionId, cache);
    return cache;
  }

  isActive(executionId: string): boolean {
    return (this.caches.get(executionId)?.claims ?? 0) > 0;
  }

  /** Whether this process holds the claim with this token. */
  knows(claim: ClaimKey): boolean {
    return this.claims.get(claimKey(claim))?.token === claim.token;
  }

  /**
   * Adds a claim that a statement has made. Returns undefined if it is known already, or older than the known one:
   * tokens only increase within one history of the database.
   */
  adopt(
    facts: ClaimRow,
    generation: number,
    definition: RunnableDefinition,
  ): TaskClaim | undefined {
    const key = claimKey(facts);
    const earlier = this.claims.get(key);
    if (earlier !== undefined && earlier.token >= facts.token) {
      if (earlier.token > facts.token) this.onDoubt();
      return undefined;
    }
    if (earlier !== undefined) this.lose(earlier);
    const cache = this.cacheOf(facts.executionId, definition, generation);
    const claim = new TaskClaim(facts, definition, cache, this.clock.now());
    cache.claims++;
    this.claims.set(key, claim);
    return claim;
  }

  /** Drops the execution's cache if no claim was added to it. */
  forgetIdle(executionId: string): void {
    if (this.caches.get(executionId)?.claims === 0) this.caches.delete(executionId);
  }

  /** Removes a claim that has ended in any way. */
  release(claim: TaskClaim): void {
    this.releasedMeanwhile?.add(`${claim.key}/${claim.token}`);
    if (this.claims.get(claim.key) !== claim) return;
    this.claims.delete(claim.key);
    if (claim.limitKey !== undefined) this.onSlotFree(claim.limitKey);
    claim.cache.claims--;
    if (claim.cache.claims === 0 && this.caches.get(claim.executionId) === claim.cache) {
      this.caches.delete(claim.executionId);
    }
    if (claim.cache.claims === 0) this.onIdle(claim.executionId);
  }

  /** Aborts a claim whose row is to be cancelled. It stays in memory until {@link loseHeld}: the row still has it. */
  abort(claim: TaskClaim): void {
    claim.lose(new ClaimLostError(claim.task.name, claim.executionId));
  }

  /** Marks a claim as lost: nothing more may be written for it, and the cache of its execution is dropped. */
  lose(claim: TaskClaim): void {
    this.abort(claim);
    this.release(claim);
    if (this.caches.get(claim.executionId) === claim.cache) this.caches.delete(claim.executionId);
  }

  /** Loses those claims that have not ended since they were looked up. */
  loseHeld(claims: readonly TaskClaim[]): void {
    for (const claim of claims) if (this.holds(claim)) this.lose(claim);
  }

  /** Drops the cached outcomes that no held claim started from. They are read again when they are needed. */
  forgetOutcomes(): void {
    const built = new Map<ExecutionCache, number[]>();
    for (const { cache, task } of this.claims.values()) {
      const tasks = built.get(cache);
      if (tasks === undefined) built.set(cache, [task.no]);
      else tasks.push(task.no);
    }
    for (const cache of this.caches.values()) cache.keepAncestorsOf(built.get(cache) ?? []);
  }

  /** Runs `read`, which can ask whether a claim has ended since the read began. */
  async watchReleases<T>(
    read: (wasReleased: (claim: ClaimKey) => boolean) => Promise<T>,
  ): Promise<T> {
    const released = new Set<string>();
    this.releasedMeanwhile = released;
    try {
      return await read((claim) => released.has(tokenKey(claim)));
    } finally {
      this.releasedMeanwhile = undefined;
    }
  }
}
