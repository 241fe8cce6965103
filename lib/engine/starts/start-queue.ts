import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { classifierOf, weightOf, WRITE_LIMITS } from '../write-batches.js';
import type { QueuedBytes } from './queued-bytes.js';
import { queueIsFull, startTimedOut } from './start-failures.js';
import type { Started, StartRequest } from './start-request.js';

/** Maximum number of starts in one statement, and of starts that wait for the database. */
const MAX_STARTS = 300;
const MAX_QUEUED = 50_000;

export interface StartQueueParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly startTimeoutMs: number;
  readonly queuedBytes: QueuedBytes;
  readonly store: FailureClassifier;
}

/** What debounced and batched starts need. */
export interface CollectedStartsParts extends StartQueueParts {
  readonly consequences: {
    created(request: StartRequest): void;
    /** Called when the execution becomes due, or asks for its slot, in `ms` milliseconds. */
    dueIn(ms: number, request: StartRequest): void;
    definitionsMissing(): void;
  };
}

export interface StartQueueOptions<T> {
  /** Bytes of parameters that a start sends, as a multiple of its input. Default: 1. */
  readonly bytesPerInput?: number;
  readonly send: (starts: readonly T[], resent: boolean) => Promise<Started[]>;
}

/** Sends starts whose order counts: one statement at a time, so that none is overtaken by an earlier one. */
export class StartQueue<T extends { readonly request: StartRequest }> {
  private readonly batcher: Batcher<T, Started>;

  constructor(
    private readonly parts: StartQueueParts,
    { bytesPerInput = 1, send }: StartQueueOptions<T>,
  ) {
    const { clock, store, tenant, startTimeoutMs, queuedBytes } = parts;
    this.batcher = new Batcher({
      clock,
      maxItems: MAX_STARTS,
      ...WRITE_LIMITS,
      maxStatements: 1,
      weight: ({ request: { definition, input } }) =>
        weightOf(definition.workflow.tasks.length, bytesPerInput * input.length),
      send,
      classify: classifierOf(store),
      giveUp: ({ request }, error, state) =>
        startTimedOut({ tenant, request, startTimeoutMs, store, isHeldHere: false }, state, error),
      ended: ({ request }) => queuedBytes.remove(request.input.length),
    });
  }

  /** @throws QueueFullError */
  add(start: T): Promise<Started> {
    const { tenant, queuedBytes } = this.parts;
    const { size } = this.batcher;
    if (size >= MAX_QUEUED || !queuedBytes.add(start.request.input.length)) {
      throw queueIsFull(tenant, { starts: size, bytes: queuedBytes.bytes });
    }
    return this.batcher.add(start);
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }
}
