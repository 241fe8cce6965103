import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { ProgressStore } from '../../store/port/index.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { sendInHalves } from '../../runtime/in-halves.js';
import type { TaskClaim } from '../claims/task-claim.js';

/** Minimum time between two writes of one task's progress, in milliseconds. */
const INTERVAL_MS = 1_000;
/** Maximum number of tasks in one statement. */
const MAX_BATCH = 500;

export interface ProgressReportsParts {
  readonly clock: Clock;
  readonly store: ProgressStore & FailureClassifier & { readonly schema: string };
  /** Whether this process still holds the claim. */
  readonly holds: (claim: TaskClaim) => boolean;
  /** Called when the progress of a task of the execution was stored. */
  readonly stored: (executionId: string) => void;
}

/**
 * The progress that the running tasks of one tenant report. It is written once a second, the latest value of each task, in
 * one statement for all tasks. So a task that ends within a second costs nothing. Nothing waits for it: a value that can't
 * be written is written with the next ones, and lost when its task ends. One that the database can't store is dropped.
 */
export class ProgressReports {
  private readonly logger = new Logger('Cloacina');
  /** What is not written yet. At most one value for each claim of this process. */
  private pending = new Map<TaskClaim, string>();
  /** Claims whose tasks have a row, which is deleted after the end of the task. */
  private readonly written = new Set<TaskClaim>();
  private timer: Timer | undefined;
  private isClosed = false;
  private hasWarned = false;

  constructor(private readonly parts: ProgressReportsParts) {}

  /** @param value - JSON text */
  report(claim: TaskClaim, value: string): void {
    if (this.isClosed || claim.lost) return;
    this.pending.set(claim, value);
    this.plan();
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
    this.pending.clear();
    this.written.clear();
  }

  private plan(): void {
    if (this.isClosed || this.timer !== undefined) return;
    if (this.pending.size === 0 && this.written.size === 0) return;
    this.timer = this.parts.clock.timer(() => void this.round(), INTERVAL_MS);
  }

  private async round(): Promise<void> {
    const { holds } = this.parts;
    try {
      const due = [...this.pending].filter(([claim]) => holds(claim));
      this.pending = new Map(due);
      let areAllStored = true;
      for (let i = 0; i < due.length; i += MAX_BATCH) {
        areAllStored = (await this.write(due.slice(i, i + MAX_BATCH))) && areAllStored;
      }
      const ended = [...this.written].filter((claim) => !holds(claim));
      for (let i = 0; i < ended.length; i += MAX_BATCH) {
        await this.clear(ended.slice(i, i + MAX_BATCH));
      }
      if (areAllStored) this.hasWarned = false;
    } catch (error) {
      this.warn('will be sent again', error);
    } finally {
      this.timer = undefined;
      this.plan();
    }
  }

  /** Returns whether the database could store all of them. */
  private async write(due: readonly (readonly [TaskClaim, string])[]): Promise<boolean> {
    const { store } = this.parts;
    const send = async (part: typeof due): Promise<typeof due> => {
      await store.reportProgress(
        part.map(([{ executionId, taskNo, itemNo, token }, value]) => {
          return { executionId, taskNo, itemNo, token, value };
        }),
      );
      return part;
    };
    let refusal: unknown;
    const stored = await sendInHalves(due, send, (error) => {
      refusal = error;
      return store.classifyFailure(error).kind !== 'data';
    });
    // Another value may be storable. This one would be refused with each batch.
    for (const [i, [claim, value]] of due.entries()) {
      if (stored[i] === undefined && this.pending.get(claim) === value) this.pending.delete(claim);
    }
    if (refusal !== undefined) this.warn('was dropped', refusal);
    for (const [claim, value] of stored.filter((one) => one !== undefined)) {
      this.written.add(claim);
      // A later value may have come in the meantime.
      if (this.pending.get(claim) === value) this.pending.delete(claim);
    }
    for (const id of new Set(due.map(([{ executionId }]) => executionId))) this.parts.stored(id);
    return refusal === undefined;
  }

  /** Forgets the claims first: readers ignore the rows of ended tasks, so a failure needs no other try. */
  private async clear(ended: readonly TaskClaim[]): Promise<void> {
    for (const claim of ended) this.written.delete(claim);
    const keys = ended.map(({ executionId, taskNo, itemNo }) => ({ executionId, taskNo, itemNo }));
    await this.parts.store.clearProgress(keys);
  }

  /** Once for each series of failures: the engine reports an unavailable database by itself. */
  private warn(consequence: string, error: unknown): void {
    if (this.hasWarned || this.isClosed) return;
    this.hasWarned = true;
    const { message } = toStoredError(error);
    this.logger.warn(
      `Schema "${this.parts.store.schema}": progress of tasks could not be stored and ${consequence}: ${message}`,
    );
  }
}
