import { Batcher } from '../../runtime/batcher.js';
import type { CachedTask } from './execution-cache.js';
import type { InputReader } from './input-reader.js';
import type { OutcomeStore } from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Writes final contexts that the ending statement could not write: when leaves end in one batch or in different
 * processes, none of them knows the outcomes of the others. Writing is idempotent. After a permanent failure the final
 * context stays empty, and readers compute it.
 */
export class FinalContextWriter {
  private readonly batcher: Batcher<CachedTask, undefined>;

  constructor(
    private readonly store: OutcomeStore & FailureClassifier,
    private readonly inputs: InputReader,
    clock: Clock,
  ) {
    this.batcher = new Batcher({
      clock,
      maxItems: 1,
      send: async ([claim]) => {
        if (claim !== undefined) await this.write(claim);
        return [undefined];
      },
      classify: (error) => store.classifyFailure(error),
    });
  }

  /** @param claim - the claim whose outcome ended the execution */
  add(claim: CachedTask): void {
    this.batcher.add(claim).catch(() => undefined);
  }

  get isBusy(): boolean {
    return this.batcher.size > 0;
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  private async write(claim: CachedTask): Promise<void> {
    const { cache, executionId } = claim;
    if (cache.finalContext() === undefined) await this.inputs.fillForEnd(claim);
    const context = cache.finalContextJson();
    if (context === null) return;
    await this.store.writeFinalContext(executionId, context, cache.generation);
  }
}
