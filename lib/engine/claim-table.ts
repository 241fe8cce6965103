import { ClaimLostError } from '../errors/index.js';
import type { ClaimKey } from '../store/store.js';
import { ExecutionMemory } from './execution-memory.js';
import { claimKey, HeldClaim, type ClaimFacts } from './held-claim.js';
import type { RunnableDefinition } from './runnable-definition.js';

/**
 * The claims that this process holds in one tenant, and what it remembers of their executions.
 */
export class ClaimTable {
  /** The last claim in an execution has ended here. */
  onIdle: (executionId: string) => void = () => undefined;
  /** A statement told of a claim that is older than the one which is held: the database may have gone back in time. */
  onDoubt: () => void = () => undefined;
  private readonly claims = new Map<string, HeldClaim>();
  private readonly memories = new Map<string, ExecutionMemory>();
  /** While the database is being compared with memory: claims that ended meanwhile, which the reading still shows. */
  private releasedMeanwhile: Set<string> | undefined;

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

  /** Whether the claim is held here. */
  knows({ executionId, taskNo, token }: ClaimKey): boolean {
    return this.claims.get(claimKey(executionId, taskNo))?.token === token;
  }

  /**
   * Takes up a claim that a statement has made. Undefined when it was taken up before, and for a reply that is older
   * than what is known: tokens go up within one history of the database.
   */
  adopt(
    facts: ClaimFacts,
    generation: number,
    definition: RunnableDefinition,
  ): HeldClaim | undefined {
    const key = claimKey(facts.executionId, facts.taskNo);
    const earlier = this.claims.get(key);
    if (earlier !== undefined && earlier.token >= facts.token) {
      if (earlier.token > facts.token) this.onDoubt();
      return undefined;
    }
    if (earlier !== undefined) this.lose(earlier);
    const memory = this.memoryOf(facts.executionId, definition, generation);
    const claim = new HeldClaim(facts, definition, memory);
    memory.claims++;
    this.claims.set(key, claim);
    return claim;
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

  /** Forgets the outcomes that no held claim is built on: they are read again when they are needed. */
  forgetOutcomes(): void {
    const built = new Map<ExecutionMemory, number[]>();
    for (const { memory, task } of this.claims.values()) {
      const tasks = built.get(memory);
      if (tasks === undefined) built.set(memory, [task.no]);
      else tasks.push(task.no);
    }
    for (const memory of this.memories.values()) memory.keepAncestorsOf(built.get(memory) ?? []);
  }

  /** Runs a reading of what the database holds; it can ask whether a claim has ended since it began. */
  async watchReleases<T>(
    read: (wasReleased: (claim: ClaimKey) => boolean) => Promise<T>,
  ): Promise<T> {
    const released = new Set<string>();
    this.releasedMeanwhile = released;
    try {
      return await read(({ executionId, taskNo, token }) =>
        released.has(`${claimKey(executionId, taskNo)}/${token}`),
      );
    } finally {
      this.releasedMeanwhile = undefined;
    }
  }
}
