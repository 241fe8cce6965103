import { ClaimLostError } from '../errors/index.js';
import type { ClaimTable } from './claim-table.js';
import type { Lane } from './lane.js';
import type { TaskSettlement } from './task-settlement.js';

/** How long a stopping tenant waits for the database to take what it has to record, in milliseconds. */
const RECORDING_GRACE_MS = 5_000;
/** How long it waits for handlers to return whose signals it aborted, in milliseconds. */
const ABORT_GRACE_MS = 1_000;

/** Something that has statements under way. */
export interface Settling {
  settled(): Promise<void>;
}

export interface TenantDrainParts {
  readonly claims: ClaimTable;
  readonly lane: Lane;
  readonly settlement: TaskSettlement;
  /** What has to be recorded, in the order in which the one gives work to the next. */
  readonly recording: readonly (readonly Settling[])[];
}

/** Ends a tenant's work in this process: nothing is lost and no attempt is charged. */
export class TenantDrain {
  constructor(private readonly parts: TenantDrainParts) {}

  /** What was claimed and has not begun goes back. */
  giveBackWaiting(): void {
    const { claims, lane, settlement } = this.parts;
    lane.removeQueued();
    for (const claim of claims.all()) {
      if (claim.stage === 'waiting') settlement.giveBack(claim);
    }
  }

  /** When nothing is claimed any more: waits for handlers up to `timeoutMs`, then aborts them and gives back. */
  async run(timeoutMs: number): Promise<void> {
    const { claims, lane, settlement } = this.parts;
    settlement.stop();
    this.giveBackWaiting();
    await within(timeoutMs, lane.idle());
    for (const claim of claims.all()) {
      if (claim.stage !== 'running') continue;
      settlement.giveBack(claim);
      claim.lose(new ClaimLostError(claim.task.name, claim.executionId));
    }
    // Those that heed their signal are through in a moment, and may still need the data source for that.
    await within(ABORT_GRACE_MS, lane.idle());
    await within(RECORDING_GRACE_MS, this.everythingRecorded());
  }

  private async everythingRecorded(): Promise<void> {
    for (const together of this.parts.recording) {
      await Promise.all(together.map((part) => part.settled()));
    }
  }
}

/** Waits for the work, at most so long. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
