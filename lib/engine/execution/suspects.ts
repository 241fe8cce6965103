import type { ClaimStore } from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { REFUSED } from './handler-outcome.js';
import type { TaskCompleter } from './task-completer.js';

/** Pause before a suspect whose begin could not be noted is claimed again, in milliseconds. */
const FAILED_PAUSE_MS = 500;

/**
 * Tasks that were lost with their processes more than once. They may be the cause of the losses, so they run one at a
 * time, and other claims are not charged with a loss that happens while a suspect runs.
 */
export class Suspects {
  private noting = 0;

  constructor(
    private readonly store: Pick<ClaimStore, 'suspectAfter' | 'beginSuspect'>,
    private readonly completer: Pick<TaskCompleter, 'complete' | 'giveBack'>,
  ) {}

  /** Whether the begin of a suspect is being noted in the database. */
  get isNoting(): boolean {
    return this.noting > 0;
  }

  has({ recoveryAttempts }: TaskClaim): boolean {
    return recoveryAttempts >= this.store.suspectAfter;
  }

  /**
   * Notes in the database that a suspect begins, so that a loss of the process is charged to it and not to suspects
   * that wait. Never rejects. If the note fails, it completes the claim or gives it back.
   */
  async noteBegin(claim: TaskClaim): Promise<void> {
    this.noting++;
    try {
      if (await this.store.beginSuspect(claim)) return;
      this.completer.complete(claim, REFUSED);
    } catch {
      if (claim.mayBegin) this.completer.giveBack(claim, FAILED_PAUSE_MS);
    } finally {
      this.noting--;
    }
  }
}
