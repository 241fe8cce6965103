import { ClaimLostError } from '../errors/index.js';
import { ExecutionMemory } from './execution-memory.js';
import { claimKey, HeldClaim, type ClaimFacts } from './held-claim.js';
import type { RunnableDefinition } from './runnable-definition.js';

/** Claims to remember whose reply may still come; most never do. */
const MAX_READ_EARLY = 10_000;

/**
 * The claims that this process holds in one tenant, and what it remembers of their executions.
 *
 * Adoption is idempotent: a claim may be reported by the statement that made it and by a reading of what the
 * database holds, in either order, and is taken up once.
 */
export class ClaimTable {
  /** The last claim in an execution has ended here. */
  onIdle: (executionId: string) => void = () => undefined;
  private readonly claims = new Map<string, HeldClaim>();
  private readonly memories = new Map<string, ExecutionMemory>();
  /** While the database is being compared with memory: claims that ended meanwhile, which the reading still shows. */
  private releasedMeanwhile: Set<string> | undefined;
  /**
   * Claims that a reading told of. The reply of the statement that made them may have been lost, or be on its way yet
   * when the claim has long ended.
   */
  private readonly readEarly = new Set<string>();

  get size(): number {
    return this.claims.size;
  }

  all(): HeldClaim[] {
    return [...this.claims.values()];
  }

  /** Whether the claim has not ended. */
  holds(claim: HeldClaim): boolean {
    return this.claims.get(claim.key) === claim;
  }

  ofExecution(executionId: string): HeldClaim[] {
    return this.all().filter((claim) => claim.executionId === executionId);
  }

  /** The execution's memory, made if this process doesn't know it, and made anew if it was retried since. */
  memoryOf(
    executionId: string,
    definition: RunnableDefinition,
    generation: number,
  ): ExecutionMemory {
    const known = this.memories.get(executionId);
    if (known !== undefined && known.generation === generation) return known;
    const memory = new ExecutionMemory(executionId, definition.workflow, generation);
    this.memories.set(executionId, memory);
    return memory;
  }

  isActive(executionId: string): boolean {
    return (this.memories.get(executionId)?.claims ?? 0) > 0;
  }

  /** Undefined when this claim was taken up before. */
  adopt(
    facts: ClaimFacts,
    generation: number,
    definition: RunnableDefinition,
    toldBy: 'statement' | 'reading' = 'statement',
  ): HeldClaim | undefined {
    const key = claimKey(facts.executionId, facts.taskNo);
    const earlier = this.claims.get(key);
    if (earlier !== undefined && earlier.token >= facts.token) return undefined;
    if (this.releasedMeanwhile?.has(`${key}/${facts.token}`) === true) return undefined;
    if (toldBy === 'reading') this.rememberEarly(`${key}/${facts.token}`);
    else if (this.readEarly.size > 0 && this.readEarly.delete(`${key}/${facts.token}`))
      return undefined;
    if (earlier !== undefined) this.lose(earlier);
    const memory = this.memoryOf(facts.executionId, definition, generation);
    const claim = new HeldClaim(facts, definition, memory);
    memory.claims++;
    this.claims.set(key, claim);
    return claim;
  }

  private rememberEarly(claim: string): void {
    if (this.readEarly.size >= MAX_READ_EARLY) this.readEarly.clear();
    this.readEarly.add(claim);
  }

  /** Forgets the execution if no claim in it was taken up. */
  forgetIdle(executionId: string): void {
    if (this.memories.get(executionId)?.claims === 0) this.memories.delete(executionId);
  }

  /** The claim has ended, in whatever way. */
  release(claim: HeldClaim): void {
    this.releasedMeanwhile?.add(`${claim.key}/${claim.token}`);
    if (this.claims.get(claim.key) !== claim) return;
    this.claims.delete(claim.key);
    claim.memory.claims--;
    if (claim.memory.claims === 0 && this.memories.get(claim.executionId) === claim.memory) {
      this.memories.delete(claim.executionId);
    }
    if (claim.memory.claims === 0) this.onIdle(claim.executionId);
  }

  /** Somebody else has it, or nobody: nothing may be written for it, and what is remembered of it is not trusted. */
  lose(claim: HeldClaim): void {
    claim.lose(new ClaimLostError(claim.task.name, claim.executionId));
    this.release(claim);
    if (this.memories.get(claim.executionId) === claim.memory)
      this.memories.delete(claim.executionId);
  }

  /** Runs a reading of what the database holds, minding what ends meanwhile. */
  async compare<T>(read: () => Promise<T>, use: (rows: T) => Promise<void>): Promise<void> {
    this.releasedMeanwhile = new Set();
    try {
      await use(await read());
    } finally {
      this.releasedMeanwhile = undefined;
    }
  }
}
