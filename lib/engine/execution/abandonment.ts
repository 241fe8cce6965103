import { TaskAbandonedError, toStoredError } from '../../errors/index.js';
import type { RecoveryStore, TakenOrphan } from '../../store/port/index.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { InputReader } from '../memory/input-reader.js';
import type { TaskCompleter } from './task-completer.js';
import { resultOf } from './task-result.js';

/** Fails tasks that were lost too often, without running them. */
export class Abandonment {
  constructor(
    private readonly recovery: Pick<RecoveryStore, 'ownersOf'>,
    private readonly claims: ClaimTable,
    private readonly inputs: Pick<InputReader, 'fill'>,
    private readonly completer: Pick<TaskCompleter, 'complete'>,
  ) {}

  /** Adds the orphan's claim to memory. Its outcome is recorded later. */
  async abandon(orphan: TakenOrphan, definition: RunnableDefinition): Promise<void> {
    const owners = await this.recovery.ownersOf(orphan);
    const claim = this.claims.adopt(orphan, orphan.generation, definition);
    if (claim !== undefined) this.fail(claim, owners);
  }

  private fail(claim: TaskClaim, owners: readonly string[]): void {
    claim.stage = 'settled';
    const error = toStoredError(new TaskAbandonedError(claim.task.name, owners));
    this.inputs
      .fill(claim)
      .then(() => resultOf(claim, claim.cache.inputOf(claim.task.no), 'Failed', { error }))
      .then(
        (result) => this.completer.complete(claim, result),
        (reason: unknown) =>
          this.completer.complete(claim, { kind: 'unrecordable', error: reason }),
      );
  }
}
