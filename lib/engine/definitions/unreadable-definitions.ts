import { UnreadableDefinitionError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Until a task of an unreadable definition is tried again, in milliseconds; doubled each time up to the maximum. */
const FIRST_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 3_600_000;

/**
 * Definitions by which a lost task could not be recorded as Failed: this release can't read them, or they are missing.
 * Each attempt is an event and a line in the log, so they become rare; a process that can read it may record it earlier.
 */
export class UnreadableDefinitions {
  private readonly pauses = new Map<string, { readonly until: number; readonly ms: number }>();

  constructor(private readonly clock: Clock) {}

  /** What an attempt failed with. */
  note(definitionId: string, error: unknown): void {
    if (!(error instanceof UnreadableDefinitionError)) return;
    const earlier = this.pauses.get(definitionId);
    const ms = earlier === undefined ? FIRST_PAUSE_MS : Math.min(MAX_PAUSE_MS, earlier.ms * 2);
    this.pauses.set(definitionId, { until: this.clock.now() + ms, ms });
  }

  /** Whether its tasks are left alone for now. */
  isPaused(definitionId: string): boolean {
    const pause = this.pauses.get(definitionId);
    return pause !== undefined && this.clock.now() < pause.until;
  }
}
