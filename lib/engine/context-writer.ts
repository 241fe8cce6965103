import type { TenantStore } from '../store/store.js';
import { Batcher } from './batcher.js';
import type { HeldClaim } from './held-claim.js';
import type { InputReader } from './input-reader.js';

/**
 * Writes the final contexts that the ending statement could not: when leaves end in one batch, or in two processes,
 * none of them knows the others' outcomes. Twice is the same as once, and a reader who finds none computes it; so
 * what fails here for good is left to the readers.
 */
export class ContextWriter {
  private readonly batcher: Batcher<HeldClaim, undefined>;

  constructor(
    private readonly store: TenantStore,
    private readonly inputs: InputReader,
  ) {
    this.batcher = new Batcher({
      maxItems: 1,
      send: async ([claim]) => {
        if (claim !== undefined) await this.write(claim);
        return [undefined];
      },
      classify: (error) => store.classifyFailure(error),
    });
  }

  /** `claim` ended the execution. */
  add(claim: HeldClaim): void {
    this.batcher.add(claim).catch(() => undefined);
  }

  get isBusy(): boolean {
    return this.batcher.size > 0;
  }

  settled(): Promise<void> {
    return this.batcher.settled();
  }

  close(): void {
    this.batcher.close();
  }

  private async write(claim: HeldClaim): Promise<void> {
    const { memory, executionId } = claim;
    if (memory.finalContext() === undefined) await this.inputs.fillForEnd(claim);
    const context = memory.finalContextJson();
    if (context === null) return;
    await this.store.writeFinalContext(executionId, context, memory.generation);
  }
}
