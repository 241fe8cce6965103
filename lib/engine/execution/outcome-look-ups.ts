import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { OutcomeStore, TenantStore } from '../../store/port/index.js';
import { claimKey } from '../claims/task-claim.js';
import { lateReads } from '../late-reads.js';
import { classifierOf } from '../write-batches.js';
import type { TaskResult } from './task-result.js';

/** Maximum number of outcomes that one statement looks for. */
const MAX_LOOK_UPS = 300;

/** Looks whether outcomes are recorded, after a reply was lost. */
export class OutcomeLookUps {
  private readonly batcher: Batcher<TaskResult, boolean>;

  constructor(
    private readonly store: Pick<OutcomeStore, 'outcomes'> &
      FailureClassifier &
      Pick<TenantStore, 'schema'>,
    clock: Clock,
  ) {
    this.batcher = new Batcher<TaskResult, boolean>({
      clock,
      maxItems: MAX_LOOK_UPS,
      send: (results) => this.read(results),
      classify: classifierOf(store),
      late: lateReads(store.schema, 'the outcomes of transactional tasks'),
    });
  }

  /** Whether the task's row has this outcome. Waits while the database is unavailable. */
  isRecorded(result: TaskResult): Promise<boolean> {
    return this.batcher.add(result);
  }

  /** The same for a batch, by index, in a statement that is not repeated. */
  async read(results: readonly TaskResult[]): Promise<boolean[]> {
    const rows = await this.store.outcomes(
      results.map(({ claim: { executionId, taskNo, itemNo } }) => ({
        executionId,
        taskNo,
        itemNo,
      })),
    );
    // The end of a claim adds 1 to its token.
    const recorded = new Set(rows.map((row) => `${claimKey(row)} ${row.token} ${row.status}`));
    return results.map(({ claim, status }) =>
      recorded.has(`${claim.key} ${claim.token + 1} ${status}`),
    );
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }
}
