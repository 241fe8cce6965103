import { PostgresRole } from './postgres-role.js';
import { beginSuspect, SUSPECT_AFTER } from '../statements/begin-suspect.js';
import {
  claimsOf,
  claimTasks,
  claimTasksPastLocks,
  claimTasksTimed,
  claimValues,
} from '../statements/claim-tasks.js';
import { readClaims, readPausedExecutions } from '../statements/leases.js';
import {
  rescheduledOf,
  rescheduleTasks,
  rescheduleValues,
} from '../statements/reschedule-tasks.js';
import type {
  ClaimChoice,
  ClaimedTask,
  ClaimKey,
  ClaimStore,
  LeaseWrite,
  Reschedule,
  RescheduleResult,
} from '../../port/index.js';

/** Claims tasks, and ends claims without an outcome, on PostgreSQL. */
export class PostgresClaimStore extends PostgresRole implements ClaimStore {
  get suspectAfter(): number {
    return SUSPECT_AFTER;
  }

  async claim(
    definitions: readonly string[],
    unknown: readonly (readonly [string, number])[],
    limit: number,
    lease: LeaseWrite,
    { except, pastLocks = false, timed = false }: ClaimChoice = {},
  ): Promise<ClaimedTask[]> {
    const open = this.db.batches.open();
    const { claimant, write } = lease;
    const claims = claimsOf(
      await this.db.hot.run(
        pastLocks ? claimTasksPastLocks : timed ? claimTasksTimed : claimTasks,
        claimValues(definitions, unknown, limit, claimant, write, open.no, except),
      ),
    );
    const batch = open.stored(claims.length);
    return claims.map((claim) => ({ ...claim, batch }));
  }

  async reschedule(items: readonly Reschedule[]): Promise<RescheduleResult[]> {
    const rows = await this.db.hot.run(rescheduleTasks, rescheduleValues(items));
    return rescheduledOf(rows, items.length);
  }

  async beginSuspect({ executionId, taskNo, itemNo, token }: ClaimKey): Promise<boolean> {
    const values = [executionId, taskNo, itemNo, token];
    return (await this.db.hot.run(beginSuspect, values)).length === 1;
  }

  async claimsOf(instanceId: string): Promise<ClaimedTask[]> {
    return this.db.hot.run(readClaims, [instanceId]);
  }

  async pausedExecutions(instanceId: string): Promise<string[]> {
    const rows = await this.db.cold.run(readPausedExecutions, [instanceId]);
    return rows.map(({ executionId }) => executionId);
  }
}
