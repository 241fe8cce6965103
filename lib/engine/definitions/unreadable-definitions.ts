import { UnreadableDefinitionError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Pause before a task of an unreadable definition is retried, in milliseconds. Doubles up to the maximum. */
const FIRST_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 3_600_000;

/**
 * Definitions that this process needs to record a lost task as Failed but can't read, or that are missing. Each attempt
 * writes an event and a log line, so attempts become rare. Another process that can read the definition may record the
 * task earlier.
 */
export class UnreadableDefinitions {
  private readonly pauses = new Map<string, { readonly until: number; readonly ms: number }>();

  constructor(private readonly clock: Clock) {}

  /** Notes the error of an attempt. */
  note(definitionId: string, error: unknown): void {
    if (!(error instanceof UnreadableDefinitionError)) return;
    const earlier = this.pauses.get(definitionId);
    const ms = earlier === undefined ? FIRST_PAUSE_MS : Math.min(MAX_PAUSE_MS, earlier.ms * 2);
    this.pauses.set(definitionId, { until: this.clock.now() + ms, ms });
  }

  /** Whether tasks of the definition are left alone for now. */
  isPaused(definitionId: string): boolean {
    const pause = this.pauses.get(definitionId);
    return pause !== undefined && this.clock.now() < pause.until;
  }
}
