import { conflictDelay } from '../../runtime/retry-on-conflict.js';
import type { DebouncedStart, DebounceResult, DebounceStore } from '../../store/port/index.js';
import { toStartItem } from './start-item.js';
import { StartQueue, type CollectedStartsParts } from './start-queue.js';
import type { Started, StartRequest } from './start-request.js';

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

export interface DebouncedStartsParts extends CollectedStartsParts {
  readonly store: CollectedStartsParts['store'] & { readonly debounces: DebounceStore };
}

/**
 * Sends debounced starts in batches. Of several with one key in a batch the last one is sent: it would replace the others'
 * inputs anyway.
 */
export class DebouncedStarts {
  private readonly queue: StartQueue<DebouncedRequest>;

  constructor(private readonly parts: DebouncedStartsParts) {
    this.queue = new StartQueue(parts, {
      send: (queued) => this.send(queued),
    });
  }

  /** @throws QueueFullError */
  start(request: StartRequest, debounce: Debounce): Promise<Started> {
    return this.queue.add({ request, debounce });
  }

  whenIdle(): Promise<void> {
    return this.queue.whenIdle();
  }

  close(): void {
    this.queue.close();
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
