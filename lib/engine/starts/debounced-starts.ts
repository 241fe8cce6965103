import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { conflictDelay } from '../../runtime/retry-on-conflict.js';
import type { DebouncedStart, DebounceResult, DebounceStore } from '../../store/port/index.js';
import { classifierOf, weightOf, WRITE_LIMITS } from '../write-batches.js';
import { queueIsFull, startTimedOut } from './start-failures.js';
import type { QueuedBytes } from './queued-bytes.js';
import { toStartItem } from './start-item.js';
import type { Started, StartRequest } from './start-request.js';

/** Max number of keys in one statement, and of starts that wait for the database. */
const MAX_STARTS = 300;
const MAX_QUEUED = 50_000;

/** How a start is debounced. */
export interface Debounce {
  readonly key: string;
  readonly waitMs: number;
  readonly maxMs: number | null;
}

export interface DebouncedRequest {
  readonly request: StartRequest;
  readonly debounce: Debounce;
}

export interface DebouncedStartsParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly startTimeoutMs: number;
  readonly queuedBytes: QueuedBytes;
  readonly store: FailureClassifier & { readonly debounces: DebounceStore };
  readonly consequences: {
    created(request: StartRequest): void;
    /** Called when the execution becomes due, or asks for its slot, in `ms` milliseconds. */
    dueIn(ms: number, request: StartRequest): void;
    definitionsMissing(): void;
  };
}

/**
 * Sends debounced starts in batches. Of several with one key in a batch the last one is sent: it would replace the others'
 * inputs anyway.
 */
export class DebouncedStarts {
  private readonly batcher: Batcher<DebouncedRequest, Started>;

  constructor(private readonly parts: DebouncedStartsParts) {
    const { clock, store, tenant, startTimeoutMs, queuedBytes } = parts;
    this.batcher = new Batcher({
      clock,
      maxItems: MAX_STARTS,
      ...WRITE_LIMITS,
      // One at a time: a start that is sent later must not be overtaken by an earlier one.
      maxStatements: 1,
      weight: ({ request }) =>
        weightOf(request.definition.workflow.tasks.length, request.input.length),
      send: (queued) => this.send(queued),
      classify: classifierOf(store),
      giveUp: ({ request }, error, state) =>
        startTimedOut({ tenant, request, startTimeoutMs, store, isHeldHere: false }, state, error),
      ended: ({ request }) => queuedBytes.remove(request.input.length),
    });
  }

  start(request: StartRequest, debounce: Debounce): Promise<Started> {
    const { tenant, queuedBytes } = this.parts;
    const { size } = this.batcher;
    if (size >= MAX_QUEUED || !queuedBytes.add(request.input.length)) {
      throw queueIsFull(tenant, { starts: size, bytes: queuedBytes.bytes });
    }
    return this.batcher.add({ request, debounce });
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  private async send(queued: readonly DebouncedRequest[]): Promise<Started[]> {
    const last = new Map(queued.map((one) => [placeOf(one), one]));
    const unique = [...last].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
    const results = await this.sendAll(unique);
    return queued.map((one) => {
      const of = last.get(placeOf(one));
      const result = of && results.get(of);
      const created = of === one && result?.fate === 'created';
      return { id: result?.id ?? one.request.id, created, claims: 0, hasWaiters: false };
    });
  }

  /** Sends starts until each of them has created or changed an execution. */
  private async sendAll(
    unique: readonly DebouncedRequest[],
  ): Promise<ReadonlyMap<DebouncedRequest, DebounceResult>> {
    const { clock, store, consequences } = this.parts;
    const results = new Map<DebouncedRequest, DebounceResult>();
    let left = unique;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt > 0) await conflictDelay(attempt - 1, clock);
      const { starts, definitionsAreStored } = await store.debounces.start(left.map(toStart));
      if (!definitionsAreStored) consequences.definitionsMissing();
      for (const [i, one] of left.entries()) {
        const result = starts[i];
        if (result === undefined || result.fate === 'raced') continue;
        results.set(one, result);
        if (result.fate === 'created') consequences.created(one.request);
        const { waitMs, maxMs } = one.debounce;
        consequences.dueIn(Math.min(waitMs, maxMs ?? waitMs), one.request);
      }
      left = left.filter((one) => !results.has(one));
    }
    return results;
  }
}

function placeOf({ request, debounce }: DebouncedRequest): string {
  return JSON.stringify([request.definition.workflow.name, debounce.key]);
}

function toStart({ request, debounce }: DebouncedRequest): DebouncedStart {
  return { item: toStartItem(request, 0), ...debounce };
}
