import type { ClaimStore } from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { REFUSED } from './handler-outcome.js';
import type { TaskCompleter } from './task-completer.js';

/** Tasks that were lost with their processes more than once: what runs beside them is not charged with their losses. */
export class Suspects {
  private noting = 0;

  constructor(
    private readonly store: Pick<ClaimStore, 'suspectAfter' | 'beginSuspect'>,
    private readonly completer: Pick<TaskCompleter, 'complete' | 'giveBack'>,
  ) {}

  /** Whether a suspect's begin is being noted. */
  get isNoting(): boolean {
    return this.noting > 0;
  }

  has({ recoveryAttempts }: TaskClaim): boolean {
    return recoveryAttempts >= this.store.suspectAfter;
  }

  /**
   * Notes that a suspect begins, so that the loss of the process is charged to it and not to those that wait. Never
   * rejects; a claim that may not begin after that is completed.
   */
  async noteBegin(claim: TaskClaim): Promise<void> {
    const { executionId, task, token } = claim;
    this.noting++;
    try {
      if (await this.store.beginSuspect(executionId, task.no, token)) return;
      this.completer.complete(claim, REFUSED);
    } catch {
      if (claim.mayBegin) this.completer.giveBack(claim);
    } finally {
      this.noting--;
    }
  }
}
