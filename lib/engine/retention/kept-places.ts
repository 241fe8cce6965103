import type { Clock } from '../../runtime/clock.js';

/** How long a place is used: for each execution that its read walks over, at least and at most, in milliseconds. */
const MS_PER_EXECUTION = 1;
const MIN_AGE_MS = 60_000;
const MAX_AGE_MS = 600_000;

interface KeptPlace {
  readonly since: number | null;
  readonly count: number;
  readonly readAt: number;
}

/**
 * By workflow: when the first of its newest executions was created, which are kept. A read walks over all of these. So a place is
 * used for a while, the longer the more executions it counts, whichever lap has read it: laps may follow one another in
 * seconds, and one may take hours.
 *
 * An older place keeps more executions, because those that end later move it forward. Only a manual retry or the deletion of
 * one of the newest moves it back; until the next read, as many fewer are kept.
 */
export class KeptPlaces {
  private readonly places = new Map<string, KeptPlace>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /**
   * @param read - reads the place; null: all executions are kept
   */
  async of(
    workflow: string,
    count: number,
    read: () => Promise<number | null>,
  ): Promise<number | null> {
    const known = this.places.get(workflow);
    if (known?.count === count && this.isFresh(known)) return known.since;
    const readAt = this.clock.now();
    const since = await read();
    this.places.set(workflow, { since, count, readAt });
    return since;
  }

  private isFresh({ count, readAt }: KeptPlace): boolean {
    const ageMs = Math.min(MAX_AGE_MS, Math.max(MIN_AGE_MS, count * MS_PER_EXECUTION));
    return this.clock.now() - readAt < ageMs;
  }
}
