import type { ClaimKey, TaskKey } from './claims.js';

/** The latest progress of a task, reported under a claim. */
export interface ProgressReport extends ClaimKey {
  /** JSON text. */
  readonly value: string;
}

/** Progress as a reader of the task gets it. */
export interface StoredProgress {
  /** JSON text. */
  readonly value: string;
  readonly updatedAt: Date;
}

/**
 * The latest progress of running tasks. It is advisory: a crash of the server loses it, and a task without it is complete.
 * A reader gets it with the task (`TaskRow.progress`), but only while the task has not ended, and only if the task's latest
 * run reported it.
 */
export interface ProgressStore {
  /** Replaces the progress of tasks whose claims are held. Reports of lost claims are left out. */
  reportProgress(reports: readonly ProgressReport[]): Promise<void>;
  /** Deletes the progress of those of the tasks that have ended. */
  clearProgress(tasks: readonly TaskKey[]): Promise<void>;
}
