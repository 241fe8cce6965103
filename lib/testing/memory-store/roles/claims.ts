import { MemoryRole } from './memory-role.js';
import { beginSuspect, SUSPECT_AFTER, claim, claimedTask, reschedule } from '../memory-claims.js';
import type {
  ClaimChoice,
  ClaimKey,
  ClaimStore,
  ClaimedTask,
  LeaseWrite,
  Reschedule,
  RescheduleResult,
} from '../../../store/port/index.js';

/** Claims tasks, and ends claims without an outcome, in memory. */
export class MemoryClaimStore extends MemoryRole implements ClaimStore {
  get suspectAfter(): number {
    return SUSPECT_AFTER;
  }

  claim(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
    limit: number,
    lease: LeaseWrite,
    choice: ClaimChoice = {},
  ): Promise<ClaimedTask[]> {
    const claiming = { definitions, unknown, limit, choice };
    return this.run((tables) => claim(tables, claiming, lease));
  }

  reschedule(items: readonly Reschedule[]): Promise<RescheduleResult[]> {
    return this.run((tables) => reschedule(tables, items));
  }

  beginSuspect(claimed: ClaimKey): Promise<boolean> {
    return this.run((tables) => beginSuspect(tables, claimed));
  }

  claimsOf(instanceId: string): Promise<ClaimedTask[]> {
    return this.run((tables) =>
      tables.running(instanceId).map((task) => claimedTask(tables, task)),
    );
  }

  pausedExecutions(instanceId: string): Promise<string[]> {
    return this.run((tables) => {
      const paused = tables.running(instanceId).filter((task) => task.paused);
      return [...new Set(paused.map(({ executionId }) => executionId))];
    });
  }
}
