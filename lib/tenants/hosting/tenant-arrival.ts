import { CloacinaError, DatabaseUnavailableError, type DatabasePlace } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';

export interface ArrivalParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly place: DatabasePlace;
  /** Maximum wait of a call, in milliseconds: the tenant's `startTimeout`. */
  readonly timeoutMs: number;
  /** The failure at the boot. */
  readonly failure: unknown;
  /** Migrates the schema, and completes the data source. Fails while the server cannot be reached. */
  readonly reach: (left: AbortSignal) => Promise<void>;
}

/**
 * The wait of a tenant for its server, which could not be reached at the boot. Calls of its runner wait until the schema is
 * migrated, because statements of this release may not fit the tables of an earlier one.
 *
 * States: away (calls wait, then throw) → arrived (calls pass).
 */
export class TenantArrival {
  private arrived = false;
  private failure: unknown;
  private readonly waiting = new Set<AbortController>();

  constructor(private readonly parts: ArrivalParts) {
    this.failure = parts.failure;
  }

  get isAway(): boolean {
    return !this.arrived;
  }

  /** Whether the server has answered, and the tenant could not be opened all the same. */
  get isRefused(): boolean {
    return !this.arrived && !isUnreachable(this.failure);
  }

  /** Migrates the schema as soon as the server answers. Rejects when `left` aborts. */
  reach(left: AbortSignal): Promise<void> {
    return this.parts.reach(left);
  }

  /** Lets all calls pass. */
  arrive(): void {
    this.arrived = true;
    this.wake();
  }

  /** Notes why the tenant could not be opened, although its server answered. Calls throw that at once. */
  failed(failure: unknown): void {
    this.failure = failure;
    if (!isUnreachable(failure)) this.wake();
  }

  /**
   * Waits for the arrival, at most `startTimeout`.
   *
   * @throws DatabaseUnavailableError if the server could not be reached in time; the failure of the tenant's migrations
   */
  async wait(closed: AbortSignal): Promise<void> {
    if (this.arrived) return;
    const { clock, tenant, place, timeoutMs } = this.parts;
    const began = clock.now();
    const over = new AbortController();
    this.waiting.add(over);
    try {
      if (isUnreachable(this.failure)) {
        await clock.sleep(timeoutMs, AbortSignal.any([over.signal, closed]));
      }
    } finally {
      this.waiting.delete(over);
    }
    if (this.arrived) return;
    if (!isUnreachable(this.failure)) throw this.failure;
    const waitedMs = Math.round(clock.now() - began);
    const cause = this.failure instanceof Error ? (this.failure.cause ?? this.failure) : undefined;
    throw new DatabaseUnavailableError({ tenant, waitedMs, place }, { cause });
  }

  private wake(): void {
    for (const over of this.waiting) over.abort();
  }
}

/** Whether the boot may go on without the server: it is away, or it refuses the connections of this process for now. */
export function isUnreachable(error: unknown): error is CloacinaError {
  return (
    error instanceof CloacinaError &&
    (error.code === 'DATABASE_UNAVAILABLE' || error.code === 'DATABASE_CONNECTION')
  );
}
